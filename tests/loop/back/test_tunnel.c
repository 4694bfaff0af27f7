/* A request that streams through: both directions, backpressure, early answers, every end. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>

#include "back/pool.h"

#define HEAD_END "\r\n\r\n"
#define EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

enum {
	MEBIBYTE = 1024 * 1024,
	UPLOAD_PIECE = 64 * 1024,
	UPLOAD = 256 * MEBIBYTE,
	/* Sockets hold some MiB, valgrind 20 of freed memory. */
	RSS_MOST = 40 * MEBIBYTE,
};

static struct bench bench;
static struct user user;

static void start(const struct peer_step *script)
{
	static const struct peer_step *scripts[2];

	scripts[0] = script;
	bench_start(&bench, scripts);
	user_init(&user, &bench);
}

static void finish(void)
{
	assert_int_equal(pool_open_connections(bench.pool), 0);
	user_finish(&user);
	bench_stop(&bench);
}

static void open_plain(const char *method)
{
	user_open_tunnel(&user, method, "/", NULL, (struct framing){FRAMING_NONE});
}

static bool send_text(const char *text)
{
	struct evbuffer *data = evbuffer_new();
	bool has_room;

	evbuffer_add(data, text, strlen(text));
	has_room = tunnel_send(user.tunnel, data);
	assert_int_equal(evbuffer_get_length(data), 0);
	evbuffer_free(data);
	return has_room;
}

static bool send_fill(size_t bytes)
{
	static char fill[UPLOAD_PIECE];
	struct evbuffer *data = evbuffer_new();
	bool has_room;

	assert_true(bytes <= sizeof(fill));
	evbuffer_add(data, fill, bytes);
	has_room = tunnel_send(user.tunnel, data);
	evbuffer_free(data);
	return has_room;
}

/* What came before and after the upstream's own port in Host. */
static void check_received(const char *before, const char *after)
{
	char expected[1000];

	snprintf(expected, sizeof(expected), "%s%u%s", before, (unsigned)peer_port(bench.peer),
		after);
	assert_string_equal(peer_received(bench.peer), expected);
}

static void test_request_of_a_known_length(void **state)
{
	static const struct peer_step script[] = {
		{PEER_AWAIT, "abcde"}, {PEER_SEND, EMPTY}, {PEER_END}};
	static const char *const fields[] = {"X-b: 1", "x-A: two  words", "Host: not.this",
		"Content-Length: 99", "Connection: keep-alive", "Expect: 100-continue", NULL};

	start(script);
	user_open_tunnel(&user, "POST", "/api/blobs/sha256:%2f?", fields,
		(struct framing){FRAMING_LENGTH, 5});
	assert_true(send_text("ab"));
	bench_settle(&bench);
	assert_true(send_text("cde"));
	tunnel_send_end(user.tunnel);
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_int_equal(user.connected, 1);
	check_received("POST /api/blobs/sha256:%2f? HTTP/1.1\r\nHost: 127.0.0.1:",
		"\r\nX-b: 1\r\n"
		"x-A: two  words\r\nExpect: 100-continue\r\nContent-Length: 5\r\n"
		"Connection: close\r\n\r\nabcde");
	finish();
}

static void test_request_in_chunks(void **state)
{
	static const struct peer_step script[] = {
		{PEER_AWAIT, "0\r\n\r\n"}, {PEER_SEND, EMPTY}, {PEER_END}};

	start(script);
	user_open_tunnel(&user, "PUT", "/x", NULL, (struct framing){FRAMING_CHUNKED});
	assert_true(send_text("first"));
	bench_settle(&bench);
	assert_true(send_text(""));
	assert_true(send_text("0123456789abcdefg"));
	tunnel_send_end(user.tunnel);
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	check_received("PUT /x HTTP/1.1\r\nHost: 127.0.0.1:",
		"\r\nTransfer-Encoding: chunked\r\n"
		"Connection: close\r\n\r\n5\r\nfirst\r\n11\r\n0123456789abcdefg\r\n0\r\n\r\n");
	finish();
}

static void test_methods_without_a_name_in_evhttp(void **state)
{
	static const struct peer_step script[] = {
		{PEER_AWAIT, HEAD_END}, {PEER_SEND, EMPTY}, {PEER_END}};

	start(script);
	open_plain("M-SEARCH");
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	check_received("M-SEARCH / HTTP/1.1\r\nHost: 127.0.0.1:", "\r\nConnection: close\r\n\r\n");
	finish();
}

