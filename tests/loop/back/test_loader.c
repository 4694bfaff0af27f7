/* Our own unloads, loads and touches, before an Ollama that does what it should, or does not. */
#include "bench.h"

#include <string.h>

#include "back/loader.h"
#include "back/probe.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "core/residency.h"

/* The probe has the first connection, each of the loader's requests one of its own. */
#define HEAD_END "\r\n\r\n"
#define OK_HEAD(length) "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\n\r\n"
#define ASKED_VERSION                                  \
	{PEER_AWAIT, "GET /api/version HTTP/1.1\r\n"}, \
	{                                              \
		PEER_AWAIT, HEAD_END                   \
	}
#define VERSION                                                      \
	{                                                            \
		PEER_SEND, OK_HEAD("21") "{\"version\":\"0.32.15\"}" \
	}
#define ASKED_PS                                  \
	{PEER_AWAIT, "GET /api/ps HTTP/1.1\r\n"}, \
	{                                         \
		PEER_AWAIT, HEAD_END              \
	}
#define LISTS_TINY                                                                   \
	ASKED_PS,                                                                    \
	{                                                                            \
		PEER_SEND, OK_HEAD("35") "{\"models\":[{\"name\":\"tiny:latest\"}]}" \
	}
#define LISTS_NONE                                         \
	ASKED_PS,                                          \
	{                                                  \
		PEER_SEND, OK_HEAD("13") "{\"models\":[]}" \
	}
#define CLOSING(status) "HTTP/1.1 " status "\r\nConnection: close\r\n\r\n"
#define GENERATE                                         \
	{PEER_AWAIT, "POST /api/generate HTTP/1.1\r\n"}, \
	{                                                \
		PEER_AWAIT, HEAD_END                     \
	}
#define DONE                                                            \
	{PEER_SEND, CLOSING("200 OK") "{\"done\":true}"}, {PEER_CLOSE}, \
	{                                                               \
		PEER_END                                                \
	}
#define LOAD_BODY "{\"model\":\"Tiny\",\"stream\":false,\"options\":{}}"
#define UNLOAD_BODY "{\"model\":\"Tiny\",\"stream\":false,\"options\":{},\"keep_alive\":0}"

static const struct peer_step nobody_loaded[] = {ASKED_VERSION, VERSION, LISTS_NONE, {PEER_END}};
static const struct peer_step tiny_loaded[] = {ASKED_VERSION, VERSION, LISTS_TINY, {PEER_END}};
static const struct peer_step silent[] = {{PEER_END}};
static const struct peer_step load_done[] = {GENERATE, {PEER_AWAIT, LOAD_BODY}, DONE};
static const struct peer_step unload_done[] = {GENERATE, {PEER_AWAIT, UNLOAD_BODY}, DONE};

static char spelling[] = "Tiny";
static char load_body[] = LOAD_BODY;
static char model[] = "tiny:latest";
static char half_an_hour[] = "30m";
static char key[] = "tiny:latest";

static struct bench bench;
static struct settings *settings;
static struct residency *residency;
static struct probe *probe;
static struct loader *loader;
static struct runner tiny;
static int unloads_answered, unloaded, loaded, failed, touched;
static int64_t took_us, loaded_us;
static struct loader_failure failure;
static char failure_text[256];

static void on_looked(void *arg, enum runner_kind kind, const char *same)
{
	fail();
}

static void on_unload_answered(void *arg)
{
	unloads_answered++;
}

static void on_unloaded(void *arg)
{
	unloaded++;
}

static void on_loaded(void *arg, int64_t took, int64_t at)
{
	loaded++;
	took_us = took;
	loaded_us = at;
}

static void on_load_failed(void *arg, const struct loader_failure *told)
{
	failed++;
	failure = *told;
	failure_text[0] = '\0';
	if (told->text)
		strncat(failure_text, told->text, sizeof(failure_text) - 1);
}

static void on_touched(void *arg)
{
	touched++;
}

static void on_probe_change(void *arg)
{
	if (loader)
		loader_residency_changed(loader);
}

static bool is_known(void *arg)
{
	return residency_asked_us(residency) > 0;
}

