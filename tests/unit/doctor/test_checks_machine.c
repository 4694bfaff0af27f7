#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "healthy.h"

static void test_a_configuration_that_cannot_be_read_fails(void **state)
{
	struct facts facts;

	make_healthy(&facts);
	facts.machine.config_error = mem_strdup("so.conf:2: unknown key max_queue");
	check(&facts, CHECK_CONFIGURATION, VERDICT_FAIL, "so.conf:2");
	facts_finish(&facts);
}

static void check_host(const char *host, bool is_ours, enum verdict verdict)
{
	struct facts facts;

	make_healthy(&facts);
	facts.machine.ollama_host = mem_strdup(host);
	facts.upstream.is_shared_ollama = is_ours;
	check(&facts, CHECK_OLLAMA_HOST, verdict, "");
	facts_finish(&facts);
}

static void test_ollama_host_is_compared_with_the_upstream(void **state)
{
	/* the service: as it should be */
	check_host("http://127.0.0.1:8000", false, VERDICT_OK);
	/* Ollama itself, in three forms */
	check_host("127.0.0.1:11434", false, VERDICT_WARN);
	check_host("http://127.0.0.1", false, VERDICT_WARN);
	check_host("0.0.0.0", false, VERDICT_WARN);
	/* the upstream was taken from it, and it names us */
	check_host("127.0.0.1:11434", true, VERDICT_FAIL);
	check_host("", true, VERDICT_OK);
}

static void check_listen(const char *config, enum verdict verdict, const char *part)
{
	struct facts facts;

	make_healthy(&facts);
	read_config(&facts, config);
	check(&facts, CHECK_ACCESS, verdict, part);
	facts_finish(&facts);
}

static void test_an_open_listener_without_keys_warns(void **state)
{
	check_listen(CONFIG("127.0.0.1:8000,[::1]:8000,unix:/run/s,localhost:1", "", ""),
		VERDICT_OK, "this machine only");
	check_listen(CONFIG("127.0.0.1:8000,0.0.0.0:8000", "", ""), VERDICT_WARN, "0.0.0.0:8000");
	check_listen(CONFIG(":8000", "", ""), VERDICT_WARN, ":8000");
	check_listen(CONFIG("https://0.0.0.0:8443", "", ""), VERDICT_WARN, "0.0.0.0:8443");
	check_listen(CONFIG("0.0.0.0:8000", "", "{\"name\":\"k\"},{\"name\":\"l\"}"), VERDICT_OK,
		"2 API keys");
}

static void test_a_log_that_is_not_written_fails_or_warns(void **state)
{
	struct facts facts;

	make_healthy(&facts);
	read_config(&facts, CONFIG("127.0.0.1:8000", "", ""));
	check(&facts, CHECK_REQUEST_LOG, VERDICT_WARN, "no request log");
	facts.machine.log_error = mem_strdup("/var/log: Permission denied");
	check(&facts, CHECK_REQUEST_LOG, VERDICT_FAIL, "Permission denied");
	facts.service.log_dropped = 12;
	check(&facts, CHECK_REQUEST_LOG, VERDICT_FAIL, "12 lines");
	facts_finish(&facts);
}

static void test_a_disk_without_room(void **state)
{
	static const double mib = 1024 * 1024;
	struct facts facts;

	make_healthy(&facts);
	facts.machine.log_free_bytes = 500 * mib;
	check(&facts, CHECK_DISK, VERDICT_WARN, "may grow to 600 MiB");
	facts.machine.spool_free_bytes = 1000 * mib;
	check(&facts, CHECK_DISK, VERDICT_WARN, "body_total is 2048 MiB");
	facts.machine.spool_free_bytes = 10 * mib;
	check(&facts, CHECK_DISK, VERDICT_FAIL, "10 MiB are free at the spool");
	facts_finish(&facts);
}

static void test_descriptors_that_are_few_or_used_up(void **state)
{
	struct facts facts;

	make_healthy(&facts);
	facts.machine.descriptors_most = 256;
	check(&facts, CHECK_DESCRIPTORS, VERDICT_WARN, "256");
	facts.machine.descriptors_open = 250;
	check(&facts, CHECK_DESCRIPTORS, VERDICT_FAIL, "250 of 256");
	facts_finish(&facts);
}

static void test_a_clock_that_is_wrong_apart_or_moved(void **state)
{
	struct facts facts;

	make_healthy(&facts);
	facts.log.back_steps = 1;
	facts.log.back_s = 90;
	check(&facts, CHECK_CLOCK, VERDICT_WARN, "go back 1 times, by up to 90 s");
	facts.machine.step_ms = -2000;
	check(&facts, CHECK_CLOCK, VERDICT_WARN, "moved by -2000 ms");
	facts.upstream.skew_s = -60;
	check(&facts, CHECK_CLOCK, VERDICT_WARN, "60 s behind");
	facts.machine.wall_s = 1000;
	check(&facts, CHECK_CLOCK, VERDICT_FAIL, "in the past");
	facts_finish(&facts);
}

static void test_old_variables_are_named_with_their_successors(void **state)
{
	struct facts facts;

	make_healthy(&facts);
	words_add(&facts.machine.old_variables, "MAX_CONCURRENT");
	words_add(&facts.machine.old_variables, "OLLAMA_BASE_URL");
	check(&facts, CHECK_OLD_VARIABLES, VERDICT_WARN,
		"MAX_CONCURRENT is now SHARED_OLLAMA_MAX_CONCURRENT, OLLAMA_BASE_URL is now "
		"SHARED_OLLAMA_UPSTREAM");
	facts_finish(&facts);
}

static void test_a_service_elsewhere_leaves_this_machine_out(void **state)
{
	static const enum check checks[] = {
		CHECK_CONFIGURATION, CHECK_DISK, CHECK_DESCRIPTORS, CHECK_OLD_VARIABLES};
	struct facts facts;

	make_healthy(&facts);
	facts.machine.is_here = false;
	for (size_t i = 0; i < ARRAY_LENGTH(checks); i++)
		check(&facts, checks[i], VERDICT_UNSURE, "another machine");
	facts_finish(&facts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_configuration_that_cannot_be_read_fails),
		cmocka_unit_test(test_ollama_host_is_compared_with_the_upstream),
		cmocka_unit_test(test_an_open_listener_without_keys_warns),
		cmocka_unit_test(test_a_log_that_is_not_written_fails_or_warns),
		cmocka_unit_test(test_a_disk_without_room),
		cmocka_unit_test(test_descriptors_that_are_few_or_used_up),
		cmocka_unit_test(test_a_clock_that_is_wrong_apart_or_moved),
		cmocka_unit_test(test_old_variables_are_named_with_their_successors),
		cmocka_unit_test(test_a_service_elsewhere_leaves_this_machine_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
