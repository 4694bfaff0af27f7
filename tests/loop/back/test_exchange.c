/* What an exchange sends, what comes back, and every way in which it can end. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>

#include "back/pool.h"

#define HEAD_END "\r\n\r\n"

static struct bench bench;
static struct user user;

/* One request, one answer, then the script's own end. */
static void ask(const struct peer_step *script, const char *method)
{
	const struct peer_step *const scripts[] = {script, NULL};

	bench_start(&bench, scripts);
	user_init(&user, &bench);
	user_ask(&user, method, "/api/tags");
	user_run(&user);
}

static void finish(void)
{
	user_finish(&user);
	bench_stop(&bench);
}

/* The answer is `answer`, after which the peer closes or not. */
static void ask_and_hear(const char *method, const char *answer, bool closes)
{
	const struct peer_step script[] = {{PEER_AWAIT, HEAD_END}, {PEER_SEND, answer},
		{closes ? PEER_CLOSE : PEER_END}, {PEER_END}};

	ask(script, method);
}

static void test_request_is_sent_as_given(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, "{}"},
		{PEER_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, {PEER_END}};
	static const struct peer_step *const scripts[] = {script, NULL};
	static const char *const fields[] = {"X-b: 1", "x-A: two  words", "X-b: 2",
		"Empty:", "Host: not.this", "content-length: 99", "Expect: 100-continue",
		"Connection: close", "Transfer-Encoding: chunked", NULL};
	char *expected;

	bench_start(&bench, scripts);
	user_init(&user, &bench);
	user.send = "{}";
	user_ask_with(&user, "POST", "/api/%64elete//x?a=%2f&&", fields);
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	expected = test_malloc(1000);
	snprintf(expected, 1000,
		"POST /api/%%64elete//x?a=%%2f&& HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nX-b: 1\r\n"
		"x-A: two  words\r\nX-b: 2\r\nEmpty: \r\nContent-Length: 2\r\n\r\n{}",
		(unsigned)peer_port(bench.peer));
	assert_string_equal(peer_received(bench.peer), expected);
	test_free(expected);
	finish();
}

