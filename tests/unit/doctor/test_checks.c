#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "healthy.h"

static void test_a_healthy_box_passes_every_check(void **state)
{
	struct facts facts;

	make_healthy(&facts);
	for (int i = 0; i < CHECK_COUNT; i++)
		check(&facts, (enum check)i, VERDICT_OK, "");
	facts_finish(&facts);
}

static void test_a_service_that_is_gone_fails_and_the_rest_is_unsure(void **state)
{
	static const enum check unsure[] = {CHECK_UPSTREAM, CHECK_OWN_LOOP, CHECK_PARALLELISM,
		CHECK_RUNNER_KEYS, CHECK_KEEP_ALIVE, CHECK_CONTEXT, CHECK_GPU, CHECK_FOREIGN,
		CHECK_PATIENCE, CHECK_ACCESS, CHECK_REQUEST_LOG, CHECK_DISK, CHECK_DESCRIPTORS};
	struct facts facts;

	facts_init(&facts);
	facts.service.trouble = mem_strdup("box:1: nothing listens there");
	check(&facts, CHECK_SERVICE, VERDICT_FAIL, "nothing listens there");
	for (size_t i = 0; i < ARRAY_LENGTH(unsure); i++)
		check(&facts, unsure[i], VERDICT_UNSURE, "cannot tell");
	facts_finish(&facts);
}

static void test_a_service_that_drains_or_is_paused_or_hides_its_figures_warns(void **state)
{
	struct facts facts;

	make_healthy(&facts);
	read_health(&facts, HEALTH("draining", "false", "up", "null"));
	check(&facts, CHECK_SERVICE, VERDICT_WARN, "shutting down");
	read_health(&facts, HEALTH("healthy", "true", "up", "null"));
	check(&facts, CHECK_SERVICE, VERDICT_WARN, "paused");
	facts.service.refusal = mem_strdup("it wants an API key");
	check(&facts, CHECK_SERVICE, VERDICT_WARN, "API key");
	facts_finish(&facts);
}

static void test_an_upstream_that_is_down_or_old(void **state)
{
	struct facts facts;

	make_healthy(&facts);
	check(&facts, CHECK_UPSTREAM, VERDICT_OK, "0.32.15");
	read_health(&facts, HEALTH("unhealthy", "false", "down", "\"0.32.15\""));
	check(&facts, CHECK_UPSTREAM, VERDICT_FAIL, "is down");
	read_health(&facts, HEALTH("healthy", "false", "up", "\"0.23.9\""));
	check(&facts, CHECK_UPSTREAM, VERDICT_WARN, "0.23.9");
	read_health(&facts, HEALTH("healthy", "false", "up", "\"1.0\""));
	check(&facts, CHECK_UPSTREAM, VERDICT_OK, "1.0");
	facts_finish(&facts);
}

static void test_ollama_is_asked_where_the_service_is_down(void **state)
{
	struct facts facts;

	facts_init(&facts);
	facts.service.trouble = mem_strdup("gone");
	facts_set(&facts, "upstream", "http://127.0.0.1:11434");
	facts.upstream.is_asked = true;
	facts.upstream.version = mem_strdup("0.32.15");
	check(&facts, CHECK_UPSTREAM, VERDICT_OK, "0.32.15");
	facts.upstream.trouble = mem_strdup("down: nothing listens there");
	check(&facts, CHECK_UPSTREAM, VERDICT_FAIL, "nothing listens there");
	facts_finish(&facts);
}

static void test_a_loop_fails_and_a_chain_warns(void **state)
{
	struct facts facts;

	make_healthy(&facts);
	facts.upstream.is_shared_ollama = true;
	check(&facts, CHECK_OWN_LOOP, VERDICT_WARN, "is a shared-ollama");
	facts.service.version_status = 508;
	check(&facts, CHECK_OWN_LOOP, VERDICT_FAIL, "comes back");
	facts_finish(&facts);
}

static void test_a_queue_inside_ollama_warns(void **state)
{
	struct facts facts;

	make_healthy(&facts);
	facts.log.wait_ms = 9 * 400.0;
	check(&facts, CHECK_PARALLELISM, VERDICT_WARN, "0.4 s inside Ollama");
	/* little of a long answer */
	facts.log.latency_ms = 9 * 20e3;
	check(&facts, CHECK_PARALLELISM, VERDICT_OK, "400 ms");
	/* too few to tell */
	facts.log.waits = 4;
	check(&facts, CHECK_PARALLELISM, VERDICT_UNSURE, "cannot tell");
	read_stats(&facts, STATS(",\"concurrency\":{\"limit\":5,\"reason\":\"raised\"}"));
	check(&facts, CHECK_PARALLELISM, VERDICT_OK, "5 at once: raised");
	facts_finish(&facts);
}

