/*
 * front/ on a real loop: libevhtp hands connections over, heads arrive in any pieces, answers go
 * out in order. The peer is a socket in this process; the handler answers each request with its
 * target.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "base/graveyard.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "front/client.h"
#include "front/clients.h"
#include "front/listener.h"
#include "front/reply.h"
#include "io/address.h"

enum {
	TURNS_MOST = 2000,
	READ_BYTES = 64 * 1024,
	BIG_BYTES = 8 * 1024 * 1024,
	SOME_TURNS = 20,
};

/* What the handler does with the next request. */
enum manner {
	ANSWER_AT_ONCE,
	ANSWER_AT_BODY_END,
	ANSWER_NEVER,
	ANSWER_BIG,
	REFUSE_EARLY,
	HOLD_BACK
};

struct front {
	struct event_base *base;
	struct graveyard *graveyard;
	struct settings *settings;
	struct clients *clients;
	struct listener *listener;
	uint16_t port;
	enum manner manner;
	struct client *client; /* the one with a user */
	size_t requests;
	size_t body_bytes;
	size_t left;
	enum outcome left_why;
	size_t bad_heads;
	size_t slow_heads;
	size_t sent;
	size_t rooms;
	size_t failed_bodies;
};

static const struct fields no_fields;

static void answer(struct client *client, const char *text)
{
	struct evbuffer *body = evbuffer_new();
	struct framing framing = {.kind = FRAMING_LENGTH, .length = strlen(text)};

	reply_head(client, 200, NULL, &no_fields, framing, -1);
	evbuffer_add(body, text, strlen(text));
	reply_data(client, body);
	evbuffer_free(body);
	reply_end(client);
}

static void answer_big(struct client *client)
{
	struct evbuffer *body = evbuffer_new();
	struct framing framing = {.kind = FRAMING_CHUNKED};
	char *zeros = mem_zalloc(BIG_BYTES);

	reply_head(client, 200, NULL, &no_fields, framing, -1);
	evbuffer_add(body, zeros, BIG_BYTES);
	reply_data(client, body);
	evbuffer_free(body);
	free(zeros);
	assert_false(client_has_room(client));
}

static void on_body(void *arg, struct evbuffer *data, bool is_complete)
{
	struct front *front = arg;

	front->body_bytes += evbuffer_get_length(data);
	evbuffer_drain(data, evbuffer_get_length(data));
	if (!is_complete)
		return;
	if (front->manner == ANSWER_AT_BODY_END)
		answer(front->client, client_head(front->client)->target);
	else if (front->manner == ANSWER_BIG)
		answer_big(front->client);
}

static void on_left(void *arg, enum outcome why)
{
	struct front *front = arg;

	front->left++;
	front->left_why = why;
	front->client = NULL;
}

static void refuse(struct client *client, enum outcome outcome)
{
	struct reply_error error = {.outcome = outcome, .family = API_NATIVE};

	reply_error(client, &error);
}

static void on_body_failed(void *arg, enum outcome why)
{
	struct front *front = arg;

	front->failed_bodies++;
	refuse(front->client, why);
	client_release(front->client);
}

static void on_room(void *arg)
{
	struct front *front = arg;

	front->rooms++;
	reply_end(front->client);
}

static void on_sent(void *arg)
{
	struct front *front = arg;

	front->sent++;
}

static const struct client_user user = {on_body, on_left, on_body_failed, on_room, on_sent};

static void on_request(void *arg, struct client *client)
{
	struct front *front = arg;

	front->requests++;
	front->client = client;
	switch (front->manner) {
	case ANSWER_AT_ONCE:
		answer(client, client_head(client)->target);
		break;
	case REFUSE_EARLY:
		refuse(client, OUTCOME_BODY_TOO_LARGE);
		break;
	case ANSWER_AT_BODY_END:
	case ANSWER_NEVER:
	case ANSWER_BIG:
	case HOLD_BACK:
		client_accept(client, &user, front);
		if (front->manner == HOLD_BACK)
			client_pause_body(client);
		client_send_continue(client);
		break;
	}
}

