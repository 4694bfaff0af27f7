/*
 * The writing half of a client connection, and its time limits. On plain TCP what a turn collected
 * is written at once, one writev; only what the kernel does not take waits for an event
 * (FACTS: this saves an epoll_ctl and a turn for each answer). A TLS bufferevent writes by
 * itself as soon as the loop turns again, which is at once: the socket is writable.
 */
#include <errno.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/delay.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "front/client_parts.h"

enum {
	US_PER_MS = 1000,
	US_PER_S = 1000 * 1000,
	/* Longest wait for the peer to close after our side was shut. */
	CLOSING_US = 2 * US_PER_S,
	/* A TLS record (RFC 8446 section 5.1). */
	RECORD_BYTES = 16 * 1024,
};

struct evbuffer *client_output(struct client *client)
{
	return client->output;
}

void client_mark_dirty(struct client *client)
{
	if (client->state != CLIENT_CLOSED && list_is_empty(&client->dirty_link))
		list_append(&client->clients->dirty, &client->dirty_link);
}

bool client_has_room(const struct client *client)
{
	return client_unsent_bytes(client) < CLIENT_UNSENT_HIGH;
}

size_t client_unsent_bytes(const struct client *client)
{
	return evbuffer_get_length(client->output);
}

/* libevent makes a record and a system call of each piece: a streamed line has three. */
static void join_pieces(struct evbuffer *output)
{
	size_t length = evbuffer_get_length(output);

	evbuffer_pullup(output, (ev_ssize_t)(length < RECORD_BYTES ? length : RECORD_BYTES));
}

/* Errors are left to the event path, where nothing is freed under anybody's feet. */
static bool write_at_once(struct client *client)
{
	struct evbuffer *output = client_output(client);

	if (evbuffer_get_length(output) == 0)
		return true;
	if (client->is_tls) {
		join_pieces(output);
		return false;
	}
	if (evbuffer_write(output, client->fd) > 0)
		client->last_write_us = ticker_now_us();
	return evbuffer_get_length(output) == 0;
}

static void on_progress(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg)
{
	struct client *client = arg;

	if (info->n_deleted > 0)
		client->last_write_us = ticker_now_us();
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;
	int written = evbuffer_write_atmost(client->output, fd, CLIENT_MOVED_BYTES);

	if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (written <= 0) {
		client_close(client, OUTCOME_CLIENT_GONE);
		return;
	}
	client->last_write_us = ticker_now_us();
	if (client_unsent_bytes(client) <= CLIENT_OUTPUT_LOW_BYTES)
		client_on_drained(client);
}

static void write_by_event(struct client *client)
{
	if (client->writes_by_event)
		return;
	client->writes_by_event = true;
	client->last_write_us = ticker_now_us();
	if (client->is_tls) {
		client->progress = evbuffer_add_cb(client->output, on_progress, client);
	} else {
		if (!client->writable)
			client->writable = event_new(client->clients->base, client->fd,
				EV_WRITE | EV_PERSIST, on_writable, client);
		if (!client->writable)
			mem_out(sizeof(*client));
		event_add(client->writable, NULL);
	}
	client_arm(client);
}

static void stop_write_by_event(struct client *client)
{
	if (!client->writes_by_event)
		return;
	client->writes_by_event = false;
	if (client->is_tls)
		evbuffer_remove_cb_entry(client->output, client->progress);
	else
		event_del(client->writable);
	client->progress = NULL;
}

static void tell_room(struct client *client)
{
	if (!client->wants_room || !client_has_room(client))
		return;
	client->wants_room = false;
	if (client->user)
		client->user->on_room(client->user_arg);
}

void client_flush(struct client *client)
{
	if (client->state == CLIENT_CLOSED)
		return;
	if (!client->writes_by_event && !write_at_once(client)) {
		write_by_event(client);
		tell_room(client);
		return;
	}
	if (client_unsent_bytes(client) > 0)
		return;
	tell_room(client);
	if (client->state != CLIENT_CLOSED && client->answer_ended &&
		client_unsent_bytes(client) == 0)
		client_answer_delivered(client);
}