static void start(const struct peer_step *const *scripts)
{
	const struct probe_events probe_events = {on_probe_change, NULL};
	const struct loader_events events = {.on_looked = on_looked,
		.on_unload_answered = on_unload_answered,
		.on_unloaded = on_unloaded,
		.on_loaded = on_loaded,
		.on_load_failed = on_load_failed,
		.on_touched = on_touched};

	tiny = (struct runner){
		.spelling = spelling, .model = model, .key = key, .kind = RUNNER_GENERATES};
	unloads_answered = unloaded = loaded = failed = touched = 0;
	settings = settings_create();
	settings->upstream_connect_timeout_ms = 5000;
	settings->upstream_first_byte_timeout_ms = 20000;
	bench_start(&bench, scripts);
	residency = residency_create();
	probe = probe_create(bench.base, bench.pool, residency, &probe_events);
	bench_run(&bench, is_known, NULL);
	loader = loader_create(bench.base, bench.pool, probe, residency, settings, &events);
}

static void finish(void)
{
	loader_destroy(loader);
	loader = NULL;
	probe_destroy(probe);
	residency_destroy(residency);
	bench_stop(&bench);
	settings_return(settings);
}

static bool is_one(void *arg)
{
	return *(int *)arg == 1;
}

static void run_until(int *count)
{
	bench_run(&bench, is_one, count);
	bench_settle(&bench);
	assert_int_equal(*count, 1);
}

static bool was_received(void *arg)
{
	return strstr(peer_received(bench.peer), arg) != NULL;
}

static size_t times(const char *text)
{
	size_t count = 0;

	for (const char *at = peer_received(bench.peer); (at = strstr(at, text)); at++)
		count++;
	return count;
}

/* Loads. */

static void test_a_load_is_over_when_ps_tells_who_is_left(void **state)
{
	static const struct peer_step ps[] = {ASKED_VERSION, VERSION, LISTS_NONE, ASKED_PS,
		{PEER_AWAIT_GO},
		{PEER_SEND, OK_HEAD("35") "{\"models\":[{\"name\":\"tiny:latest\"}]}"}, {PEER_END}};
	static const struct peer_step *const scripts[] = {ps, load_done, NULL};
	int64_t before_us;

	start(scripts);
	before_us = ticker_now_us();
	loader_load(loader, &tiny, NULL);
	assert_false(loader_may_touch(loader));
	while (times("GET /api/ps") < 2)
		bench_settle(&bench);
	assert_int_equal(loaded, 0);
	peer_go(bench.peer);
	run_until(&loaded);
	assert_true(took_us >= 0);
	assert_in_range(loaded_us, before_us, ticker_now_us());
	assert_int_equal(residency_count(residency), 1);
	assert_true(loader_may_touch(loader));
	finish();
}

static void test_a_load_does_not_wait_for_ever_for_ps(void **state)
{
	static const struct peer_step *const scripts[] = {nobody_loaded, load_done, NULL};
	int64_t before_us;

	start(scripts);
	before_us = ticker_now_us();
	loader_load(loader, &tiny, NULL);
	run_until(&loaded);
	assert_true(ticker_now_us() - before_us >= LOADER_SEEN_US);
	finish();
}

static void test_a_load_carries_options_and_keep_alive(void **state)
{
	static const struct peer_step ps[] = {
		ASKED_VERSION, VERSION, LISTS_NONE, LISTS_TINY, {PEER_END}};
	static const struct peer_step asked[] = {GENERATE,
		{PEER_AWAIT, "{\"model\":\"Tiny\",\"stream\":false,\"options\":{\"num_ctx\":8192,"
			     "\"use_mmap\":false},\"keep_alive\":\"30m\"}"},
		DONE};
	static const struct peer_step *const scripts[] = {ps, asked, NULL};

	start(scripts);
	tiny.has_option[PEEK_NUM_CTX] = tiny.has_option[PEEK_USE_MMAP] = true;
	tiny.option[PEEK_NUM_CTX] = 8192;
	loader_load(loader, &tiny, "30m");
	run_until(&loaded);
	finish();
}