static void test_answers_of_every_framing(void **state)
{
	static const struct {
		const char *method;
		const char *answer;
		enum framing_kind kind;
		const char *body;
	} cases[] = {
		{"LIST", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcTOO MUCH", FRAMING_LENGTH,
			"abc"},
		{"LIST", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", FRAMING_LENGTH, ""},
		{"LIST",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n"
			"T: x\r\n\r\n",
			FRAMING_CHUNKED, "abc"},
		{"LIST", "HTTP/1.1 200 OK\r\n\r\nabc", FRAMING_UNTIL_CLOSE, "abc"},
		{"LIST", "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\nabc",
			FRAMING_UNTIL_CLOSE, "abc"},
		{"LIST", "HTTP/1.0 200 OK\r\n\r\nabc", FRAMING_UNTIL_CLOSE, "abc"},
		{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", FRAMING_NONE, ""},
		{"LIST", "HTTP/1.1 204 No Content\r\n\r\n", FRAMING_NONE, ""},
		{"LIST", "HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", FRAMING_NONE,
			""},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
			{PEER_SEND, cases[i].answer}, {PEER_CLOSE}, {PEER_END}};

		start(script);
		open_plain(cases[i].method);
		user_run(&user);
		assert_int_equal(user.end, EXCHANGE_COMPLETE);
		assert_int_equal(user.framing.kind, cases[i].kind);
		assert_string_equal(user_body(&user), cases[i].body);
		finish();
	}
}

static void test_each_chunk_is_told_once(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
		{PEER_SEND,
			"HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"
			"3\r\ncde\r\n4\r\nfg"},
		{PEER_AWAIT_GO}, {PEER_SEND, "hi\r\n0\r\n\r\n"}, {PEER_END}};

	start(script);
	open_plain("LIST");
	bench_settle(&bench);
	assert_string_equal(user.fields, "X: y\nTransfer-Encoding: chunked\n");
	assert_int_equal(user.data_calls, 2);
	peer_go(bench.peer);
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_int_equal(user.data_calls, 3);
	assert_int_equal(user.data_sizes[0], 2);
	assert_int_equal(user.data_sizes[1], 3);
	assert_int_equal(user.data_sizes[2], 4);
	assert_string_equal(user_body(&user), "abcdefghi");
	finish();
}

static void test_a_chunk_of_a_mebibyte_comes_in_pieces(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
		{PEER_SEND, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n"},
		{PEER_SEND_FILL, NULL, MEBIBYTE}, {PEER_SEND, "\r\n0\r\n\r\n"}, {PEER_END}};

	start(script);
	open_plain("LIST");
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_int_equal(user.body_bytes, MEBIBYTE);
	assert_in_range(user.data_calls, 2, 8);
	finish();
}

static void test_expect_is_answered_by_ollama(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, "Expect: 100-continue\r\n"},
		{PEER_AWAIT, HEAD_END},
		{PEER_SEND, "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"},
		{PEER_AWAIT, "body"}, {PEER_SEND, EMPTY}, {PEER_END}};
	static const char *const fields[] = {"Expect: 100-continue", NULL};

	start(script);
	user_open_tunnel(&user, "POST", "/", fields, (struct framing){FRAMING_LENGTH, 4});
	bench_settle(&bench);
	assert_int_equal(user.interims, 2);
	assert_int_equal(user.interim_status, 100);
	assert_int_equal(user.heads, 0);
	assert_true(send_text("body"));
	tunnel_send_end(user.tunnel);
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_int_equal(user.status, 200);
	finish();
}

static void test_malformed_answers(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 101 Switching Protocols\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
		"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		"SSH-2.0-OpenSSH_9.2\r\n\r\n",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
		const struct peer_step script[] = {
			{PEER_AWAIT, HEAD_END}, {PEER_SEND, answers[i]}, {PEER_END}};

		start(script);
		open_plain("LIST");
		user_run(&user);
		assert_int_equal(user.end, EXCHANGE_MALFORMED);
		assert_int_equal(user.heads, 0);
		finish();
	}
}

static void test_an_oversized_head_is_malformed(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
		{PEER_SEND, "HTTP/1.1 200 OK\r\nX: "}, {PEER_SEND_FILL, NULL, 70000}, {PEER_END}};

	start(script);
	open_plain("LIST");
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_MALFORMED);
	finish();
}

