#include "admin/events.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "admin/admin.h"
#include "base/delay.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "front/client.h"
#include "front/reply.h"
#include "http/fields.h"
#include "json/writer.h"

static const char content_type[] = "text/event-stream";
/* What a browser waits before it comes back, in milliseconds. */
static const char greeting[] = "retry: 2000\n\n";
static const char comment[] = ":\n\n";

struct subscriber {
	struct events *events;
	struct client *client;
	struct list link;
};

struct events {
	struct admin_view (*view)(void *arg);
	void *arg;
	struct event *timer;
	struct list all;
	size_t count;
	int64_t due_us;	 /* 0: the timer is not pending */
	int64_t sent_us; /* the last pair */
	int64_t said_us; /* the last pair or comment */
	bool has_news;
	bool draining;
};

static void arm(struct events *events);

static void unsubscribe(struct subscriber *subscriber)
{
	list_remove(&subscriber->link);
	subscriber->events->count--;
	free(subscriber);
}

static void put_event(struct evbuffer *out, const char *name, struct json_writer *writer)
{
	size_t length;
	const char *json = json_writer_get(writer, &length);

	evbuffer_add_printf(out, "event: %s\ndata: ", name);
	evbuffer_add(out, json, length);
	evbuffer_add(out, "\n\n", strlen("\n\n"));
	json_writer_reset(writer);
}

/* true: jobs are under way, so that the next pair differs in any case. */
static bool write_pair(struct events *events, struct evbuffer *out)
{
	struct admin_view view = events->view(events->arg);
	struct json_writer *writer = json_writer_create();

	admin_write_stats(writer, &view);
	put_event(out, "stats", writer);
	admin_write_requests(writer, &view);
	put_event(out, "requests", writer);
	json_writer_destroy(writer);
	return !list_is_empty(view.living_jobs);
}

/* Copies: reply_data() takes what it is given. */
static void send_to(struct subscriber *subscriber, const void *bytes, size_t length)
{
	struct evbuffer *piece = evbuffer_new();

	if (!piece || evbuffer_add(piece, bytes, length) != 0)
		mem_out(length);
	reply_data(subscriber->client, piece);
	evbuffer_free(piece);
}

static void send_to_all(struct events *events, const void *bytes, size_t length)
{
	struct list *node;

	LIST_EACH(&events->all, node)
	{
		struct subscriber *subscriber = CONTAINER_OF(node, struct subscriber, link);

		/* A slow reader misses this one. */
		if (client_unsent_bytes(subscriber->client) == 0)
			send_to(subscriber, bytes, length);
	}
	events->said_us = ticker_now_us();
}

static void send_pair(struct events *events)
{
	struct evbuffer *out = evbuffer_new();

	if (!out)
		mem_out(sizeof(*events));
	/* Jobs that live are news for the next one. */
	events->has_news = write_pair(events, out);
	events->sent_us = ticker_now_us();
	send_to_all(events, evbuffer_pullup(out, -1), evbuffer_get_length(out));
	evbuffer_free(out);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct events *events = arg;
	int64_t now_us = ticker_now_us();

	events->due_us = 0;
	if (events->count == 0)
		return;
	if (events->has_news)
		send_pair(events);
	else if (now_us - events->said_us >= EVENTS_QUIET_US)
		send_to_all(events, comment, strlen(comment));
	arm(events);
}

/* The nearest moment at which there is something to send; a change may bring it nearer. */
static void plan(struct events *events, int64_t due_us)
{
	if (events->due_us && events->due_us <= due_us)
		return;
	events->due_us = due_us;
	delay_start(events->timer, due_us - ticker_now_us());
}

static void arm(struct events *events)
{
	plan(events, events->has_news ? events->sent_us + EVENTS_BUSY_US
				      : events->said_us + EVENTS_QUIET_US);
}

void events_changed(struct events *events)
{
	if (events->count == 0)
		return;
	events->has_news = true;
	plan(events, events->sent_us + EVENTS_PAUSE_US);
}

/* The request's body is of no interest. */
static void on_body(void *arg, struct evbuffer *data, bool is_complete)
{
	evbuffer_drain(data, evbuffer_get_length(data));
}

static void on_left(void *arg, enum outcome why)
{
	unsubscribe(arg);
}

static void on_body_failed(void *arg, enum outcome why)
{
	struct subscriber *subscriber = arg;

	reply_cut(subscriber->client, NULL);
	client_release(subscriber->client);
	unsubscribe(subscriber);
}

static void on_nothing(void *arg)
{
}

static const struct client_user user = {
	.on_body = on_body,
	.on_left = on_left,
	.on_body_failed = on_body_failed,
	.on_room = on_nothing,
	.on_sent = on_nothing,
};

static void refuse(struct client *client, enum outcome outcome, const char *text)
{
	const struct reply_error error = {.outcome = outcome, .text = text, .retry_after = 1};

	reply_error(client, &error);
}

static void begin(struct events *events, struct client *client)
{
	struct subscriber *subscriber = mem_zalloc(sizeof(*subscriber));
	struct evbuffer *out = evbuffer_new();

	if (!out || evbuffer_add(out, greeting, strlen(greeting)) != 0)
		mem_out(sizeof(greeting));
	subscriber->events = events;
	subscriber->client = client;
	list_init(&subscriber->link);
	list_append(&events->all, &subscriber->link);
	events->count++;
	client_accept(client, &user, subscriber);
	reply_stream_head(client, content_type, NULL);
	if (write_pair(events, out))
		events->has_news = true;
	reply_data(client, out);
	evbuffer_free(out);
	if (events->count == 1)
		events->sent_us = events->said_us = ticker_now_us();
	arm(events);
}

static void answer_head(struct client *client)
{
	reply_stream_head(client, content_type, NULL);
	reply_end(client);
}

void events_answer(struct events *events, struct client *client)
{
	if (events->draining)
		refuse(client, OUTCOME_SHUTTING_DOWN, NULL);
	else if (events->count >= EVENTS_MOST)
		refuse(client, OUTCOME_QUEUE_FULL,
			"too many read these events: close a page that shows them");
	else if (strcmp(client_head(client)->method, "HEAD") == 0)
		answer_head(client);
	else
		begin(events, client);
}

void events_drain(struct events *events)
{
	struct list *node;
	struct list *following;

	events->draining = true;
	if (events->count > 0)
		send_pair(events);
	LIST_EACH_SAFE(&events->all, node, following)
	{
		struct subscriber *subscriber = CONTAINER_OF(node, struct subscriber, link);

		reply_end(subscriber->client);
		client_release(subscriber->client);
		unsubscribe(subscriber);
	}
}

size_t events_count(const struct events *events)
{
	return events->count;
}

struct events *events_create(
	struct event_base *base, struct admin_view (*view)(void *arg), void *arg)
{
	struct events *events = mem_zalloc(sizeof(*events));

	events->view = view;
	events->arg = arg;
	events->timer = evtimer_new(base, on_timer, events);
	if (!events->timer)
		mem_out(sizeof(*events));
	list_init(&events->all);
	return events;
}

void events_destroy(struct events *events)
{
	struct list *node;
	struct list *following;

	if (!events)
		return;
	LIST_EACH_SAFE(&events->all, node, following)
	{
		struct subscriber *subscriber = CONTAINER_OF(node, struct subscriber, link);

		client_abort(subscriber->client);
		unsubscribe(subscriber);
	}
	event_free(events->timer);
	free(events);
}