static void test_an_embedding_model_is_loaded_as_one(void **state)
{
	static const struct peer_step ps[] = {
		ASKED_VERSION, VERSION, LISTS_NONE, LISTS_TINY, {PEER_END}};
	static const struct peer_step asked[] = {{PEER_AWAIT, "POST /api/embed HTTP/1.1\r\n"},
		{PEER_AWAIT, "{\"model\":\"Tiny\",\"input\":[],\"options\":{},\"keep_alive\":-1}"},
		DONE};
	static const struct peer_step *const scripts[] = {ps, asked, NULL};

	start(scripts);
	tiny.kind = RUNNER_EMBEDS;
	loader_load(loader, &tiny, "-1");
	run_until(&loaded);
	finish();
}

static void fail_with(const struct peer_step *script)
{
	static const struct peer_step *scripts[] = {nobody_loaded, NULL, NULL};

	scripts[1] = script;
	start(scripts);
	loader_load(loader, &tiny, NULL);
	run_until(&failed);
	assert_int_equal(loaded, 0);
	assert_true(loader_may_touch(loader));
}

static void test_ollamas_own_error_is_handed_on(void **state)
{
	static const struct peer_step error[] = {GENERATE,
		{PEER_SEND, CLOSING("500 Internal Server Error") "{\"error\":\"out of memory\"}"},
		{PEER_CLOSE}, {PEER_END}};
	static const struct peer_step wordless[] = {
		GENERATE, {PEER_SEND, CLOSING("404 Not Found") "gone"}, {PEER_CLOSE}, {PEER_END}};

	fail_with(error);
	assert_int_equal(failure.status, 500);
	assert_int_equal(failure.outcome, OUTCOME_UPSTREAM_STATUS);
	assert_string_equal(failure_text, "out of memory");
	assert_false(failure.is_broken);
	finish();
	fail_with(wordless);
	assert_int_equal(failure.status, 404);
	assert_true(strlen(failure_text) > 0);
	finish();
}

static void test_a_load_that_breaks_off_may_be_tried_again(void **state)
{
	static const struct peer_step reset[] = {GENERATE, {PEER_RESET}, {PEER_END}};
	static const struct peer_step cut[] = {GENERATE,
		{PEER_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"do"}, {PEER_CLOSE},
		{PEER_END}};

	fail_with(reset);
	assert_true(failure.is_broken);
	assert_int_equal(failure.status, 0);
	assert_int_equal(failure.outcome, OUTCOME_UPSTREAM_RESET);
	assert_int_equal(probe_state(probe), PROBE_SUSPECT);
	finish();
	fail_with(cut);
	assert_true(failure.is_broken);
	finish();
}

static void test_a_refused_load_may_be_tried_again(void **state)
{
	static const struct peer_step *const scripts[] = {nobody_loaded, NULL};

	start(scripts);
	peer_destroy(bench.peer);
	bench.peer = NULL;
	loader_load(loader, &tiny, NULL);
	run_until(&failed);
	assert_true(failure.is_broken);
	assert_int_equal(failure.outcome, OUTCOME_UPSTREAM_REFUSED);
	finish();
}

static void test_a_silent_load_ends(void **state)
{
	static const struct peer_step *const scripts[] = {nobody_loaded, silent, NULL};

	start(scripts);
	settings->upstream_first_byte_timeout_ms = 100;
	loader_load(loader, &tiny, NULL);
	run_until(&failed);
	assert_false(failure.is_broken);
	assert_int_equal(failure.outcome, OUTCOME_UPSTREAM_TIMEOUT);
	finish();
}

static void test_a_load_may_take_long_if_it_is_not_bounded(void **state)
{
	static const struct peer_step slow[] = {
		GENERATE, {PEER_AWAIT, LOAD_BODY}, {PEER_AWAIT_GO}, DONE};
	static const struct peer_step ps[] = {
		ASKED_VERSION, VERSION, LISTS_NONE, LISTS_TINY, {PEER_END}};
	static const struct peer_step *const scripts[] = {ps, slow, NULL};

	start(scripts);
	settings->upstream_first_byte_timeout_ms = 0;
	loader_load(loader, &tiny, NULL);
	bench_run(&bench, was_received, load_body);
	bench_settle(&bench);
	assert_int_equal(failed + loaded, 0);
	peer_go(bench.peer);
	run_until(&loaded);
	finish();
}

/* Unloads. */