static void on_bad_head(void *arg, struct client *client, enum http_error error)
{
	struct front *front = arg;

	front->bad_heads++;
	refuse(client, OUTCOME_BAD_REQUEST);
}

static void on_slow_head(void *arg, struct client *client)
{
	struct front *front = arg;

	front->slow_heads++;
	refuse(client, OUTCOME_REQUEST_TIMEOUT);
}

static void on_closed(void *arg)
{
	struct front *front = arg;

	if (front->listener)
		listener_resume(front->listener);
}

static int setup(void **state)
{
	struct front *front = mem_zalloc(sizeof(*front));
	struct clients_events events = {on_request, on_bad_head, on_slow_head, on_closed, front};
	struct address address;
	const char *wrong;
	char *error = NULL;

	signal(SIGPIPE, SIG_IGN);
	front->base = event_base_new();
	front->graveyard = graveyard_create();
	front->settings = settings_create();
	front->settings->head_max = 64 * 1024;
	front->settings->header_timeout_ms = 0;
	front->settings->idle_timeout_ms = 0;
	front->settings->body_timeout_ms = 0;
	front->settings->write_timeout_ms = 0;
	front->settings->body_max = 64 * 1024 * 1024;
	front->settings->max_connections = 0;
	front->settings->max_connections_per_address = 0;
	front->clients = clients_create(front->base, front->graveyard, front->settings, &events);
	assert_int_equal(address_parse_listen("127.0.0.1:0", &address, 1, &wrong), 1);
	front->listener = listener_create(
		front->base, front->clients, &address, "127.0.0.1:0", false, &error);
	assert_non_null(front->listener);
	front->port = (uint16_t)strtoul(strrchr(listener_name(front->listener), ':') + 1, NULL, 10);
	*state = front;
	return 0;
}

static int teardown(void **state)
{
	struct front *front = *state;

	listener_destroy(front->listener);
	front->listener = NULL;
	clients_destroy(front->clients);
	graveyard_destroy(front->graveyard);
	settings_return(front->settings);
	event_base_free(front->base);
	free(front);
	return 0;
}

