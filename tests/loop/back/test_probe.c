/* What the probe believes of an Ollama that comes, goes, breaks off, hangs and is replaced. */
#include "bench.h"

#include <string.h>

#include "back/pool.h"
#include "back/probe.h"
#include "base/ticker.h"
#include "core/residency.h"

#define HEAD_END "\r\n\r\n"
#define ASKED_VERSION                                  \
	{PEER_AWAIT, "GET /api/version HTTP/1.1\r\n"}, \
	{                                              \
		PEER_AWAIT, HEAD_END                   \
	}
#define ASKED_PS                                  \
	{PEER_AWAIT, "GET /api/ps HTTP/1.1\r\n"}, \
	{                                         \
		PEER_AWAIT, HEAD_END              \
	}
#define OK_HEAD(length) "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\n\r\n"
#define VERSION                                                      \
	{                                                            \
		PEER_SEND, OK_HEAD("21") "{\"version\":\"0.32.15\"}" \
	}
#define NEWER_VERSION                                                \
	{                                                            \
		PEER_SEND, OK_HEAD("21") "{\"version\":\"0.32.16\"}" \
	}
#define PS                                                                                        \
	{                                                                                         \
		PEER_SEND, OK_HEAD("91") "{\"models\":[{\"name\":\"tiny:latest\",\"size\":12345," \
					 "\"expires_at\":\"2100-01-01T00:00:00.5+01:00\"}]}"      \
	}

/* Of PS: 2099-12-31T23:00:00.5Z; and what the clocks may go on, or be set, in a test. */
static const int64_t EXPIRES_US = 4102441200500000;
static const int64_t CLOCKS_US = INT64_C(3600) * 1000 * 1000;

static const struct peer_step serve[] = {ASKED_VERSION, VERSION, ASKED_PS, PS, {PEER_AGAIN}};
static const struct peer_step *const servers[] = {serve, NULL};

static struct bench bench;
static struct residency *residency;
static struct probe *probe;
static int changes;
static char states[32]; /* the first letter of each state that was told */

static void on_change(void *arg)
{
	enum probe_state state = probe_state(probe);
	size_t length = strlen(states);
	char letter = probe_state_name(state)[1]; /* u-n, u-p, s-u, d-o */

	changes++;
	if ((length == 0 || states[length - 1] != letter) && length + 1 < sizeof(states))
		states[length] = letter;
}

static void start(const struct peer_step *const *scripts)
{
	const struct probe_events events = {on_change, NULL};

	bench_start(&bench, scripts);
	changes = 0;
	memset(states, 0, sizeof(states));
	residency = residency_create();
	probe = probe_create(bench.base, bench.pool, residency, &events);
	assert_int_equal(probe_state(probe), PROBE_UNKNOWN);
	assert_true(probe_is_usable(probe));
	assert_null(probe_version(probe));
	assert_int_equal(changes, 0);
}

static void finish(void)
{
	probe_destroy(probe);
	residency_destroy(residency);
	bench_stop(&bench);
}

static bool is_up(void *arg)
{
	return probe_state(probe) == PROBE_UP;
}

static bool is_down(void *arg)
{
	return probe_state(probe) == PROBE_DOWN;
}

static bool is_suspect(void *arg)
{
	return probe_state(probe) == PROBE_SUSPECT;
}

static bool knows_models(void *arg)
{
	return residency_count(residency) > 0;
}

static bool asks_ps_again(void *arg)
{
	const char *first = strstr(peer_received(bench.peer), "/api/ps");

	return first && strstr(first + 1, "/api/ps");
}

static void test_it_comes_up_and_tells_what_is_loaded(void **state)
{
	int64_t left_us;

	start(servers);
	bench_run(&bench, is_up, NULL);
	assert_string_equal(probe_version(probe), "0.32.15");
	assert_int_equal(changes, 1);
	bench_run(&bench, knows_models, NULL);
	bench_settle(&bench);
	assert_int_equal(changes, 2);
	assert_int_equal(residency_has(residency, "tiny", ticker_now_us()), KNOWN_TRUE);
	assert_int_equal(residency_at(residency, 0)->size, 12345);
	assert_int_equal(residency_at(residency, 0)->size_vram, -1);
	left_us = residency_at(residency, 0)->expires_us - ticker_now_us();
	assert_true(left_us > EXPIRES_US - ticker_wall_us() - CLOCKS_US);
	assert_true(left_us < EXPIRES_US - ticker_wall_us() + CLOCKS_US);
	assert_int_equal(peer_accepted(bench.peer), 1);
	finish();
}

