#include "front/client.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/graveyard.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/pieces.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "front/addresses.h"
#include "front/client_parts.h"
#include "front/hangup.h"
#include "io/tls.h"

enum {
	/* Body bytes handed on in one call: a page's worth of base64, yet no other connection waits
	   long (STYLE B3.5). */
	BODY_MOST_BYTES = 256 * 1024,
	/* Far above what any client sends (browsers: about 30), far below what would make a search
	   through them cost. */
	HEAD_FIELDS_MOST = 1000,
	/* What nginx and Apache allow. */
	TARGET_MOST_BYTES = 8190,
};

static void on_readable(struct bufferevent *connection, void *arg);
static void on_writable(struct bufferevent *connection, void *arg);
static void on_event(struct bufferevent *connection, short what, void *arg);

/* A TLS connection is its bufferevent's. */
static void keep_connection(struct client *client, struct bufferevent *connection)
{
	client->connection = connection;
	client->input = bufferevent_get_input(connection);
	client->output = bufferevent_get_output(connection);
	bufferevent_setcb(connection, on_readable, on_writable, on_event, client);
	bufferevent_setwatermark(connection, EV_WRITE, CLIENT_OUTPUT_LOW_BYTES, 0);
	bufferevent_set_max_single_read(connection, CLIENT_MOVED_BYTES);
	bufferevent_set_max_single_write(connection, CLIENT_MOVED_BYTES);
}

/* A plain one needs no more than its socket and two buffers: half a kilobyte less for each. */
static void keep_socket(struct client *client, struct bufferevent *connection)
{
	bufferevent_setfd(connection, -1);
	bufferevent_free(connection);
	client->input = evbuffer_new();
	client->output = evbuffer_new();
	if (!client->input || !client->output)
		mem_out(sizeof(*client));
}

struct client *client_create(struct clients *clients, struct bufferevent *connection,
	const char *ip, bool is_loopback, bool is_tls)
{
	struct client *client = mem_zalloc(sizeof(*client));

	client->clients = clients;
	client->fd = bufferevent_getfd(connection);
	client->ip = mem_strdup(ip);
	client->is_loopback = is_loopback;
	client->is_tls = is_tls;
	client->state = is_tls ? CLIENT_HANDSHAKE : CLIENT_HEAD;
	client->since_us = ticker_now_us();
	client->last_write_us = client->since_us;
	list_init(&client->dirty_link);
	list_append(&clients->all, &client->link);
	clients->count++;
	if (is_tls)
		keep_connection(client, connection);
	else
		keep_socket(client, connection);
	client_input_start(client);
	client_arm(client);
	return client;
}

static void destroy_client(void *object)
{
	struct client *client = object;

	/* a head that did not become complete, or was pipelined, may hold a key all the same */
	pieces_wipe(client->input, evbuffer_get_length(client->input));
	request_head_finish(&client->head);
	if (client->timer)
		event_free(client->timer);
	client_input_finish(client);
	if (client->is_tls) {
		bufferevent_free(client->connection);
	} else {
		evbuffer_free(client->input);
		evbuffer_free(client->output);
		evutil_closesocket(client->fd);
	}
	settings_return(client->key_settings);
	free(client->ip);
	free(client->listen);
	free(client);
}

void client_set_state(struct client *client, enum client_state state)
{
	client->state = state;
	client->since_us = ticker_now_us();
}

/*
 * An answer was begun that its peer would take for whole if the connection just ended: only the
 * connection's end marks the end of its body, and not all of it was delivered.
 */
static bool is_broken_off(const struct client *client)
{
	bool is_delivered =
		client->answer_ended && !client->answer_cut && client_unsent_bytes(client) == 0;

	return client->answer_begun && !is_delivered && !client->answer_chunked &&
	       !client->answer_has_length && !client->answer_bodiless;
}

static void reset_on_close(struct client *client)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