/* One turn as proxy.c does it. */
static void turn(struct front *front)
{
	ticker_new_turn();
	event_base_loop(front->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	clients_flush(front->clients);
	graveyard_run(front->graveyard);
}

static int connect_peer(struct front *front)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(front->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(peer >= 0);
	assert_int_equal(connect(peer, (struct sockaddr *)&to, sizeof(to)), 0);
	fcntl(peer, F_SETFL, O_NONBLOCK);
	return peer;
}

static void say(struct front *front, int peer, const char *text)
{
	assert_int_equal(send(peer, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	turn(front);
}

/* Turns until `count` requests' answers' ends ("…" by the number of `mark`s) or EOF came; what came
 * is in `heard`. */
static bool hear(struct front *front, int peer, struct evbuffer *heard, const char *mark, int count)
{
	char *piece = mem_alloc(READ_BYTES);
	bool is_eof = false;

	for (int i = 0; i < TURNS_MOST && !is_eof; i++) {
		ssize_t got;
		int found = 0;
		struct evbuffer_ptr at;

		turn(front);
		got = recv(peer, piece, READ_BYTES, 0);
		if (got > 0)
			evbuffer_add(heard, piece, (size_t)got);
		is_eof = got == 0 || (got < 0 && errno == ECONNRESET);
		evbuffer_ptr_set(heard, &at, 0, EVBUFFER_PTR_SET);
		while (mark && (at = evbuffer_search(heard, mark, strlen(mark), &at)).pos >= 0) {
			found++;
			evbuffer_ptr_set(heard, &at, 1, EVBUFFER_PTR_ADD);
		}
		if (mark && found >= count)
			break;
		usleep(got > 0 ? 0 : 200);
	}
	free(piece);
	return is_eof;
}

static char *text_of(struct evbuffer *heard)
{
	evbuffer_add(heard, "", 1);
	return (char *)evbuffer_pullup(heard, -1);
}

static void until(struct front *front, const size_t *counter, size_t value)
{
	for (int i = 0; i < TURNS_MOST && *counter < value; i++) {
		turn(front);
		usleep(200);
	}
	assert_int_equal(*counter, value);
}

static void until_no_clients(struct front *front)
{
	for (int i = 0; i < TURNS_MOST && clients_count(front->clients) > 0; i++) {
		turn(front);
		usleep(200);
	}
	assert_int_equal(clients_count(front->clients), 0);
}

/* Guards the way in which libevhtp gives a connection away: it answers, and nothing of it is leaked
 * or freed twice (run under ASan). */
static void test_a_connection_is_handed_over_and_answered(void **state)
{
	struct front *front = *state;
	struct evbuffer *heard = evbuffer_new();
	int peer = connect_peer(front);

	say(front, peer, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
	hear(front, peer, heard, "/hello", 1);
	assert_non_null(strstr(text_of(heard), "HTTP/1.1 200 OK\r\n"));
	/* the answer had none */
	assert_non_null(strstr(text_of(heard), "\r\nDate: "));
	assert_non_null(strstr(text_of(heard), " GMT\r\n"));
	assert_int_equal(clients_count(front->clients), 1);
	close(peer);
	until_no_clients(front);
	evbuffer_free(heard);
}

static void test_a_head_may_arrive_byte_by_byte(void **state)
{
	static const char request[] = "GET /slow/bytes HTTP/1.1\r\nHost: a\r\nX: 1\r\n\r\n";
	struct front *front = *state;
	struct evbuffer *heard = evbuffer_new();
	int peer = connect_peer(front);

	for (size_t i = 0; i + 1 < sizeof(request); i++) {
		char byte[2] = {request[i], '\0'};

		say(front, peer, byte);
	}
	hear(front, peer, heard, "/slow/bytes", 1);
	assert_int_equal(front->requests, 1);
	assert_non_null(strstr(text_of(heard), "200 OK"));
	close(peer);
	evbuffer_free(heard);
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
	struct front *front = *state;
	struct evbuffer *heard = evbuffer_new();
	int peer = connect_peer(front);
	char *text;

	front->manner = ANSWER_AT_BODY_END;
	say(front, peer,
		"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
		"POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
		"POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
		"chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n"
		"GET /4 HTTP/1.1\r\nHost: a\r\n\r\n"
		"GET /5 HTTP/1.1\r\nHost: a\r\n\r\n");
	hear(front, peer, heard, "200 OK", 5);
	text = text_of(heard);
	for (char number = '1'; number <= '5'; number++) {
		char target[] = {'/', number, '\0'};

		text = strstr(text, target);
		assert_non_null(text);
	}
	assert_int_equal(front->requests, 5);
	assert_int_equal(front->body_bytes, 5);
	assert_int_equal(front->sent, 5);
	close(peer);
	evbuffer_free(heard);
}

static void test_leaving_with_pipelined_bytes_pending_is_seen(void **state)
{
	struct front *front = *state;
	int peer = connect_peer(front);

	front->manner = ANSWER_NEVER;
	say(front, peer, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
	until(front, &front->requests, 1);
	close(peer);
	until(front, &front->left, 1);
	assert_int_equal(front->left_why, OUTCOME_CLIENT_GONE);
	assert_int_equal(front->requests, 1);
	until_no_clients(front);
}

/* A RST instead of a FIN: libevent alone would not tell it while nothing is read. */
static void reset_peer(int peer)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	close(peer);
}

static void test_a_reset_with_pipelined_bytes_pending_is_seen(void **state)
{
	struct front *front = *state;
	int peer = connect_peer(front);

	front->manner = ANSWER_NEVER;
	say(front, peer, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
	until(front, &front->requests, 1);
	turn(front);
	reset_peer(peer);
	until(front, &front->left, 1);
	assert_int_equal(front->left_why, OUTCOME_CLIENT_GONE);
	until_no_clients(front);
}

static void test_a_reset_while_the_body_is_held_back_is_seen(void **state)
{
	struct front *front = *state;
	char *zeros = mem_zalloc(READ_BYTES);
	int peer = connect_peer(front);

	front->manner = HOLD_BACK;
	say(front, peer, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n");
	until(front, &front->requests, 1);
	for (int i = 0; i < 20; i++) {
		send(peer, zeros, READ_BYTES, MSG_NOSIGNAL);
		turn(front);
	}
	reset_peer(peer);
	until(front, &front->left, 1);
	until_no_clients(front);
	free(zeros);
}

/* It was read with the head: nothing comes from the socket that could wake it. */
static void test_a_body_that_was_held_back_goes_on(void **state)
{
	struct front *front = *state;
	int peer = connect_peer(front);

	front->manner = HOLD_BACK;
	say(front, peer, "POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
	until(front, &front->requests, 1);
	for (int i = 0; i < SOME_TURNS; i++)
		turn(front);
	assert_int_equal(front->body_bytes, 0);
	client_resume_body(front->client);
	until(front, &front->body_bytes, 4);
	close(peer);
	until(front, &front->left, 1);
}

/* Not with a FIN: to such a reader the end of the connection is the end of the answer. */
static void test_an_answer_without_length_that_is_cut_is_reset(void **state)
{
	struct front *front = *state;
	char *piece = mem_alloc(READ_BYTES);
	ssize_t got = 0;
	int peer;

	front->settings->write_timeout_ms = 30;
	front->manner = ANSWER_BIG;
	peer = connect_peer(front);
	say(front, peer, "GET /big HTTP/1.0\r\n\r\n");
	until(front, &front->left, 1);
	until_no_clients(front);
	/* libevent closes the descriptor in a later turn */
	for (int i = 0; i < TURNS_MOST && got >= 0; i++) {
		turn(front);
		got = recv(peer, piece, READ_BYTES, MSG_DONTWAIT);
		if (got < 0 && errno == EAGAIN)
			got = 0;
		else
			assert_int_not_equal(got, 0); /* no FIN */
	}
	assert_int_equal(errno, ECONNRESET);
	free(piece);
	close(peer);
}

static void test_an_early_refusal_is_read_while_the_body_goes_on(void **state)
{
	struct front *front = *state;
	struct evbuffer *heard = evbuffer_new();
	int peer = connect_peer(front);
	size_t left = 4 * 1024 * 1024;
	char *zeros = mem_zalloc(READ_BYTES);

	front->manner = REFUSE_EARLY;
	say(front, peer, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4194304\r\n\r\n");
	while (left > 0) {
		ssize_t sent =
			send(peer, zeros, left < READ_BYTES ? left : READ_BYTES, MSG_NOSIGNAL);

		assert_true(sent > 0 || errno == EAGAIN);
		left -= sent > 0 ? (size_t)sent : 0;
		turn(front);
	}
	hear(front, peer, heard, "413", 1);
	/* The whole body was taken, so the connection goes on. */
	front->manner = ANSWER_AT_ONCE;
	say(front, peer, "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
	hear(front, peer, heard, "/next", 1);
	assert_non_null(strstr(text_of(heard), "/next"));
	free(zeros);
	close(peer);
	evbuffer_free(heard);
}

static void test_a_bad_head_is_answered_and_the_connection_closed(void **state)
{
	struct front *front = *state;
	struct evbuffer *heard = evbuffer_new();
	int peer = connect_peer(front);

	say(front, peer, "GET /x HTTP/1.1\nHost: a\r\n\r\n");
	assert_true(hear(front, peer, heard, NULL, 0));
	assert_int_equal(front->bad_heads, 1);
	assert_non_null(strstr(text_of(heard), "Connection: close"));
	close(peer);
	evbuffer_free(heard);
}

static void test_a_malformed_chunk_fails_the_body(void **state)
{
	struct front *front = *state;
	struct evbuffer *heard = evbuffer_new();
	int peer = connect_peer(front);

	front->manner = ANSWER_AT_BODY_END;
	say(front, peer, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
	assert_true(hear(front, peer, heard, NULL, 0));
	assert_int_equal(front->failed_bodies, 1);
	assert_non_null(strstr(text_of(heard), "400"));
	close(peer);
	evbuffer_free(heard);
}

static void test_a_slow_head_is_told_and_closed(void **state)
{
	struct front *front = *state;
	struct evbuffer *heard = evbuffer_new();
	int peer;

	front->settings->header_timeout_ms = 20;
	peer = connect_peer(front);
	say(front, peer, "GET /x HT");
	assert_true(hear(front, peer, heard, NULL, 0));
	assert_int_equal(front->slow_heads, 1);
	assert_non_null(strstr(text_of(heard), "408"));
	close(peer);
	evbuffer_free(heard);
}

static void test_an_idle_connection_is_closed(void **state)
{
	struct front *front = *state;
	struct evbuffer *heard = evbuffer_new();
	int peer;

	front->settings->idle_timeout_ms = 20;
	peer = connect_peer(front);
	assert_true(hear(front, peer, heard, NULL, 0));
	assert_int_equal(evbuffer_get_length(heard), 0);
	close(peer);
	until_no_clients(front);
	evbuffer_free(heard);
}

static void test_a_reader_that_stalls_is_cut(void **state)
{
	struct front *front = *state;
	int peer;

	front->settings->write_timeout_ms = 30;
	front->manner = ANSWER_BIG;
	peer = connect_peer(front);
	say(front, peer, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
	until(front, &front->left, 1);
	assert_int_equal(front->left_why, OUTCOME_CLIENT_STALLED);
	close(peer);
}

static void test_room_is_told_when_the_reader_goes_on(void **state)
{
	struct front *front = *state;
	struct evbuffer *heard = evbuffer_new();
	int peer;

	front->manner = ANSWER_BIG;
	peer = connect_peer(front);
	say(front, peer, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
	hear(front, peer, heard, "\r\n0\r\n\r\n", 1);
	assert_int_equal(front->rooms, 1);
	assert_true(evbuffer_get_length(heard) > BIG_BYTES);
	until(front, &front->sent, 1);
	close(peer);
	evbuffer_free(heard);
}

static void test_expect_is_answered_once_and_only_on_request(void **state)
{
	struct front *front = *state;
	struct evbuffer *heard = evbuffer_new();
	int peer = connect_peer(front);

	front->manner = ANSWER_AT_BODY_END;
	say(front, peer,
		"POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
	hear(front, peer, heard, "100 Continue\r\n\r\n", 1);
	say(front, peer, "ok");
	hear(front, peer, heard, "200 OK", 1);
	say(front, peer, "POST /f HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok");
	hear(front, peer, heard, "/f", 1);
	assert_null(strstr(strstr(text_of(heard), "100 Continue") + 1, "100 Continue"));
	close(peer);
	evbuffer_free(heard);
}

static void test_an_http_1_0_client_gets_no_chunks(void **state)
{
	struct front *front = *state;
	struct evbuffer *heard = evbuffer_new();
	int peer = connect_peer(front);

	front->manner = ANSWER_BIG;
	say(front, peer, "GET /big HTTP/1.0\r\n\r\n");
	assert_true(hear(front, peer, heard, NULL, 0));
	assert_true(evbuffer_get_length(heard) > BIG_BYTES);
	assert_null(strstr(text_of(heard), "chunked"));
	close(peer);
	evbuffer_free(heard);
}

static void test_accepting_stops_at_the_limit_and_goes_on(void **state)
{
	struct front *front = *state;
	struct evbuffer *heard = evbuffer_new();
	int first;
	int second;

	front->settings->max_connections = 1;
	first = connect_peer(front);
	say(front, first, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
	hear(front, first, heard, "/1", 1);
	second = connect_peer(front); /* the kernel's backlog takes it */
	say(front, second, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
	for (int i = 0; i < 20; i++)
		turn(front);
	assert_int_equal(front->requests, 1);
	close(first);
	hear(front, second, heard, "/2", 1);
	assert_int_equal(front->requests, 2);
	close(second);
	evbuffer_free(heard);
}

static void test_a_flood_from_one_address_is_refused(void **state)
{
	struct front *front = *state;
	struct evbuffer *heard = evbuffer_new();
	int first;
	int second;

	front->settings->max_connections_per_address = 1;
	first = connect_peer(front);
	say(front, first, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
	hear(front, first, heard, "/1", 1);
	second = connect_peer(front);
	assert_true(hear(front, second, heard, NULL, 0));
	assert_int_equal(clients_count(front->clients), 1);
	close(first);
	close(second);
	/* one that went makes room */
	until_no_clients(front);
	first = connect_peer(front);
	say(front, first, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
	evbuffer_drain(heard, evbuffer_get_length(heard));
	hear(front, first, heard, "/2", 1);
	close(first);
	evbuffer_free(heard);
}

static bool is_in_valgrind(void)
{
	const char *preloaded = getenv("LD_PRELOAD");

	return preloaded && strstr(preloaded, "vgpreload");
}

static void test_running_out_of_descriptors_is_survived(void **state)
{
	struct front *front = *state;
	struct evbuffer *heard;
	struct rlimit old;
	struct rlimit tight;
	int peer;
	int probe;

	if (is_in_valgrind())
		skip(); /* it keeps descriptors of its own and answers setrlimit() itself */
	heard = evbuffer_new();
	peer = connect_peer(front);
	probe = dup(peer);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = old;
	tight.rlim_cur = (rlim_t)probe;
	close(probe);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	send(peer, "GET /late HTTP/1.1\r\nHost: a\r\n\r\n", 32, MSG_NOSIGNAL);
	for (int i = 0; i < 50; i++)
		turn(front);
	assert_int_equal(front->requests, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	hear(front, peer, heard, "/late", 1);
	assert_int_equal(front->requests, 1);
	close(peer);
	evbuffer_free(heard);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_a_connection_is_handed_over_and_answered),
		T(test_a_head_may_arrive_byte_by_byte),
		T(test_pipelined_requests_are_answered_in_order),
		T(test_leaving_with_pipelined_bytes_pending_is_seen),
		T(test_a_reset_with_pipelined_bytes_pending_is_seen),
		T(test_a_reset_while_the_body_is_held_back_is_seen),
		T(test_a_body_that_was_held_back_goes_on),
		T(test_an_answer_without_length_that_is_cut_is_reset),
		T(test_an_early_refusal_is_read_while_the_body_goes_on),
		T(test_a_bad_head_is_answered_and_the_connection_closed),
		T(test_a_malformed_chunk_fails_the_body),
		T(test_a_slow_head_is_told_and_closed),
		T(test_an_idle_connection_is_closed),
		T(test_a_reader_that_stalls_is_cut),
		T(test_room_is_told_when_the_reader_goes_on),
		T(test_expect_is_answered_once_and_only_on_request),
		T(test_an_http_1_0_client_gets_no_chunks),
		T(test_accepting_stops_at_the_limit_and_goes_on),
		T(test_a_flood_from_one_address_is_refused),
		T(test_running_out_of_descriptors_is_survived),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