static void test_it_sees_ollama_start(void **state)
{
	uint16_t port;

	start(servers);
	port = peer_port(bench.peer);
	peer_destroy(bench.peer);
	bench.peer = NULL;
	bench_run(&bench, is_down, NULL);
	assert_false(probe_is_usable(probe));
	bench.peer = peer_create(bench.base, "127.0.0.1", port, servers);
	bench_run(&bench, is_up, NULL);
	bench_run(&bench, knows_models, NULL);
	assert_string_equal(states, "op");
	finish();
}

static void test_refused_is_down_and_forgets_what_was_loaded(void **state)
{
	uint16_t port;

	start(servers);
	bench_run(&bench, knows_models, NULL);
	port = peer_port(bench.peer);
	peer_destroy(bench.peer);
	bench.peer = NULL;
	probe_note_refused(probe);
	assert_int_equal(probe_state(probe), PROBE_DOWN);
	assert_int_equal(residency_count(residency), 0);
	assert_int_equal(residency_has(residency, "tiny", ticker_now_us()), KNOWN_NOT);
	changes = 0;
	probe_note_refused(probe);
	probe_note_broken(probe);
	assert_int_equal(probe_state(probe), PROBE_DOWN);
	bench_settle(&bench);
	assert_int_equal(changes, 0);
	bench.peer = peer_create(bench.base, "127.0.0.1", port, servers);
	bench_run(&bench, is_up, NULL);
	finish();
}

static void test_broken_is_suspect_until_a_fresh_probe_is_answered(void **state)
{
	start(servers);
	bench_run(&bench, knows_models, NULL);
	bench_settle(&bench);
	assert_int_equal(pool_idle_connections(bench.pool), 1);
	probe_note_broken(probe);
	assert_int_equal(probe_state(probe), PROBE_SUSPECT);
	assert_false(probe_is_usable(probe));
	assert_int_equal(residency_count(residency), 0);
	/* The head of an answer on an old connection does not prove that it lives. */
	probe_note_answered(probe);
	assert_int_equal(probe_state(probe), PROBE_SUSPECT);
	bench_run(&bench, is_up, NULL);
	assert_int_equal(peer_accepted(bench.peer), 2);
	bench_run(&bench, knows_models, NULL);
	assert_string_equal(states, "pup");
	finish();
}

static bool was_asked(void *arg)
{
	return peer_received_bytes(bench.peer) > 0;
}

static void test_an_answer_to_a_question_of_before_does_not_count(void **state)
{
	static const struct peer_step slow[] = {
		ASKED_VERSION, {PEER_AWAIT_GO}, VERSION, ASKED_PS, PS, {PEER_AGAIN}};
	static const struct peer_step *const scripts[] = {slow, serve, NULL};

	start(scripts);
	bench_run(&bench, was_asked, NULL);
	probe_note_broken(probe);
	peer_go(bench.peer);
	assert_int_equal(probe_state(probe), PROBE_SUSPECT);
	bench_run(&bench, is_up, NULL);
	assert_int_equal(peer_accepted(bench.peer), 2);
	finish();
}

/* `first` is what the first connection gets, then all is well. */
static void check_trouble(const struct peer_step *first, bool (*is_seen)(void *arg))
{
	const struct peer_step *const scripts[] = {first, serve, NULL};

	start(scripts);
	bench_run(&bench, is_seen, NULL);
	assert_false(probe_is_usable(probe));
	bench_run(&bench, is_up, NULL);
	assert_string_equal(probe_version(probe), "0.32.15");
	bench_run(&bench, knows_models, NULL);
	finish();
}