static void test_answers_that_break_off(void **state)
{
	static const struct {
		const char *answer;
		enum peer_step_kind how;
		enum exchange_end end;
	} cases[] = {
		{"", PEER_CLOSE, EXCHANGE_RESET},
		{"", PEER_RESET, EXCHANGE_RESET},
		{"HTTP/1.1 200 OK\r\nCont", PEER_CLOSE, EXCHANGE_RESET},
		{"HTTP/1.1 100 Continue\r\n\r\n", PEER_CLOSE, EXCHANGE_RESET},
		{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", PEER_CLOSE, EXCHANGE_TRUNCATED},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", PEER_CLOSE,
			EXCHANGE_TRUNCATED},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
			PEER_CLOSE, EXCHANGE_TRUNCATED},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n",
			PEER_END, EXCHANGE_TRUNCATED},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
			{PEER_SEND, cases[i].answer}, {cases[i].how}, {PEER_END}};

		start(script);
		open_plain("LIST");
		user_run(&user);
		assert_int_equal(user.end, cases[i].end);
		finish();
	}
}

static void test_until_close_cut_by_a_reset_is_truncated(void **state)
{
	/* The second ends where a full read does: the next look at the socket meets the reset. */
	static const uint64_t sizes[] = {10, 4096};

	for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
		const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
			{PEER_SEND, "HTTP/1.1 200 OK\r\n\r\n"}, {PEER_AWAIT_GO},
			{PEER_SEND_FILL, NULL, sizes[i]}, {PEER_RESET}, {PEER_END}};

		start(script);
		open_plain("LIST");
		bench_settle(&bench);
		peer_go(bench.peer);
		user_run(&user);
		assert_int_equal(user.end, EXCHANGE_TRUNCATED);
		assert_int_equal(user.body_bytes, sizes[i]);
		finish();
	}
}

static void test_an_early_answer_ends_the_upload(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END}, {PEER_AWAIT, "some"},
		{PEER_SEND, "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno"}, {PEER_END}};

	start(script);
	user_open_tunnel(&user, "POST", "/", NULL, (struct framing){FRAMING_LENGTH, 1000000});
	assert_true(send_text("some"));
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_int_equal(user.status, 400);
	assert_string_equal(user_body(&user), "no");
	bench_settle(&bench);
	assert_int_equal(peer_closed(bench.peer), 1);
	finish();
}

static bool has_room(void *arg)
{
	return user.rooms > 0 || user.ends != 0;
}

/* Sends until `bytes` are sent or it has ended, as fast as it may. */
static void upload(uint64_t bytes)
{
	while (bytes > 0 && user.ends == 0) {
		size_t piece = bytes < UPLOAD_PIECE ? (size_t)bytes : UPLOAD_PIECE;

		bytes -= piece;
		if (send_fill(piece))
			continue;
		bench_run(&bench, has_room, NULL);
		user.rooms = 0;
	}
	if (user.ends == 0)
		tunnel_send_end(user.tunnel);
}

/* The peer closes with most of the upload unread: the kernel sends RST behind the answer. */
static void test_an_answer_survives_the_end_of_the_upload(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
		{PEER_AWAIT_BYTES, NULL, 100000}, {PEER_STOP_READING},
		{PEER_SEND, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig"}, {PEER_CLOSE},
		{PEER_END}};

	start(script);
	user_open_tunnel(&user, "POST", "/", NULL, (struct framing){FRAMING_CHUNKED});
	upload(64 * MEBIBYTE);
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_int_equal(user.status, 413);
	assert_string_equal(user_body(&user), "big");
	finish();
}

/* The answer is there but its reader is slow, while writing fails already. */
static void test_an_answer_is_read_after_writing_failed(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
		{PEER_SEND, "HTTP/1.1 413 Too Large\r\nConnection: close\r\n\r\n"}, {PEER_AWAIT_GO},
		{PEER_SEND, "all of it"}, {PEER_STOP_READING}, {PEER_CLOSE}, {PEER_END}};

	start(script);
	user.pause_at = MOMENT_HEAD;
	user_open_tunnel(&user, "POST", "/", NULL, (struct framing){FRAMING_CHUNKED});
	bench_settle(&bench);
	assert_int_equal(user.heads, 1);
	peer_go(bench.peer);
	for (int i = 0; i < 50; i++) {
		send_fill(UPLOAD_PIECE);
		bench_settle(&bench);
		if (user.rooms)
			break;
	}
	assert_int_equal(user.ends, 0);
	assert_true(send_fill(UPLOAD_PIECE));
	tunnel_send_end(user.tunnel);
	user_resume(&user);
	user_run(&user);
	assert_int_equal(user.status, 413);
	assert_string_equal(user_body(&user), "all of it");
	finish();
}