static void test_an_unload_waits_until_ps_no_longer_lists_it(void **state)
{
	static const struct peer_step ps[] = {ASKED_VERSION, VERSION, LISTS_TINY, LISTS_TINY,
		LISTS_TINY, ASKED_PS, {PEER_AWAIT_GO}, {PEER_SEND, OK_HEAD("13") "{\"models\":[]}"},
		{PEER_END}};
	static const struct peer_step *const scripts[] = {ps, unload_done, NULL};

	start(scripts);
	loader_unload(loader, &tiny, model);
	while (times("GET /api/ps") < 4)
		bench_settle(&bench);
	assert_int_equal(unloads_answered, 1);
	assert_int_equal(unloaded, 0);
	peer_go(bench.peer);
	run_until(&unloaded);
	assert_int_equal(times("POST /api/generate"), 1);
	finish();
}

/* It was answered but lost: FACTS-ollama 7. */
static void test_an_unload_that_was_lost_is_repeated(void **state)
{
	/* No answer of /api/ps while the probe waits for the third one. */
	static const struct peer_step ps[] = {ASKED_VERSION, VERSION, LISTS_TINY, LISTS_TINY,
		ASKED_PS, {PEER_AWAIT_GO}, {PEER_SEND, OK_HEAD("13") "{\"models\":[]}"}, LISTS_NONE,
		{PEER_END}};
	static const struct peer_step *const scripts[] = {ps, unload_done, unload_done, NULL};
	int64_t before_us;

	start(scripts);
	before_us = ticker_now_us();
	loader_unload(loader, &tiny, model);
	while (times("POST /api/generate") < 2)
		bench_settle(&bench);
	assert_true(ticker_now_us() - before_us >= LOADER_AGAIN_US);
	peer_go(bench.peer);
	run_until(&unloaded);
	finish();
}

static void test_with_ollama_gone_its_runners_are(void **state)
{
	static const struct peer_step reset[] = {GENERATE, {PEER_RESET}, {PEER_END}};
	static const struct peer_step *const scripts[] = {tiny_loaded, reset, NULL};
	static const struct peer_step *const fine[] = {tiny_loaded, unload_done, NULL};

	start(scripts);
	loader_unload(loader, &tiny, model);
	run_until(&unloaded);
	assert_int_equal(unloads_answered, 0);
	finish();

	/* It goes while /api/ps is waited for. */
	start(fine);
	loader_unload(loader, &tiny, model);
	run_until(&unloads_answered);
	assert_int_equal(unloaded, 0);
	probe_note_broken(probe);
	run_until(&unloaded);
	finish();
}

static void test_a_silent_unload_goes_on_to_ps(void **state)
{
	static const struct peer_step ps[] = {
		ASKED_VERSION, VERSION, LISTS_TINY, ASKED_VERSION, VERSION, LISTS_NONE, {PEER_END}};
	static const struct peer_step *const scripts[] = {ps, silent, NULL};

	start(scripts);
	loader_unload(loader, &tiny, model);
	run_until(&unloaded);
	assert_int_equal(unloads_answered, 0);
	finish();
}

/* Touches. */

static void test_a_touch_says_how_long(void **state)
{
	static const struct peer_step asked[] = {GENERATE,
		{PEER_AWAIT,
			"{\"model\":\"Tiny\",\"stream\":false,\"options\":{},\"keep_alive\":90}"},
		DONE};
	static const struct peer_step *const scripts[] = {tiny_loaded, asked, NULL};

	start(scripts);
	loader_touch(loader, &tiny, "90");
	assert_false(loader_may_touch(loader));
	run_until(&touched);
	assert_true(loader_may_touch(loader));
	finish();
}

static void test_a_touch_that_fails_is_over_too(void **state)
{
	static const struct peer_step refused[] = {GENERATE,
		{PEER_SEND, CLOSING("400 Bad Request") "{\"error\":\"x\"}"}, {PEER_CLOSE},
		{PEER_END}};
	static const struct peer_step reset[] = {GENERATE, {PEER_RESET}, {PEER_END}};
	static const struct peer_step *const scripts[] = {tiny_loaded, refused, reset, NULL};

	start(scripts);
	loader_touch(loader, &tiny, "90");
	run_until(&touched);
	touched = 0;
	loader_touch(loader, &tiny, "90");
	run_until(&touched);
	finish();
}