static void test_one_model_under_two_runner_keys_warns(void **state)
{
	struct facts facts;

	make_healthy(&facts);
	read_stats(&facts, STATS(",\"turn\":{\"keys\":[{\"runner\":\"a num_ctx=4096\"}]}"));
	check(&facts, CHECK_RUNNER_KEYS, VERDICT_WARN, "a is asked for");
	facts_finish(&facts);
	make_healthy(&facts);
	words_add(&facts.log.runners, "c");
	check(&facts, CHECK_RUNNER_KEYS, VERDICT_OK, "");
	words_add(&facts.log.runners, "c num_ctx=8192");
	check(&facts, CHECK_RUNNER_KEYS, VERDICT_WARN, "c is asked for");
	facts_finish(&facts);
}

static void test_models_that_unload_between_bursts_warn(void **state)
{
	struct facts facts;

	make_healthy(&facts);
	facts.log.reloads = 1;
	facts.log.reloaded = mem_strdup("a");
	facts.log.shortest_pause_s = 301;
	check(&facts, CHECK_KEEP_ALIVE, VERDICT_OK, "");
	facts.log.reloads = 2;
	check(&facts, CHECK_KEEP_ALIVE, VERDICT_WARN, "2 times a had to be loaded");
	facts_finish(&facts);
}

static void test_cut_and_nearly_cut_prompts_warn(void **state)
{
	struct facts facts;

	make_healthy(&facts);
	facts.log.prompt_share = 0.5;
	facts.log.prompt_tokens = 2048;
	facts.log.prompt_context = 4096;
	facts.log.prompt_model = mem_strdup("a");
	check(&facts, CHECK_CONTEXT, VERDICT_OK, "2048 of 4096");
	facts.log.prompt_share = 0.95;
	check(&facts, CHECK_CONTEXT, VERDICT_WARN, "will be cut");
	read_stats(&facts, STATS(",\"cut_prompts\":{\"count\":3,\"models\":[{\"name\":\"b\"}]}"));
	check(&facts, CHECK_CONTEXT, VERDICT_WARN,
		"3 prompts were cut silently to fit the context: b");
	facts_finish(&facts);
}

static void test_a_model_partly_on_the_cpu_warns(void **state)
{
	struct facts facts;

	make_healthy(&facts);
	read_stats(&facts, STATS(",\"runners\":[{\"name\":\"b\",\"vram_share\":0.750}]"));
	check(&facts, CHECK_GPU, VERDICT_WARN, "75 % of b");
	facts_finish(&facts);
}

static void test_foreign_traffic_warns(void **state)
{
	struct facts facts;

	make_healthy(&facts);
	read_stats(&facts,
		STATS(",\"upstream\":{\"foreign_activity\":{\"count\":4,\"model\":\"b\"}}"));
	check(&facts, CHECK_FOREIGN, VERDICT_WARN, "seen 4 times, last with b");
	facts_finish(&facts);
}

static void test_doubted_patience_warns(void **state)
{
	struct facts facts;

	make_healthy(&facts);
	read_stats(&facts, STATS(",\"patience_doubted\":2"));
	check(&facts, CHECK_PATIENCE, VERDICT_WARN, "2 requests");
	facts_finish(&facts);
}

static void test_what_a_version_does_not_say_is_unsure(void **state)
{
	struct facts facts;

	facts_init(&facts);
	read_stats(&facts, STATS(""));
	check(&facts, CHECK_FOREIGN, VERDICT_UNSURE, "does not say");
	check(&facts, CHECK_PATIENCE, VERDICT_UNSURE, "does not say");
	facts_finish(&facts);
}

static void test_other_answers_are_not_taken(void **state)
{
	static const char *const others[] = {"Ollama is running", "{}", "{\"version\":1", "[]"};
	struct facts facts;

	facts_init(&facts);
	for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
		size_t length = strlen(others[i]);

		assert_false(answers_read_health(&facts, others[i], length));
		assert_false(answers_read_stats(&facts, others[i], length));
		assert_false(answers_read_config(&facts, others[i], length));
		assert_false(answers_read_version(&facts, others[i], length));
	}
	facts_finish(&facts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_healthy_box_passes_every_check),
		cmocka_unit_test(test_a_service_that_is_gone_fails_and_the_rest_is_unsure),
		cmocka_unit_test(
			test_a_service_that_drains_or_is_paused_or_hides_its_figures_warns),
		cmocka_unit_test(test_an_upstream_that_is_down_or_old),
		cmocka_unit_test(test_ollama_is_asked_where_the_service_is_down),
		cmocka_unit_test(test_a_loop_fails_and_a_chain_warns),
		cmocka_unit_test(test_a_queue_inside_ollama_warns),
		cmocka_unit_test(test_one_model_under_two_runner_keys_warns),
		cmocka_unit_test(test_models_that_unload_between_bursts_warn),
		cmocka_unit_test(test_cut_and_nearly_cut_prompts_warn),
		cmocka_unit_test(test_a_model_partly_on_the_cpu_warns),
		cmocka_unit_test(test_foreign_traffic_warns),
		cmocka_unit_test(test_doubted_patience_warns),
		cmocka_unit_test(test_what_a_version_does_not_say_is_unsure),
		cmocka_unit_test(test_other_answers_are_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