void client_on_drained(struct client *client)
{
	client->last_write_us = ticker_now_us();
	if (client_unsent_bytes(client) > 0) {
		tell_room(client);
		return;
	}
	stop_write_by_event(client);
	client_flush(client);
}

void client_output_finish(struct client *client)
{
	stop_write_by_event(client);
	if (client->writable)
		event_free(client->writable);
	client->writable = NULL;
	list_remove(&client->dirty_link);
}

/* The nearer of two moments; a limit of 0 is none. */
static int64_t nearer(int64_t due_us, int64_t since_us, int64_t limit_ms)
{
	int64_t other_us = since_us + limit_ms * US_PER_MS;

	if (limit_ms <= 0)
		return due_us;
	return due_us == 0 || other_us < due_us ? other_us : due_us;
}

/* When the present state must have ended; 0: never. `ret_why` says how it ends. */
static int64_t limit_of(const struct client *client, enum outcome *ret_why)
{
	const struct settings *settings = client->clients->settings;
	int64_t due_us = 0;

	*ret_why = OUTCOME_CLIENT_GONE;
	switch (client->state) {
	case CLIENT_HANDSHAKE:
		return nearer(0, client->since_us, settings->header_timeout_ms);
	case CLIENT_HEAD:
		if (client->head_started_us) {
			*ret_why = OUTCOME_REQUEST_TIMEOUT;
			return nearer(0, client->head_started_us, settings->header_timeout_ms);
		}
		return nearer(0, client->since_us, settings->idle_timeout_ms);
	case CLIENT_BODY:
		/* Nor while the client waits for a 100 that its user has yet to give. */
		if (!client->body_paused && !client->answer_ended &&
			!(client->continue_owed && client->user)) {
			due_us = nearer(0, client->last_read_us, settings->body_timeout_ms);
			*ret_why = OUTCOME_REQUEST_TIMEOUT;
		}
		break;
	case CLIENT_ANSWERING:
		break;
	case CLIENT_LINGERING:
		return nearer(0, client->last_read_us, settings->body_timeout_ms);
	case CLIENT_CLOSING:
		return client->since_us + CLOSING_US;
	case CLIENT_CLOSED:
		return 0;
	}
	if (client->writes_by_event && settings->write_timeout_ms > 0) {
		int64_t write_due_us = nearer(0, client->last_write_us, settings->write_timeout_ms);

		if (due_us == 0 || write_due_us < due_us) {
			*ret_why = OUTCOME_CLIENT_STALLED;
			due_us = write_due_us;
		}
	}
	return due_us;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;
	enum outcome why;
	int64_t due_us;

	client->timer_due_us = 0;
	due_us = limit_of(client, &why);
	if (due_us == 0)
		return;
	if (due_us > ticker_now_us()) {
		client_arm(client);
		return;
	}
	if (why != OUTCOME_REQUEST_TIMEOUT) {
		client_close(client, why);
		return;
	}
	if (client->state == CLIENT_HEAD) {
		client->close_after = true;
		client_set_state(client, CLIENT_ANSWERING);
		client->clients->events.on_slow_head(client->clients->events.arg, client);
	} else {
		client->last_read_us = ticker_now_us();
		client_body_failed(client, OUTCOME_REQUEST_TIMEOUT);
	}
	if (client->state != CLIENT_CLOSED)
		client_arm(client);
}

/* A timer that is pending for an earlier moment is left alone: it looks again when it fires, which
 * costs less than moving it for each request. */
void client_arm(struct client *client)
{
	enum outcome why;
	int64_t due_us = limit_of(client, &why);
	int64_t wait_us = due_us - ticker_now_us();

	if (due_us == 0 || (client->timer_due_us && client->timer_due_us <= due_us))
		return;
	if (!client->timer)
		client->timer = evtimer_new(client->clients->base, on_timer, client);
	client->timer_due_us = due_us;
	delay_start(client->timer, wait_us);
}
