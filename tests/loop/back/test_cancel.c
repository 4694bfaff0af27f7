/* An exchange or tunnel that its user cancels or pauses, in every place. */
#include "bench.h"

#include <string.h>

#include <event2/buffer.h>

#include "back/pool.h"

#define HEAD_END "\r\n\r\n"
#define CHUNKED_HEAD "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

enum {
	MEBIBYTE = 1024 * 1024,
	BIG_CHUNK = 16 * MEBIBYTE,
	DOWNLOAD = 256 * MEBIBYTE,
	/* Sockets hold some MiB, the peer one, valgrind 20 of freed memory. */
	RSS_MOST = 40 * MEBIBYTE
};

static struct bench bench;
static struct user user;

static bool is_closed_at_peer(void *arg)
{
	return peer_closed(bench.peer) == 1;
}

static void start(const struct peer_step *script)
{
	static const struct peer_step *scripts[2];

	scripts[0] = script;
	bench_start(&bench, scripts);
	user_init(&user, &bench);
}

static void finish(void)
{
	user_finish(&user);
	bench_stop(&bench);
}

static void check_cancelled(void)
{
	bench_run(&bench, is_closed_at_peer, NULL);
	bench_settle(&bench);
	assert_int_equal(user.ends, -1);
	assert_int_equal(user.events_after_end, 0);
	assert_int_equal(pool_open_connections(bench.pool), 0);
}

static const struct peer_step stream[] = {{PEER_AWAIT, HEAD_END},
	{PEER_SEND, CHUNKED_HEAD "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n"}, {PEER_END}};
static const struct peer_step whole[] = {{PEER_AWAIT, HEAD_END},
	{PEER_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"}, {PEER_END}};
static const struct peer_step silent[] = {{PEER_AWAIT, HEAD_END}, {PEER_AWAIT_GO}, {PEER_END}};

static void cancel_exchange_at(
	const struct peer_step *script, enum moment moment, int heads, int data_calls)
{
	start(script);
	user.cancel_at = moment;
	user_ask(&user, "POST", "/api/chat");
	check_cancelled();
	assert_int_equal(user.connected, 1);
	assert_int_equal(user.heads, heads);
	assert_int_equal(user.data_calls, data_calls);
	finish();
}

static void test_exchange_is_cancelled_in_its_events(void **state)
{
	cancel_exchange_at(stream, MOMENT_CONNECTED, 0, 0);
	cancel_exchange_at(stream, MOMENT_HEAD, 1, 0);
	cancel_exchange_at(stream, MOMENT_DATA, 1, 1);
	cancel_exchange_at(whole, MOMENT_HEAD, 1, 0);
	cancel_exchange_at(whole, MOMENT_DATA, 1, 1);
}

static void test_cancel_in_the_last_event_changes_nothing(void **state)
{
	start(whole);
	user.cancel_at = MOMENT_END;
	user_ask(&user, "GET", "/");
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_int_equal(pool_idle_connections(bench.pool), 1);
	finish();
}

static bool has_request(void *arg)
{
	return peer_steps(bench.peer) > 0;
}

static void test_exchange_is_cancelled_while_it_waits(void **state)
{
	start(silent);
	user_ask(&user, "POST", "/api/chat");
	bench_run(&bench, has_request, NULL);
	user_cancel(&user);
	check_cancelled();
	finish();
}

static void test_exchange_is_cancelled_before_it_connects(void **state)
{
	start(silent);
	user_ask(&user, "POST", "/api/chat");
	user_cancel(&user);
	bench_settle(&bench);
	assert_int_equal(user.events_after_end, 0);
	assert_int_equal(pool_open_connections(bench.pool), 0);
	assert_int_equal(peer_received_bytes(bench.peer), 0);
	finish();
}

static void test_exchange_is_cancelled_while_it_uploads(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END}, {PEER_STOP_READING},
		{PEER_AWAIT_GO}, {PEER_READ_ON}, {PEER_END}};

	start(script);
	user.send_fill = 20 * MEBIBYTE;
	user_ask(&user, "POST", "/api/chat");
	bench_run(&bench, has_request, NULL);
	user_cancel(&user);
	bench_settle(&bench);
	peer_go(bench.peer);
	check_cancelled();
	finish();
}

static void test_exchange_is_cancelled_while_paused(void **state)
{
	start(stream);
	user.pause_at = MOMENT_DATA;
	user_ask(&user, "POST", "/api/chat");
	bench_settle(&bench);
	assert_int_equal(user.data_calls, 3);
	user_cancel(&user);
	check_cancelled();
	finish();
}

static void test_tunnel_is_cancelled_in_its_events(void **state)
{
	static const struct {
		const struct peer_step *script;
		enum moment moment;
		int heads;
		int data_calls;
	} cases[] = {{stream, MOMENT_CONNECTED, 0, 0}, {stream, MOMENT_HEAD, 1, 0},
		{stream, MOMENT_DATA, 1, 1}, {whole, MOMENT_HEAD, 1, 0},
		{whole, MOMENT_DATA, 1, 1}};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		start(cases[i].script);
		user.cancel_at = cases[i].moment;
		user_open_tunnel(&user, "POST", "/", NULL, (struct framing){FRAMING_CHUNKED});
		check_cancelled();
		assert_int_equal(user.heads, cases[i].heads);
		assert_int_equal(user.data_calls, cases[i].data_calls);
		finish();
	}
}