static void test_an_answer_that_is_none_is_suspect(void **state)
{
	static const struct peer_step closed[] = {ASKED_VERSION, {PEER_CLOSE}, {PEER_END}};
	static const struct peer_step cut[] = {
		ASKED_VERSION, {PEER_SEND, OK_HEAD("21") "{\"ver"}, {PEER_CLOSE}, {PEER_END}};
	static const struct peer_step malformed[] = {
		ASKED_VERSION, {PEER_SEND, "SSH-2.0\r\n\r\n"}, {PEER_END}};
	static const struct peer_step endless[] = {ASKED_VERSION,
		{PEER_SEND, "HTTP/1.1 200 OK\r\n\r\n"}, {PEER_SEND_FILL, NULL, 3 * 1024 * 1024},
		{PEER_END}};

	check_trouble(closed, is_suspect);
	check_trouble(cut, is_suspect);
	check_trouble(malformed, is_suspect);
	check_trouble(endless, is_suspect);
}

static void test_silence_is_suspect(void **state)
{
	static const struct peer_step silent[] = {ASKED_VERSION, {PEER_END}};

	check_trouble(silent, is_suspect);
}

static void test_a_gateways_errors_mean_down(void **state)
{
	static const struct peer_step bad[] = {ASKED_VERSION,
		{PEER_SEND, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"}, ASKED_VERSION,
		{PEER_SEND, "HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n"}, {PEER_END}};
	static const struct peer_step slow[] = {ASKED_VERSION,
		{PEER_SEND, "HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n"},
		{PEER_END}};

	check_trouble(bad, is_down);
	check_trouble(slow, is_down);
}

static void test_something_else_that_answers_is_up_without_a_version(void **state)
{
	static const struct peer_step other[] = {ASKED_VERSION,
		{PEER_SEND, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"}, ASKED_PS,
		{PEER_SEND, OK_HEAD("2") "{}"}, {PEER_END}};
	static const struct peer_step *const scripts[] = {other, NULL};

	start(scripts);
	bench_run(&bench, is_up, NULL);
	bench_settle(&bench);
	assert_null(probe_version(probe));
	assert_int_equal(changes, 2);
	assert_true(residency_is_mute(residency));
	assert_int_equal(residency_has(residency, "tiny", ticker_now_us()), KNOWN_NOT);
	finish();
}

static void test_a_stale_connection_is_not_a_broken_ollama(void **state)
{
	static const struct peer_step stale[] = {
		ASKED_VERSION, VERSION, ASKED_PS, PS, ASKED_PS, {PEER_CLOSE}, {PEER_END}};
	static const struct peer_step next[] = {ASKED_PS, PS, {PEER_END}};
	static const struct peer_step *const scripts[] = {stale, next, NULL};

	start(scripts);
	bench_run(&bench, knows_models, NULL);
	bench_settle(&bench);
	assert_int_equal(changes, 2);
	probe_refresh(probe);
	bench_settle(&bench);
	bench_settle(&bench);
	assert_string_equal(states, "p");
	assert_int_equal(changes, 3);
	assert_int_equal(peer_accepted(bench.peer), 2);
	finish();
}

/* It was restarted between two questions, and nobody was refused. */
static void test_a_lost_idle_connection_and_a_missing_model_mean_a_restart(void **state)
{
	static const struct peer_step first[] = {
		ASKED_VERSION, VERSION, ASKED_PS, PS, {PEER_AWAIT_GO}, {PEER_CLOSE}, {PEER_END}};
	static const struct peer_step empty[] = {
		ASKED_PS, {PEER_SEND, OK_HEAD("13") "{\"models\":[]}"}, {PEER_END}};
	static const struct peer_step *const scripts[] = {first, empty, NULL};

	start(scripts);
	bench_run(&bench, knows_models, NULL);
	bench_settle(&bench);
	assert_int_equal(pool_lost_connections(bench.pool), 0);
	peer_go(bench.peer);
	bench_settle(&bench);
	assert_int_equal(pool_lost_connections(bench.pool), 1);
	assert_int_equal(residency_epoch(residency), 0);
	probe_refresh(probe);
	while (residency_count(residency) > 0)
		bench_settle(&bench);
	assert_int_equal(residency_epoch(residency), 1);
	assert_string_equal(states, "p");
	finish();
}

static void test_it_asks_in_a_moment_what_an_unload_changed(void **state)
{
	static const struct peer_step changing[] = {ASKED_VERSION, VERSION, ASKED_PS, PS, ASKED_PS,
		PS, ASKED_PS, {PEER_SEND, OK_HEAD("13") "{\"models\":[]}"}, {PEER_END}};
	static const struct peer_step *const scripts[] = {changing, NULL};
	int64_t began_us;

	start(scripts);
	bench_run(&bench, knows_models, NULL);
	bench_settle(&bench);
	began_us = ticker_now_us();
	probe_refresh(probe);
	bench_run(&bench, asks_ps_again, NULL);
	probe_refresh_soon(probe); /* while one is under way */
	while (residency_count(residency) > 0)
		bench_settle(&bench);
	assert_in_range(ticker_now_us() - began_us, PROBE_SETTLE_US, PROBE_CALM_US / 2);
	finish();
}

static void test_another_version_forgets_what_was_loaded(void **state)
{
	static const struct peer_step updated[] = {ASKED_VERSION, VERSION, ASKED_PS, PS,
		ASKED_VERSION, NEWER_VERSION, ASKED_PS, {PEER_END}};
	static const struct peer_step *const scripts[] = {updated, NULL};

	start(scripts);
	bench_run(&bench, knows_models, NULL);
	probe_set_busy(probe, true);
	while (strcmp(probe_version(probe), "0.32.15") == 0)
		bench_settle(&bench);
	assert_string_equal(probe_version(probe), "0.32.16");
	assert_int_equal(residency_count(residency), 0);
	assert_string_equal(states, "p");
	finish();
}

static bool was_asked_again(void *arg)
{
	const char *first = strstr(peer_received(bench.peer), "/api/version");

	return first && strstr(first + 1, "/api/version");
}

static void test_it_asks_more_often_while_jobs_run(void **state)
{
	int64_t began_us;

	start(servers);
	bench_run(&bench, knows_models, NULL);
	bench_settle(&bench);
	probe_set_busy(probe, true);
	began_us = ticker_now_us();
	bench_run(&bench, was_asked_again, NULL);
	assert_in_range(ticker_now_us() - began_us, PROBE_BUSY_US / 2, PROBE_CALM_US / 2);
	finish();
}

static void test_an_answered_request_is_proof_enough_at_the_start(void **state)
{
	static const struct peer_step silent[] = {ASKED_VERSION, {PEER_END}};
	static const struct peer_step *const scripts[] = {silent, NULL};

	start(scripts);
	bench_run(&bench, was_asked, NULL);
	probe_note_answered(probe);
	assert_int_equal(probe_state(probe), PROBE_UP);
	assert_int_equal(changes, 1);
	finish();
}

static void test_it_can_be_destroyed_while_it_asks(void **state)
{
	static const struct peer_step silent[] = {ASKED_VERSION, {PEER_END}};
	static const struct peer_step *const scripts[] = {silent, NULL};

	start(scripts);
	finish();
	start(scripts);
	bench_run(&bench, was_asked, NULL);
	finish();
	probe_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_comes_up_and_tells_what_is_loaded),
		cmocka_unit_test(test_it_sees_ollama_start),
		cmocka_unit_test(test_refused_is_down_and_forgets_what_was_loaded),
		cmocka_unit_test(test_broken_is_suspect_until_a_fresh_probe_is_answered),
		cmocka_unit_test(test_an_answer_to_a_question_of_before_does_not_count),
		cmocka_unit_test(test_an_answer_that_is_none_is_suspect),
		cmocka_unit_test(test_silence_is_suspect),
		cmocka_unit_test(test_a_gateways_errors_mean_down),
		cmocka_unit_test(test_something_else_that_answers_is_up_without_a_version),
		cmocka_unit_test(test_a_stale_connection_is_not_a_broken_ollama),
		cmocka_unit_test(test_a_lost_idle_connection_and_a_missing_model_mean_a_restart),
		cmocka_unit_test(test_it_asks_in_a_moment_what_an_unload_changed),
		cmocka_unit_test(test_another_version_forgets_what_was_loaded),
		cmocka_unit_test(test_it_asks_more_often_while_jobs_run),
		cmocka_unit_test(test_an_answered_request_is_proof_enough_at_the_start),
		cmocka_unit_test(test_it_can_be_destroyed_while_it_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
