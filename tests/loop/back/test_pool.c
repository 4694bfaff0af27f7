/* Which connection a request gets: an idle one that is sound, or a new one to the first address
 * that accepts. */
#include "bench.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "back/pool.h"
#include "base/ticker.h"
#include "io/address.h"

#define HEAD_END "\r\n\r\n"
#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static const struct peer_step serve[] = {{PEER_AWAIT, HEAD_END}, {PEER_SEND, ANSWER}, {PEER_AGAIN}};
static const struct peer_step *const servers[] = {serve, NULL};

static struct bench bench;

static void ask(struct user *user)
{
	user_init(user, &bench);
	user_ask(user, "GET", "/");
}

static void check_answer(struct user *user)
{
	user_run(user);
	assert_int_equal(user->end, EXCHANGE_COMPLETE);
	assert_string_equal(user_body(user), "ok");
	user_finish(user);
}

static void test_connections_are_used_again(void **state)
{
	struct user user;

	bench_start(&bench, servers);
	for (int i = 0; i < 5; i++) {
		ask(&user);
		assert_int_equal(exchange_is_reused(user.exchange), i > 0);
		/* An idle connection is connected already. */
		assert_int_equal(user.connected, i > 0);
		check_answer(&user);
		assert_int_equal(pool_idle_connections(bench.pool), 1);
		assert_int_equal(pool_open_connections(bench.pool), 1);
	}
	assert_int_equal(peer_accepted(bench.peer), 1);
	bench_stop(&bench);
}

static void test_a_fresh_connection_can_be_asked_for(void **state)
{
	static const struct exchange_events events;
	const struct fields fields = {0};
	const struct exchange_request request = {
		.method = "GET", .target = "/", .fields = &fields, .wants_fresh = true};
	struct exchange *exchange;
	struct user user;

	bench_start(&bench, servers);
	ask(&user);
	check_answer(&user);
	exchange = exchange_start(bench.pool, &request, &events, NULL);
	assert_non_null(exchange);
	assert_false(exchange_is_reused(exchange));
	bench_settle(&bench);
	assert_int_equal(peer_accepted(bench.peer), 2);
	assert_int_equal(pool_idle_connections(bench.pool), 2);
	bench_stop(&bench);
}

struct chain {
	struct user first;
	struct user second;
};

static bool is_first_over(void *arg)
{
	struct chain *chain = arg;

	return chain->first.ends == 1;
}

static void test_a_request_made_in_the_last_event_reuses_the_connection(void **state)
{
	struct chain chain;

	bench_start(&bench, servers);
	ask(&chain.first);
	bench_run(&bench, is_first_over, &chain);
	ask(&chain.second);
	assert_true(exchange_is_reused(chain.second.exchange));
	check_answer(&chain.second);
	user_finish(&chain.first);
	bench_stop(&bench);
}

static struct user nested;

static void on_nested_start(void *arg, enum exchange_end end)
{
	ask(&nested);
}

static void test_a_request_made_inside_on_end_reuses_the_connection(void **state)
{
	static const struct exchange_events events = {.on_end = on_nested_start};
	const struct fields fields = {0};
	const struct exchange_request request = {.method = "GET", .target = "/", .fields = &fields};

	bench_start(&bench, servers);
	nested = (struct user){0};
	assert_non_null(exchange_start(bench.pool, &request, &events, NULL));
	bench_run(&bench, user_has_ended, &nested);
	assert_true(nested.ends == 1 && nested.end == EXCHANGE_COMPLETE);
	assert_string_equal(user_body(&nested), "ok");
	assert_int_equal(peer_accepted(bench.peer), 1);
	user_finish(&nested);
	bench_stop(&bench);
}