static void test_tunnel_is_cancelled_before_it_connects_and_at_its_end(void **state)
{
	start(whole);
	user_open_tunnel(&user, "POST", "/", NULL, (struct framing){FRAMING_CHUNKED});
	user_cancel(&user);
	bench_settle(&bench);
	assert_int_equal(user.events_after_end, 0);
	assert_int_equal(pool_open_connections(bench.pool), 0);
	finish();
	start(whole);
	user.cancel_at = MOMENT_END;
	user_open_tunnel(&user, "POST", "/", NULL, (struct framing){FRAMING_CHUNKED});
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	finish();
}

static void test_pause_inside_a_chunk_of_16_MiB(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
		{PEER_SEND, CHUNKED_HEAD "1\r\na\r\n1000000\r\n"},
		{PEER_SEND_FILL, NULL, BIG_CHUNK}, {PEER_SEND, "\r\n0\r\n\r\n"}, {PEER_END}};

	start(script);
	user.pause_at = MOMENT_DATA;
	user_ask(&user, "GET", "/");
	bench_settle(&bench);
	assert_int_equal(user.data_calls, 1);
	assert_int_equal(user.ends, 0);
	user_resume(&user);
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_int_equal(user.data_calls, 2);
	assert_int_equal(user.data_sizes[1], BIG_CHUNK);
	assert_int_equal(pool_idle_connections(bench.pool), 1);
	finish();
}

/* A reader that takes nothing for long: what Ollama sends stays in the sockets. */
static void check_paused_download(bool is_tunnel)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END}, {PEER_SEND, CHUNKED_HEAD},
		{PEER_SEND_CHUNKS, NULL, DOWNLOAD}, {PEER_SEND, "0\r\n\r\n"}, {PEER_END}};
	size_t before;

	start(script);
	user.pause_at = MOMENT_HEAD;
	user.drops_body = true;
	if (is_tunnel)
		user_open_tunnel(&user, "M-SEARCH", "/", NULL, (struct framing){FRAMING_NONE});
	else
		user_ask(&user, "GET", "/");
	bench_settle(&bench);
	before = bench_rss_bytes();
	bench_settle(&bench);
	assert_true(user.body_bytes < MEBIBYTE);
	user_resume(&user);
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_int_equal(user.body_bytes, DOWNLOAD);
	assert_int_equal(user.data_calls, DOWNLOAD / (32 * 1024));
	assert_true(bench_rss_bytes() <= before + RSS_MOST);
	finish();
}

static void test_exchange_download_is_bounded(void **state)
{
	check_paused_download(false);
}

static void test_tunnel_download_is_bounded(void **state)
{
	check_paused_download(true);
}

static void test_pause_before_the_head_holds_the_body_back(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END}, {PEER_SEND, CHUNKED_HEAD},
		{PEER_AWAIT_GO}, {PEER_SEND, "1\r\na\r\n0\r\n\r\n"}, {PEER_END}};

	start(script);
	user.pause_at = MOMENT_CONNECTED;
	user_ask(&user, "GET", "/");
	bench_settle(&bench);
	assert_int_equal(user.heads, 1);
	peer_go(bench.peer);
	bench_settle(&bench);
	assert_int_equal(user.data_calls, 0);
	user_resume(&user);
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_string_equal(user_body(&user), "a");
	finish();
}

static void test_a_pause_is_forgotten_with_the_answer(void **state)
{
	static const struct peer_step script[] = {{PEER_AWAIT, HEAD_END},
		{PEER_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"}, {PEER_AGAIN}};

	start(script);
	user.pause_at = MOMENT_DATA;
	user_ask(&user, "GET", "/");
	user_run(&user);
	user_finish(&user);
	user_init(&user, &bench);
	user_ask(&user, "GET", "/");
	assert_true(exchange_is_reused(user.exchange));
	user_run(&user);
	assert_string_equal(user_body(&user), "abc");
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchange_is_cancelled_in_its_events),
		cmocka_unit_test(test_cancel_in_the_last_event_changes_nothing),
		cmocka_unit_test(test_exchange_is_cancelled_while_it_waits),
		cmocka_unit_test(test_exchange_is_cancelled_before_it_connects),
		cmocka_unit_test(test_exchange_is_cancelled_while_it_uploads),
		cmocka_unit_test(test_exchange_is_cancelled_while_paused),
		cmocka_unit_test(test_tunnel_is_cancelled_in_its_events),
		cmocka_unit_test(test_tunnel_is_cancelled_before_it_connects_and_at_its_end),
		cmocka_unit_test(test_pause_inside_a_chunk_of_16_MiB),
		cmocka_unit_test(test_exchange_download_is_bounded),
		cmocka_unit_test(test_tunnel_download_is_bounded),
		cmocka_unit_test(test_pause_before_the_head_holds_the_body_back),
		cmocka_unit_test(test_a_pause_is_forgotten_with_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