void client_close(struct client *client, enum outcome why)
{
	const struct client_user *user = client->user;
	void *user_arg = client->user_arg;
	struct clients *clients = client->clients;

	if (client->state == CLIENT_CLOSED)
		return;
	client->user = NULL;
	/* Between two requests it is an end, in the middle of one a cut. */
	if (client->is_tls && client->state == CLIENT_HEAD)
		tls_send_end(client->connection);
	client_set_state(client, CLIENT_CLOSED);
	client_output_finish(client);
	client_input_stop(client);
	if (client->is_tls) {
		bufferevent_disable(client->connection, EV_READ | EV_WRITE);
		bufferevent_setcb(client->connection, NULL, NULL, NULL, NULL);
	}
	if (client->timer)
		evtimer_del(client->timer);
	if (client->is_watched)
		hangups_forget(clients->hangups, client->fd);
	if (is_broken_off(client))
		reset_on_close(client);
	list_remove(&client->link);
	clients->count--;
	addresses_leave(clients->addresses, client->address);
	if (user && why != OUTCOME_NONE)
		user->on_left(user_arg, why);
	graveyard_add(clients->graveyard, client, destroy_client);
	clients->events.on_closed(clients->events.arg);
}

void client_on_hang_up(struct client *client)
{
	client_close(client, OUTCOME_CLIENT_GONE);
}

static void stop_reading(struct client *client)
{
	if (client->is_watched)
		return;
	client->is_watched = true;
	client_input_stop(client);
	hangups_watch(client->clients->hangups, client->fd, client);
}

static void go_on_reading(struct client *client)
{
	if (!client->is_watched)
		return;
	client->is_watched = false;
	hangups_forget(client->clients->hangups, client->fd);
	client_input_start(client);
}

static void forget_request(struct client *client)
{
	request_head_finish(&client->head);
	client->key = NULL;
	client->has_head = false;
	client->has_served = true;
	client->body_paused = false;
	client->continue_owed = false;
	client->wants_room = false;
	client->answer_begun = false;
	client->answer_ended = false;
	client->answer_cut = false;
	client->answer_chunked = false;
	client->answer_has_length = false;
	client->answer_bodiless = false;
	client->head_started_us = 0;
	client->scanned = 0;
}

/* Reads a head if one is there. false: nothing more to do now. */
static bool process_head(struct client *client)
{
	struct clients *clients = client->clients;
	struct evbuffer *input = client->input;
	struct head_limits limits = {
		.head_bytes = (size_t)clients->settings->head_max,
		.target_bytes = TARGET_MOST_BYTES,
		.fields = HEAD_FIELDS_MOST,
	};
	enum http_error error = HTTP_ERROR_NONE;

	switch (request_head_read(&client->head, input, &client->scanned, &limits, &error)) {
	case HEAD_MORE:
		if (!client->head_started_us && evbuffer_get_length(input) > 0) {
			client->head_started_us = ticker_now_us();
			client_arm(client);
		}
		return false;
	case HEAD_WRONG:
		client->close_after = true;
		client_set_state(client, CLIENT_ANSWERING);
		clients->events.on_bad_head(clients->events.arg, client, error);
		return false;
	case HEAD_READY:
		break;
	}
	client->scanned = 0;
	client->has_head = true;
	client->close_after = !client->head.keep_alive || clients->draining;
	client->continue_owed = client->head.expect_continue;
	client->last_read_us = ticker_now_us();
	intake_begin(&client->intake, client->head.framing);
	client_set_state(client, CLIENT_BODY);
	clients->events.on_request(clients->events.arg, client);
	return true;
}

void client_body_failed(struct client *client, enum outcome why)
{
	client->close_after = true;
	client->body_lost = true;
	if (client->user)
		client->user->on_body_failed(client->user_arg, why);
	else if (!client->answer_ended)
		client_close(client, OUTCOME_CLIENT_GONE);
}