static void test_bodies_are_carried_by_every_method(void **state)
{
	static const char *const methods[] = {
		"GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"};

	for (size_t i = 0; i < ARRAY_LENGTH(methods); i++) {
		static const struct peer_step script[] = {{PEER_AWAIT, "{\"model\":\"x\"}"},
			{PEER_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"}, {PEER_END}};
		static const struct peer_step *const scripts[] = {script, NULL};
		const char *length;

		bench_start(&bench, scripts);
		user_init(&user, &bench);
		user.send = "{\"model\":\"x\"}";
		user_ask(&user, methods[i], "/x");
		user_run(&user);
		assert_int_equal(user.end, EXCHANGE_COMPLETE);
		length = strstr(peer_received(bench.peer), "Content-Length: 13\r\n");
		assert_non_null(length);
		assert_null(strstr(length + 1, "Content-Length"));
		finish();
	}
}

static void test_length_of_no_body_is_sent_where_it_is_expected(void **state)
{
	static const struct {
		const char *method;
		bool has_length;
	} cases[] = {{"GET", false}, {"HEAD", false}, {"DELETE", false}, {"POST", true},
		{"PUT", true}, {"PATCH", true}};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		ask_and_hear(cases[i].method, "HTTP/1.1 204 No Content\r\n\r\n", false);
		assert_int_equal(user.end, EXCHANGE_COMPLETE);
		assert_int_equal(strstr(peer_received(bench.peer), "Content-Length: 0\r\n") != NULL,
			cases[i].has_length);
		finish();
	}
}

static void test_only_methods_with_a_name_can_be_sent(void **state)
{
	assert_true(exchange_can_send("GET"));
	assert_true(exchange_can_send("PATCH"));
	assert_false(exchange_can_send("get"));
	assert_false(exchange_can_send("CONNECT"));
	assert_false(exchange_can_send("M-SEARCH"));
	assert_false(exchange_can_send(""));
}

static void test_head_and_body_of_a_length(void **state)
{
	ask_and_hear("GET",
		"HTTP/1.1 404 Not Found\r\nX-a: 1\r\nVary: b\r\nvary:  c \r\nEmpty:\r\n"
		"Content-Length: 5\r\n\r\nhello",
		false);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_int_equal(user.connected, 1);
	assert_int_equal(user.status, 404);
	assert_string_equal(user.reason, "Not Found");
	assert_string_equal(user.fields, "X-a: 1\nVary: b\nvary: c\nEmpty: \nContent-Length: 5\n");
	assert_int_equal(user.framing.kind, FRAMING_LENGTH);
	assert_int_equal(user.framing.length, 5);
	assert_string_equal(user_body(&user), "hello");
	assert_int_equal(pool_idle_connections(bench.pool), 1);
	finish();
}

static void test_each_chunk_is_told_once(void **state)
{
	ask_and_hear("GET",
		"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n"
		"2\r\nab\r\n3\r\ncde\r\n1\r\nf\r\n0\r\nTrailer: dropped\r\n\r\n",
		false);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_int_equal(user.framing.kind, FRAMING_CHUNKED);
	assert_int_equal(user.data_calls, 3);
	assert_int_equal(user.data_sizes[0], 2);
	assert_int_equal(user.data_sizes[1], 3);
	assert_int_equal(user.data_sizes[2], 1);
	assert_string_equal(user_body(&user), "abcdef");
	assert_null(strstr(user.fields, "Trailer"));
	assert_int_equal(pool_idle_connections(bench.pool), 1);
	finish();
}

static void test_bodiless_answers_end_at_the_head(void **state)
{
	static const struct {
		const char *method;
		const char *answer;
	} cases[] = {
		{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n"},
		{"HEAD", "HTTP/1.1 200 OK\r\n\r\n"},
		{"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{"GET", "HTTP/1.1 204 No Content\r\n\r\n"},
		{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"},
		{"POST", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		ask_and_hear(cases[i].method, cases[i].answer, false);
		assert_int_equal(user.end, EXCHANGE_COMPLETE);
		assert_int_equal(user.heads, 1);
		assert_int_equal(user.data_calls, 0);
		assert_int_equal(pool_idle_connections(bench.pool), 1);
		finish();
	}
}

static void test_bodies_until_close(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 200 OK\r\n\r\nall of it",
		"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it",
		"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\nall of it",
		"HTTP/1.1 200 OK\r\nConnection: x\r\nConnection: y\r\n\r\nall of it",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nall of it",
		"HTTP/1.0 200 OK\r\n\r\nall of it",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
		ask_and_hear("GET", answers[i], true);
		assert_int_equal(user.end, EXCHANGE_COMPLETE);
		assert_int_equal(user.framing.kind, FRAMING_UNTIL_CLOSE);
		assert_string_equal(user_body(&user), "all of it");
		assert_int_equal(pool_open_connections(bench.pool), 0);
		finish();
	}
}

static void test_connections_that_will_close_are_not_kept(void **state)
{
	static const struct {
		const char *answer;
		size_t kept;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", 0},
		{"HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\nContent-Length: 1\r\n\r\nx", 0},
		{"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 0},
		{"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\nx", 1},
		{"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx", 1},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		ask_and_hear("GET", cases[i].answer, false);
		assert_int_equal(user.end, EXCHANGE_COMPLETE);
		assert_int_equal(pool_idle_connections(bench.pool), cases[i].kept);
		assert_int_equal(pool_open_connections(bench.pool), cases[i].kept);
		finish();
	}
}

static void test_an_unasked_100_is_passed_over(void **state)
{
	ask_and_hear("POST",
		"HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\nHTTP/1.1 200 OK\r\n"
		"Content-Length: 2\r\n\r\nok",
		false);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_int_equal(user.heads, 1);
	assert_string_equal(user.fields, "Content-Length: 2\n");
	assert_string_equal(user_body(&user), "ok");
	finish();
}

static void test_interim_answers_are_told_and_are_not_the_answer(void **state)
{
	ask_and_hear("POST",
		"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nA: b\r\n\r\n"
		"HTTP/1.1 102 Processing\r\nX-Interim: 1\r\n\r\n"
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		false);
	assert_int_equal(user.interims, 2);
	assert_int_equal(user.interim_status, 102);
	assert_int_equal(user.interim_fields, 1);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_int_equal(user.heads, 1);
	assert_string_equal(user.fields, "Content-Length: 2\n");
	assert_string_equal(user_body(&user), "ok");
	assert_int_equal(pool_idle_connections(bench.pool), 1);
	finish();
}

static void test_only_an_interim_answer_is_none(void **state)
{
	ask_and_hear("GET", "HTTP/1.1 102 Processing\r\n\r\n", true);
	assert_int_equal(user.interims, 1);
	assert_int_equal(user.heads, 0);
	assert_int_equal(user.end, EXCHANGE_RESET);
	finish();
}

static void test_malformed_answers(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: "
		"3\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: , chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length : 1\r\n\r\na",
		"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
		"HTTP/1.1 200 OK\r\n: no name\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: \001\r\n\r\n",
		"HTTP/1.1 99 Low\r\n\r\n",
		"HTTP/1.1 600 High\r\n\r\n",
		"HTTP/0.9 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
		ask_and_hear("GET", answers[i], false);
		if (user.end != EXCHANGE_MALFORMED)
			print_message("%s ended %s\n", answers[i], exchange_end_name(user.end));
		assert_int_equal(user.end, EXCHANGE_MALFORMED);
		assert_int_equal(user.heads, 0);
		assert_int_equal(pool_open_connections(bench.pool), 0);
		finish();
	}
}

static void test_an_oversized_head_is_malformed(void **state)
{
	static const struct peer_step one_line[] = {{PEER_AWAIT, HEAD_END},
		{PEER_SEND, "HTTP/1.1 200 OK\r\nX: "}, {PEER_SEND_FILL, NULL, 70000}, {PEER_END}};
	static const struct peer_step status_line[] = {
		{PEER_AWAIT, HEAD_END}, {PEER_SEND_FILL, NULL, 70000}, {PEER_END}};

	ask(one_line, "GET");
	assert_int_equal(user.end, EXCHANGE_MALFORMED);
	finish();
	ask(status_line, "GET");
	assert_int_equal(user.end, EXCHANGE_MALFORMED);
	finish();
}

static void test_a_head_of_60_KiB_is_taken(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
		{PEER_SEND, "HTTP/1.1 200 OK\r\nX: "}, {PEER_SEND_FILL, NULL, 60000},
		{PEER_SEND, "\r\nContent-Length: 0\r\n\r\n"}, {PEER_END}};

	ask(script, "GET");
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	finish();
}

static void test_connection_ends_before_the_head(void **state)
{
	static const struct {
		const char *answer;
		enum peer_step_kind end;
	} cases[] = {{"", PEER_CLOSE}, {"", PEER_RESET}, {"HTTP/1.1 200", PEER_CLOSE},
		{"HTTP/1.1 200 OK\r\nContent-Le", PEER_CLOSE},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n", PEER_CLOSE},
		{"HTTP/1.1 100 Continue\r\n\r\n", PEER_CLOSE}};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
			{PEER_SEND, cases[i].answer}, {cases[i].end}, {PEER_END}};

		ask(script, "GET");
		assert_int_equal(user.end, EXCHANGE_RESET);
		assert_int_equal(user.had_heard, cases[i].answer[0] != '\0');
		assert_int_equal(user.connected, 1);
		assert_int_equal(user.heads, 0);
		assert_false(pool_open_connections(bench.pool));
		finish();
	}
}

static void test_answers_that_break_off(void **state)
{
	static const struct {
		const char *answer;
		enum peer_step_kind end;
		const char *body;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", PEER_CLOSE, "short"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", PEER_CLOSE, ""},
		{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", PEER_RESET, ""},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", PEER_CLOSE, ""},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", PEER_CLOSE,
			"ab"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n9\r\nxyz",
			PEER_CLOSE, "ab"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n9", PEER_CLOSE,
			"ab"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n",
			PEER_CLOSE, "ab"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nTrai",
			PEER_CLOSE, "ab"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
			{PEER_SEND, cases[i].answer}, {cases[i].end}, {PEER_END}};

		ask(script, "GET");
		assert_int_equal(user.end, EXCHANGE_TRUNCATED);
		assert_int_equal(user.heads, 1);
		assert_string_equal(user_body(&user), cases[i].body);
		assert_int_equal(pool_open_connections(bench.pool), 0);
		finish();
	}
}