static void test_idle_connection_closed_by_ollama_leaves_the_pool(void **state)
{
	static const struct peer_step once[] = {{PEER_AWAIT, HEAD_END}, {PEER_SEND, ANSWER},
		{PEER_AWAIT_GO}, {PEER_CLOSE}, {PEER_END}};
	static const struct peer_step *const scripts[] = {once, serve, NULL};
	struct user user;

	bench_start(&bench, scripts);
	ask(&user);
	check_answer(&user);
	assert_int_equal(pool_idle_connections(bench.pool), 1);
	peer_go(bench.peer);
	bench_settle(&bench);
	assert_int_equal(pool_idle_connections(bench.pool), 0);
	assert_int_equal(pool_open_connections(bench.pool), 0);
	ask(&user);
	assert_false(exchange_is_reused(user.exchange));
	check_answer(&user);
	bench_stop(&bench);
}

/* The EOF or the byte is in the socket, but the loop has not turned since. */
static void check_unseen(const struct peer_step *first)
{
	const struct peer_step *const scripts[] = {first, serve, NULL};
	struct user user;

	bench_start(&bench, scripts);
	ask(&user);
	check_answer(&user);
	peer_go(bench.peer);
	assert_int_equal(pool_idle_connections(bench.pool), 1);
	ask(&user);
	assert_false(exchange_is_reused(user.exchange));
	check_answer(&user);
	assert_int_equal(peer_accepted(bench.peer), 2);
	bench_stop(&bench);
}

static void test_a_connection_closed_in_this_turn_is_not_used(void **state)
{
	static const struct peer_step closed[] = {{PEER_AWAIT, HEAD_END}, {PEER_SEND, ANSWER},
		{PEER_AWAIT_GO}, {PEER_CLOSE}, {PEER_END}};
	static const struct peer_step reset[] = {{PEER_AWAIT, HEAD_END}, {PEER_SEND, ANSWER},
		{PEER_AWAIT_GO}, {PEER_RESET}, {PEER_END}};

	check_unseen(closed);
	check_unseen(reset);
}

static void test_stray_bytes_while_idle_close_the_connection(void **state)
{
	static const struct peer_step stray[] = {{PEER_AWAIT, HEAD_END}, {PEER_SEND, ANSWER},
		{PEER_AWAIT_GO}, {PEER_SEND, ANSWER}, {PEER_END}};
	static const struct peer_step *const scripts[] = {stray, serve, NULL};
	struct user user;

	bench_start(&bench, scripts);
	ask(&user);
	check_answer(&user);
	peer_go(bench.peer);
	bench_settle(&bench);
	assert_int_equal(pool_open_connections(bench.pool), 0);
	bench_stop(&bench);
}

static void test_reused_connection_that_ends_unanswered_is_a_reset(void **state)
{
	static const struct peer_step once[] = {{PEER_AWAIT, HEAD_END}, {PEER_SEND, ANSWER},
		{PEER_AWAIT, HEAD_END}, {PEER_CLOSE}, {PEER_END}};
	static const struct peer_step *const scripts[] = {once, serve, NULL};
	struct user user;

	bench_start(&bench, scripts);
	ask(&user);
	check_answer(&user);
	ask(&user);
	assert_true(exchange_is_reused(user.exchange));
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_RESET);
	user_finish(&user);
	bench_stop(&bench);
}

/* All of a burst were in use at once; so many are idle afterwards. */
static void expect_kept(int64_t max_concurrent, size_t kept)
{
	enum { BURST = POOL_IDLE_LEAST + 10 };
	static struct user users[BURST];

	bench_start_with(&bench, servers, max_concurrent);
	for (int i = 0; i < BURST; i++)
		ask(&users[i]);
	assert_int_equal(pool_open_connections(bench.pool), BURST);
	for (int i = 0; i < BURST; i++) {
		bench_run(&bench, user_has_ended, &users[i]);
		assert_int_equal(users[i].end, EXCHANGE_COMPLETE);
		user_finish(&users[i]);
	}
	bench_settle(&bench);
	assert_int_equal(pool_idle_connections(bench.pool), kept);
	assert_int_equal(pool_open_connections(bench.pool), kept);
	assert_int_equal(peer_closed(bench.peer), BURST - kept);
	bench_stop(&bench);
}