/* A touch that came after the unload would load it again. */
static void test_an_unload_waits_for_a_touch(void **state)
{
	static const struct peer_step touch[] = {
		GENERATE, {PEER_AWAIT, "\"keep_alive\":\"30m\""}, {PEER_AWAIT_GO}, DONE};
	static const struct peer_step ps[] = {
		ASKED_VERSION, VERSION, LISTS_TINY, LISTS_NONE, {PEER_END}};
	static const struct peer_step *const scripts[] = {ps, touch, unload_done, NULL};

	start(scripts);
	loader_touch(loader, &tiny, "30m");
	loader_unload(loader, &tiny, model);
	bench_run(&bench, was_received, half_an_hour);
	bench_settle(&bench);
	assert_int_equal(times("POST /api/generate"), 1);
	peer_go(bench.peer);
	run_until(&unloaded);
	assert_int_equal(touched, 1);
	assert_int_equal(times("POST /api/generate"), 2);
	finish();
}

/* Issue 17408: the load hangs until the other one is unloaded again. */
static void test_a_stuck_load_is_freed(void **state)
{
	static const struct peer_step stuck[] = {
		GENERATE, {PEER_AWAIT, LOAD_BODY}, {PEER_AWAIT_GO}, DONE};
	static const struct peer_step freed[] = {GENERATE, {PEER_AWAIT, "{\"model\":\"Other\""},
		{PEER_AWAIT, "\"keep_alive\":0}"}, DONE};
	static const struct peer_step ps[] = {
		ASKED_VERSION, VERSION, LISTS_TINY, LISTS_TINY, {PEER_END}};
	static const struct peer_step *const scripts[] = {ps, stuck, freed, NULL};
	static char other_name[] = "Other";
	static char other_model[] = "other:latest";
	const struct runner other = {.spelling = other_name,
		.model = other_model,
		.key = other_model,
		.kind = RUNNER_GENERATES};

	start(scripts);
	loader_load(loader, &tiny, NULL);
	bench_run(&bench, was_received, load_body);
	loader_free(loader, &other);
	loader_free(loader, &other); /* one at a time */
	run_until(&touched);
	assert_int_equal(times("POST /api/generate"), 2);
	assert_int_equal(loaded, 0);
	peer_go(bench.peer);
	run_until(&loaded);
	finish();
}

static void test_it_can_be_destroyed_while_something_is_under_way(void **state)
{
	static const struct peer_step *const scripts[] = {tiny_loaded, silent, NULL};
	static const struct peer_step *const gone[] = {tiny_loaded, unload_done, NULL};

	start(scripts);
	loader_touch(loader, &tiny, "30m");
	loader_unload(loader, &tiny, model);
	loader_look(loader, &tiny);
	finish();
	start(scripts);
	loader_load(loader, &tiny, NULL);
	bench_settle(&bench);
	loader_free(loader, &tiny);
	finish();
	start(gone);
	loader_unload(loader, &tiny, model);
	run_until(&unloads_answered);
	finish();
	loader_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_load_is_over_when_ps_tells_who_is_left),
		cmocka_unit_test(test_a_load_does_not_wait_for_ever_for_ps),
		cmocka_unit_test(test_a_load_carries_options_and_keep_alive),
		cmocka_unit_test(test_an_embedding_model_is_loaded_as_one),
		cmocka_unit_test(test_ollamas_own_error_is_handed_on),
		cmocka_unit_test(test_a_load_that_breaks_off_may_be_tried_again),
		cmocka_unit_test(test_a_refused_load_may_be_tried_again),
		cmocka_unit_test(test_a_silent_load_ends),
		cmocka_unit_test(test_a_load_may_take_long_if_it_is_not_bounded),
		cmocka_unit_test(test_an_unload_waits_until_ps_no_longer_lists_it),
		cmocka_unit_test(test_an_unload_that_was_lost_is_repeated),
		cmocka_unit_test(test_with_ollama_gone_its_runners_are),
		cmocka_unit_test(test_a_silent_unload_goes_on_to_ps),
		cmocka_unit_test(test_a_touch_says_how_long),
		cmocka_unit_test(test_a_touch_that_fails_is_over_too),
		cmocka_unit_test(test_an_unload_waits_for_a_touch),
		cmocka_unit_test(test_a_stuck_load_is_freed),
		cmocka_unit_test(test_it_can_be_destroyed_while_something_is_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