static void test_a_reset_ends_what_has_no_other_end(void **state)
{
	/* 4096 bytes end where a full read does: the next look at the socket meets the reset. */
	static const struct {
		const char *head;
		uint64_t bytes;
		enum exchange_end end;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\n\r\n", 10, EXCHANGE_TRUNCATED},
		{"HTTP/1.1 200 OK\r\n\r\n", 4096, EXCHANGE_TRUNCATED},
		{"HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n", 4096, EXCHANGE_COMPLETE},
		{"HTTP/1.1 200 OK\r\nContent-Length: 4097\r\n\r\n", 4096, EXCHANGE_TRUNCATED},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
			{PEER_SEND, cases[i].head}, {PEER_AWAIT_GO},
			{PEER_SEND_FILL, NULL, cases[i].bytes}, {PEER_RESET}, {PEER_END}};
		const struct peer_step *const scripts[] = {script, NULL};

		bench_start(&bench, scripts);
		user_init(&user, &bench);
		user_ask(&user, "GET", "/");
		bench_settle(&bench);
		peer_go(bench.peer);
		user_run(&user);
		assert_int_equal(user.end, cases[i].end);
		assert_int_equal(user.body_bytes, cases[i].bytes);
		assert_int_equal(pool_open_connections(bench.pool), 0);
		finish();
	}
}

static void test_a_chunk_of_any_size_does_not_fill_memory(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
		{PEER_SEND, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			    "7fffffffffffff00\r\n"},
		{PEER_SEND_FILL, NULL, 300 * 1024 * 1024}, {PEER_END}};

	ask(script, "GET");
	assert_int_equal(user.end, EXCHANGE_TRUNCATED);
	assert_int_equal(user.data_calls, 0);
	finish();
}