static void test_a_burst_leaves_as_many_idle_connections_as_jobs_may_run(void **state)
{
	expect_kept(0, POOL_IDLE_LEAST);
	expect_kept(3, POOL_IDLE_LEAST);
	expect_kept(POOL_IDLE_LEAST + 4, POOL_IDLE_LEAST + 4);
}

static void test_connections_idle_for_long_are_closed(void **state)
{
	struct user users[2];
	int64_t now_us;

	bench_start(&bench, servers);
	ask(&users[0]);
	ask(&users[1]);
	check_answer(&users[0]);
	check_answer(&users[1]);
	now_us = ticker_now_us();
	ticker_set_for_test(now_us + POOL_IDLE_US / 2, 0);
	pool_sweep(bench.pool);
	assert_int_equal(pool_idle_connections(bench.pool), 2);
	/* The one used last stays. */
	ask(&users[0]);
	check_answer(&users[0]);
	ticker_set_for_test(now_us + POOL_IDLE_US, 0);
	pool_sweep(bench.pool);
	assert_int_equal(pool_idle_connections(bench.pool), 1);
	ticker_set_for_test(now_us + 2LL * POOL_IDLE_US, 0);
	pool_sweep(bench.pool);
	bench_settle(&bench);
	assert_int_equal(pool_open_connections(bench.pool), 0);
	assert_int_equal(peer_closed(bench.peer), 2);
	bench_stop(&bench);
}

static struct address loopback(uint16_t port)
{
	struct address address = {.length = sizeof(struct sockaddr_in)};
	struct sockaddr_in *in = (struct sockaddr_in *)&address.storage;

	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

/* A port that nobody listens on. */
static uint16_t dead_port(void)
{
	struct peer *peer = peer_create(bench.base, "127.0.0.1", 0, servers);
	uint16_t port = peer_port(peer);

	peer_destroy(peer);
	return port;
}

static void know_addresses(bool has_living)
{
	const struct address addresses[] = {
		loopback(dead_port()), loopback(dead_port()), loopback(peer_port(bench.peer))};

	pool_set_addresses(bench.pool, addresses, has_living ? 3 : 2);
}

static void test_all_addresses_are_tried_in_turn(void **state)
{
	struct user user;

	bench_start(&bench, servers);
	know_addresses(true);
	user_init(&user, &bench);
	user.send = "body";
	user_ask(&user, "POST", "/");
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_int_equal(user.connected, 1);
	assert_int_equal(user.fills, 3);
	assert_non_null(strstr(peer_received(bench.peer), HEAD_END "body"));
	user_finish(&user);
	/* The one that accepted is the first next time. */
	pool_sweep(bench.pool);
	assert_int_equal(pool_first_address(bench.pool), 2);
	bench_stop(&bench);
}

static void test_a_tunnel_tries_all_addresses_too(void **state)
{
	struct user user;

	bench_start(&bench, servers);
	know_addresses(true);
	user_init(&user, &bench);
	user_open_tunnel(&user, "LIST", "/", NULL, (struct framing){FRAMING_NONE});
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_COMPLETE);
	assert_string_equal(user_body(&user), "ok");
	user_finish(&user);
	bench_stop(&bench);
}

static void test_refused_everywhere(void **state)
{
	struct user user;

	bench_start(&bench, servers);
	know_addresses(false);
	ask(&user);
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_REFUSED);
	assert_int_equal(user.connected, 0);
	assert_int_equal(pool_open_connections(bench.pool), 0);
	user_finish(&user);
	know_addresses(false);
	user_init(&user, &bench);
	user_open_tunnel(&user, "LIST", "/", NULL, (struct framing){FRAMING_NONE});
	user_run(&user);
	assert_int_equal(user.end, EXCHANGE_REFUSED);
	assert_int_equal(pool_open_connections(bench.pool), 0);
	user_finish(&user);
	bench_stop(&bench);
}