/* Hands on what came of the body. false: nothing more to do now. */
static bool process_body(struct client *client)
{
	struct evbuffer *input = client->input;
	struct evbuffer *piece;
	enum intake_status status;
	size_t length;

	if (client->body_paused && client->user) {
		stop_reading(client);
		return false;
	}
	piece = evbuffer_new();
	status = intake_read(&client->intake, input, piece, BODY_MOST_BYTES);
	length = evbuffer_get_length(piece);
	if (length > 0) {
		client->continue_owed = false;
		client->last_read_us = ticker_now_us();
	}
	if (status == INTAKE_WRONG) {
		client_set_state(client, CLIENT_ANSWERING);
		client_body_failed(client, OUTCOME_BAD_REQUEST);
	} else {
		if (status == INTAKE_COMPLETE)
			client_set_state(client, CLIENT_ANSWERING);
		if (client->user && (length > 0 || status == INTAKE_COMPLETE))
			client->user->on_body(client->user_arg, piece, status == INTAKE_COMPLETE);
	}
	evbuffer_free(piece);
	return client->state != CLIENT_BODY || (length == BODY_MOST_BYTES && !client->body_paused);
}

/* Pipelined bytes stay where they are; only a hang-up matters now. */
static bool process_while_answering(struct client *client)
{
	if (evbuffer_get_length(client->input) > 0)
		stop_reading(client);
	return false;
}

static void shut(struct client *client)
{
	/* A cut answer is to be seen as one. */
	if (client->is_tls && !client->answer_cut)
		tls_send_end(client->connection);
	shutdown(client->fd, SHUT_WR);
	client_set_state(client, CLIENT_CLOSING);
	go_on_reading(client);
	client_arm(client);
}

/* Throws the rest of the body away, so that no RST eats the answer (PRODUCT 2). */
static bool process_lingering(struct client *client)
{
	struct evbuffer *input = client->input;
	struct evbuffer *piece = evbuffer_new();
	enum intake_status status = intake_read(&client->intake, input, piece, BODY_MOST_BYTES);
	size_t length = evbuffer_get_length(piece);
	int64_t most = client->clients->settings->body_max;

	evbuffer_free(piece);
	if (length > 0)
		client->last_read_us = ticker_now_us();
	if (status == INTAKE_WRONG || (most > 0 && client->intake.received > (uint64_t)most)) {
		shut(client);
		return true;
	}
	if (status == INTAKE_COMPLETE) {
		if (client->close_after) {
			shut(client);
		} else {
			forget_request(client);
			client_set_state(client, CLIENT_HEAD);
		}
		return true;
	}
	return length == BODY_MOST_BYTES;
}

static bool process_closing(struct client *client)
{
	struct evbuffer *input = client->input;

	evbuffer_drain(input, evbuffer_get_length(input));
	return false;
}

void client_process(struct client *client)
{
	bool go_on = true;

	/* A handler that answers at once comes here again by client_flush only, never from inside.
	 */
	if (client->in_handler)
		return;
	client->in_handler = true;
	while (go_on) {
		switch (client->state) {
		case CLIENT_HANDSHAKE:
			go_on = false;
			break;
		case CLIENT_HEAD:
			go_on = process_head(client);
			break;
		case CLIENT_BODY:
			go_on = process_body(client);
			break;
		case CLIENT_ANSWERING:
			go_on = process_while_answering(client);
			break;
		case CLIENT_LINGERING:
			go_on = process_lingering(client);
			break;
		case CLIENT_CLOSING:
			go_on = process_closing(client);
			break;
		case CLIENT_CLOSED:
			go_on = false;
			break;
		}
	}
	client->in_handler = false;
	if (client->state != CLIENT_CLOSED)
		client_arm(client);
}