static void test_bytes_behind_the_answer_are_never_read_as_the_next(void **state)
{
	static const struct peer_step first[] = {{PEER_AWAIT, HEAD_END},
		{PEER_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 200 OK\r\n"
			    "Content-Length: 4\r\n\r\nevil"},
		{PEER_END}};
	static const struct peer_step second[] = {{PEER_AWAIT, HEAD_END},
		{PEER_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"}, {PEER_END}};
	static const struct peer_step *const scripts[] = {first, second, NULL};

	bench_start(&bench, scripts);
	user_init(&user, &bench);
	user_ask(&user, "GET", "/");
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_string_equal(user_body(&user), "a");
	assert_int_equal(pool_open_connections(bench.pool), 0);
	user_finish(&user);
	user_init(&user, &bench);
	user_ask(&user, "GET", "/");
	user_run(&user);
	assert_string_equal(user_body(&user), "good");
	finish();
}

static void test_early_answer_to_a_big_body_is_read(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
		{PEER_AWAIT_BYTES, NULL, 100000},
		{PEER_SEND, "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: "
			    "3\r\n\r\nbig"},
		{PEER_STOP_READING}, {PEER_CLOSE}, {PEER_END}};
	static const struct peer_step *const scripts[] = {script, NULL};

	bench_start(&bench, scripts);
	user_init(&user, &bench);
	user.send_fill = 60 * 1024 * 1024;
	user_ask(&user, "POST", "/api/chat");
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_int_equal(user.status, 413);
	assert_string_equal(user_body(&user), "big");
	assert_int_equal(pool_open_connections(bench.pool), 0);
	finish();
}

static void test_a_peer_that_resets_a_big_body(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END}, {PEER_RESET}, {PEER_END}};
	static const struct peer_step *const scripts[] = {script, NULL};

	bench_start(&bench, scripts);
	user_init(&user, &bench);
	user.send_fill = 60 * 1024 * 1024;
	user_ask(&user, "POST", "/api/chat");
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_RESET);
	finish();
}

static void test_a_flood_during_the_upload_does_not_fill_memory(void **state)
{
	static const struct peer_step script[] = {{PEER_STOP_READING},
		{PEER_SEND, "HTTP/1.1 200 OK\r\n\r\n"}, {PEER_SEND_FILL, NULL, 256 * 1024 * 1024},
		{PEER_END}};
	static const struct peer_step *const scripts[] = {script, NULL};
	size_t before;

	bench_start(&bench, scripts);
	user_init(&user, &bench);
	user.send_fill = 20 * 1024 * 1024;
	user_ask(&user, "POST", "/api/chat");
	before = bench_rss_bytes();
	/* Time enough for far more than what is allowed. */
	for (int i = 0; i < 20; i++)
		bench_settle(&bench);
	assert_true(bench_rss_bytes() <= before + 24 * 1024 * 1024);
	user_cancel(&user);
	bench_settle(&bench);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_is_sent_as_given),
		cmocka_unit_test(test_bodies_are_carried_by_every_method),
		cmocka_unit_test(test_length_of_no_body_is_sent_where_it_is_expected),
		cmocka_unit_test(test_only_methods_with_a_name_can_be_sent),
		cmocka_unit_test(test_head_and_body_of_a_length),
		cmocka_unit_test(test_each_chunk_is_told_once),
		cmocka_unit_test(test_bodiless_answers_end_at_the_head),
		cmocka_unit_test(test_bodies_until_close),
		cmocka_unit_test(test_connections_that_will_close_are_not_kept),
		cmocka_unit_test(test_an_unasked_100_is_passed_over),
		cmocka_unit_test(test_interim_answers_are_told_and_are_not_the_answer),
		cmocka_unit_test(test_only_an_interim_answer_is_none),
		cmocka_unit_test(test_malformed_answers),
		cmocka_unit_test(test_an_oversized_head_is_malformed),
		cmocka_unit_test(test_a_head_of_60_KiB_is_taken),
		cmocka_unit_test(test_connection_ends_before_the_head),
		cmocka_unit_test(test_answers_that_break_off),
		cmocka_unit_test(test_a_reset_ends_what_has_no_other_end),
		cmocka_unit_test(test_a_chunk_of_any_size_does_not_fill_memory),
		cmocka_unit_test(test_bytes_behind_the_answer_are_never_read_as_the_next),
		cmocka_unit_test(test_early_answer_to_a_big_body_is_read),
		cmocka_unit_test(test_a_peer_that_resets_a_big_body),
		cmocka_unit_test(test_a_flood_during_the_upload_does_not_fill_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