static void test_a_body_that_cannot_be_read_starts_nothing(void **state)
{
	struct user user;

	bench_start(&bench, servers);
	user_init(&user, &bench);
	user.send = "body";
	user.cannot_fill = true;
	assert_false(user_try(&user, "POST", "/", NULL));
	bench_settle(&bench);
	assert_int_equal(user.connected + user.ends, 0);
	assert_int_equal(pool_open_connections(bench.pool), 0);
	user_finish(&user);
	bench_stop(&bench);
}

static void test_without_addresses_or_descriptors_nothing_starts(void **state)
{
	const struct fields fields = {0};
	const struct tunnel_request request = {"LIST", "/", &fields, {FRAMING_NONE}};
	const struct tunnel_events events = {0};
	struct rlimit before;
	struct rlimit none;
	struct user user;
	int free_fd;

	bench_start(&bench, servers);
	user_init(&user, &bench);
	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	free_fd = dup(0);
	close(free_fd);
	none.rlim_cur = (rlim_t)free_fd;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_false(user_try(&user, "GET", "/", NULL));
	assert_null(tunnel_start(bench.pool, &request, &events, NULL));
	setrlimit(RLIMIT_NOFILE, &before);
	pool_set_addresses(bench.pool, NULL, 0);
	assert_false(user_try(&user, "GET", "/", NULL));
	pool_set_addresses(bench.pool, NULL, 0);
	assert_null(tunnel_start(bench.pool, &request, &events, NULL));
	bench_settle(&bench);
	assert_int_equal(user.connected + user.ends, 0);
	assert_int_equal(pool_open_connections(bench.pool), 0);
	user_finish(&user);
	bench_stop(&bench);
}

static void test_sockets_are_tuned(void **state)
{
	struct user user;
	int tuned = 0;

	bench_start(&bench, servers);
	ask(&user);
	check_answer(&user);
	for (int fd = 3; fd < 64; fd++) {
		struct sockaddr_in peer;
		socklen_t length = sizeof(peer);
		int on = 0;
		socklen_t bytes = sizeof(on);

		if (getpeername(fd, (struct sockaddr *)&peer, &length) != 0 ||
			peer.sin_family != AF_INET || ntohs(peer.sin_port) != peer_port(bench.peer))
			continue;
		getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &bytes);
		assert_int_not_equal(on, 0);
		tuned++;
	}
	assert_int_equal(tuned, 1);
	bench_stop(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connections_are_used_again),
		cmocka_unit_test(test_a_fresh_connection_can_be_asked_for),
		cmocka_unit_test(test_a_request_made_in_the_last_event_reuses_the_connection),
		cmocka_unit_test(test_a_request_made_inside_on_end_reuses_the_connection),
		cmocka_unit_test(test_idle_connection_closed_by_ollama_leaves_the_pool),
		cmocka_unit_test(test_a_connection_closed_in_this_turn_is_not_used),
		cmocka_unit_test(test_stray_bytes_while_idle_close_the_connection),
		cmocka_unit_test(test_reused_connection_that_ends_unanswered_is_a_reset),
		cmocka_unit_test(test_a_burst_leaves_as_many_idle_connections_as_jobs_may_run),
		cmocka_unit_test(test_all_addresses_are_tried_in_turn),
		cmocka_unit_test(test_a_tunnel_tries_all_addresses_too),
		cmocka_unit_test(test_refused_everywhere),
		cmocka_unit_test(test_a_body_that_cannot_be_read_starts_nothing),
		cmocka_unit_test(test_without_addresses_or_descriptors_nothing_starts),
		cmocka_unit_test(test_sockets_are_tuned),
		/* The last one: it stops the clock. */
		cmocka_unit_test(test_connections_idle_for_long_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