static void test_a_stalled_peer_stops_the_upload(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END}, {PEER_STOP_READING},
		{PEER_AWAIT_GO}, {PEER_READ_ON}, {PEER_AWAIT_BYTES, NULL, 64 * MEBIBYTE},
		{PEER_SEND, EMPTY}, {PEER_END}};
	int64_t last_activity_us;
	uint64_t sent = 0;

	start(script);
	user_open_tunnel(&user, "POST", "/", NULL, (struct framing){FRAMING_LENGTH, 64 * MEBIBYTE});
	/* Until the sockets are full too. */
	do {
		user.rooms = 0;
		do {
			sent += UPLOAD_PIECE;
		} while (send_fill(UPLOAD_PIECE));
		bench_settle(&bench);
	} while (user.rooms > 0);
	assert_true(sent < 60 * MEBIBYTE);
	last_activity_us = tunnel_last_activity_us(user.tunnel);
	bench_settle(&bench);
	assert_int_equal(tunnel_last_activity_us(user.tunnel), last_activity_us);
	peer_go(bench.peer);
	bench_run(&bench, has_room, NULL);
	assert_true(tunnel_last_activity_us(user.tunnel) > last_activity_us);
	upload(64 * MEBIBYTE - sent);
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	finish();
}

static void test_bytes_before_the_connection_stands_are_kept(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
		{PEER_AWAIT_BYTES, NULL, MEBIBYTE}, {PEER_SEND, EMPTY}, {PEER_END}};
	bool is_full = false;

	start(script);
	user_open_tunnel(&user, "POST", "/", NULL, (struct framing){FRAMING_LENGTH, MEBIBYTE});
	for (int i = 0; i < MEBIBYTE / UPLOAD_PIECE; i++)
		is_full |= !send_fill(UPLOAD_PIECE);
	assert_true(is_full);
	tunnel_send_end(user.tunnel);
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_true(user.rooms >= 1);
	finish();
}

static void test_a_big_upload_takes_no_memory(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
		{PEER_AWAIT_BYTES, NULL, UPLOAD}, {PEER_SEND, EMPTY}, {PEER_END}};
	size_t before;

	start(script);
	user_open_tunnel(&user, "POST", "/", NULL, (struct framing){FRAMING_LENGTH, UPLOAD});
	bench_settle(&bench);
	before = bench_rss_bytes();
	upload(UPLOAD);
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_true(bench_rss_bytes() <= before + RSS_MOST);
	finish();
}

static void test_both_directions_at_once(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
		{PEER_SEND, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"},
		{PEER_SEND_CHUNKS, NULL, 32 * MEBIBYTE}, {PEER_AWAIT_BYTES, NULL, 32 * MEBIBYTE},
		{PEER_SEND, "0\r\n\r\n"}, {PEER_END}};

	start(script);
	user.drops_body = true;
	user_open_tunnel(&user, "POST", "/", NULL, (struct framing){FRAMING_LENGTH, 32 * MEBIBYTE});
	upload(32 * MEBIBYTE);
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_int_equal(user.body_bytes, 32 * MEBIBYTE);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_of_a_known_length),
		cmocka_unit_test(test_request_in_chunks),
		cmocka_unit_test(test_methods_without_a_name_in_evhttp),
		cmocka_unit_test(test_answers_of_every_framing),
		cmocka_unit_test(test_each_chunk_is_told_once),
		cmocka_unit_test(test_a_chunk_of_a_mebibyte_comes_in_pieces),
		cmocka_unit_test(test_expect_is_answered_by_ollama),
		cmocka_unit_test(test_malformed_answers),
		cmocka_unit_test(test_an_oversized_head_is_malformed),
		cmocka_unit_test(test_answers_that_break_off),
		cmocka_unit_test(test_until_close_cut_by_a_reset_is_truncated),
		cmocka_unit_test(test_an_early_answer_ends_the_upload),
		cmocka_unit_test(test_an_answer_survives_the_end_of_the_upload),
		cmocka_unit_test(test_an_answer_is_read_after_writing_failed),
		cmocka_unit_test(test_a_stalled_peer_stops_the_upload),
		cmocka_unit_test(test_bytes_before_the_connection_stands_are_kept),
		cmocka_unit_test(test_a_big_upload_takes_no_memory),
		cmocka_unit_test(test_both_directions_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