void client_answer_delivered(struct client *client)
{
	const struct client_user *user = client->user;
	void *user_arg = client->user_arg;
	bool was_handling = client->in_handler;

	client->user = NULL;
	client->in_handler = true;
	if (user)
		user->on_sent(user_arg);
	client->in_handler = was_handling;
	if (client->answer_cut) {
		/* Without its last chunk, or short of its length, it is seen to be broken; what was
		 * said last is to be read. */
		if (is_broken_off(client))
			client_close(client, OUTCOME_NONE);
		else
			shut(client);
		return;
	}
	if (client->state == CLIENT_CLOSING)
		return;
	if (client->has_head && !client->intake.is_complete && !client->continue_owed &&
		!client->body_lost) {
		client_set_state(client, CLIENT_LINGERING);
		client->last_read_us = ticker_now_us();
		go_on_reading(client);
	} else if (client->close_after || client->clients->draining) {
		shut(client);
	} else {
		forget_request(client);
		client_set_state(client, CLIENT_HEAD);
		go_on_reading(client);
	}
	client_process(client);
}

static void on_readable(struct bufferevent *connection, void *arg)
{
	client_process(arg);
}

static void on_writable(struct bufferevent *connection, void *arg)
{
	client_on_drained(arg);
}

/* Told at debug level only: scanners and health checks of load balancers do it all day. */
static void tell_handshake_failure(const struct client *client)
{
	char *reason;

	if (!log_is_on(LOG_DEBUG))
		return;
	reason = tls_failure(client->connection);
	LOG(DEBUG, "TLS handshake failed", LOG_TEXT("client", client->ip),
		LOG_TEXT("reason", reason));
	free(reason);
}

static void on_event(struct bufferevent *connection, short what, void *arg)
{
	struct client *client = arg;

	if (what & BEV_EVENT_CONNECTED) {
		client_set_state(client, CLIENT_HEAD);
		client_process(client);
		return;
	}
	if (client->state == CLIENT_HANDSHAKE)
		tell_handshake_failure(client);

	/* A FIN before the answer counts as leaving: it cannot be told from a disconnect (Ollama
	 * does the same). */
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		client_close(client, OUTCOME_CLIENT_GONE);
}

const struct request_head *client_head(const struct client *client)
{
	return &client->head;
}

struct request_head *client_head_to_check(struct client *client)
{
	assert(client->has_head && !client->user);
	return &client->head;
}

void client_set_key(struct client *client, const struct api_key *key)
{
	settings_return(client->key_settings);
	client->key_settings = key ? settings_take(client->clients->settings) : NULL;
	client->key = key;
}

const struct api_key *client_key(const struct client *client)
{
	return client->key;
}

const char *client_listen(const struct client *client)
{
	return client->listen;
}

bool client_came_by_admin(const struct client *client)
{
	return client->came_by_admin;
}

const char *client_ip(const struct client *client)
{
	return client->ip;
}

bool client_is_loopback(const struct client *client)
{
	return client->is_loopback;
}

void client_accept(struct client *client, const struct client_user *user, void *arg)
{
	assert(client->has_head && !client->user && !client->answer_begun);
	client->user = user;
	client->user_arg = arg;
}

void client_release(struct client *client)
{
	client->user = NULL;
	client->user_arg = NULL;
	if (client->body_paused)
		client_resume_body(client);
}

void client_abort(struct client *client)
{
	client->user = NULL;
	client_close(client, OUTCOME_NONE);
}

void client_send_continue(struct client *client)
{
	static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (!client->continue_owed || client->answer_begun)
		return;
	client->continue_owed = false;
	evbuffer_add(client_output(client), interim, sizeof(interim) - 1);
	client_mark_dirty(client);
}

void client_pause_body(struct client *client)
{
	client->body_paused = true;
}

void client_resume_body(struct client *client)
{
	if (!client->body_paused)
		return;
	client->body_paused = false;
	client->last_read_us = ticker_now_us();
	go_on_reading(client);
	/* What was read before the pause has no event of its own. */
	client_input_again(client);
}
