#include "back/errand.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "back/exchange.h"
#include "back/pool.h"
#include "back/probe.h"
#include "base/delay.h"
#include "base/memory.h"
#include "config/settings.h"

enum { US_PER_MS = 1000 };

/* Nothing is under way any more; the event that follows may begin the next. */
static void rest(struct errand *errand)
{
	if (errand->exchange)
		exchange_cancel(errand->exchange);
	errand->exchange = NULL;
	event_del(errand->timer);
	free(errand->body);
	errand->body = NULL;
}

bool errand_is_under_way(const struct errand *errand)
{
	return errand->exchange != NULL;
}

static void fail(struct errand *errand, enum outcome outcome, bool is_broken)
{
	rest(errand);
	errand->events->on_failed(errand->arg, outcome, is_broken);
}

static void could_not_begin(struct errand *errand)
{
	if (pool_failed_locally(errand->pool)) {
		fail(errand, OUTCOME_QUEUE_FULL, false);
		return;
	}
	probe_note_refused(errand->probe);
	fail(errand, OUTCOME_UPSTREAM_REFUSED, true);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct errand *errand = arg;

	if (errand->is_connected) {
		fail(errand, OUTCOME_UPSTREAM_TIMEOUT, false);
		return;
	}
	probe_note_refused(errand->probe);
	fail(errand, OUTCOME_UPSTREAM_REFUSED, true);
}

static void on_connected(void *arg)
{
	struct errand *errand = arg;

	errand->is_connected = true;
	event_del(errand->timer);
	if (errand->limit_us > 0)
		delay_start(errand->timer, errand->limit_us);
}

static void on_head(void *arg, const struct exchange_head *head)
{
	struct errand *errand = arg;

	errand->status = head->status;
}

static void on_data(void *arg, struct evbuffer *data)
{
	struct errand *errand = arg;

	/* What is longer is none of the answers that are understood. */
	if (evbuffer_get_length(errand->answer) + evbuffer_get_length(data) > ERRAND_ANSWER_MOST)
		return;
	if (evbuffer_add_buffer(errand->answer, data) != 0)
		mem_out(evbuffer_get_length(data));
}

static void take_answer(struct errand *errand)
{
	size_t length = evbuffer_get_length(errand->answer);
	char *text = mem_alloc(length + 1);

	/* The event may ask the next question. */
	if (length > 0)
		evbuffer_remove(errand->answer, text, length);
	text[length] = '\0';
	rest(errand);
	probe_note_answered(errand->probe);
	errand->events->on_answered(errand->arg, errand->status, text, length);
	free(text);
}

static void on_end(void *arg, enum exchange_end end)
{
	struct errand *errand = arg;

	errand->exchange = NULL;
	switch (end) {
	case EXCHANGE_COMPLETE:
		take_answer(errand);
		break;
	case EXCHANGE_REFUSED:
		could_not_begin(errand);
		break;
	case EXCHANGE_RESET:
	case EXCHANGE_MALFORMED:
	case EXCHANGE_TRUNCATED:
		probe_note_broken(errand->probe);
		fail(errand, OUTCOME_UPSTREAM_RESET, true);
		break;
	}
}

static const struct exchange_events exchange_events = {
	.on_connected = on_connected,
	.on_head = on_head,
	.on_data = on_data,
	.on_end = on_end,
};

static bool fill_body(void *arg, struct evbuffer *out)
{
	const struct errand *errand = arg;

	return evbuffer_add(out, errand->body, strlen(errand->body)) == 0;
}

void errand_ask(struct errand *errand, const char *target, char *body, int64_t limit_us)
{
	struct field items[] = {{"Content-Type", "application/json", strlen("Content-Type"),
		strlen("application/json")}};
	const struct fields with_body = {items, ARRAY_LENGTH(items), ARRAY_LENGTH(items)};
	const struct fields without = {0};
	const struct exchange_request request = {
		.method = body ? "POST" : "GET",
		.target = target,
		.fields = body ? &with_body : &without,
		.fill_body = body ? fill_body : NULL,
		.body_bytes = body ? strlen(body) : 0,
		.has_body = body != NULL,
		/* A load must not be lost to an idle connection that Ollama just closed. */
		.wants_fresh = true,
	};
	int64_t connect_ms = errand->settings->upstream_connect_timeout_ms;

	assert(!errand->exchange && !errand->body);
	errand->body = body;
	errand->limit_us = limit_us;
	errand->status = 0;
	errand->is_connected = false;
	evbuffer_drain(errand->answer, evbuffer_get_length(errand->answer));
	if (connect_ms > 0)
		delay_start(errand->timer, connect_ms * US_PER_MS);
	errand->exchange = exchange_start(errand->pool, &request, &exchange_events, errand);
	if (!errand->exchange)
		could_not_begin(errand);
}

void errand_init(struct errand *errand, struct event_base *base, struct pool *pool,
	struct probe *probe, const struct settings *settings, const struct errand_events *events,
	void *arg)
{
	*errand = (struct errand){
		.pool = pool,
		.probe = probe,
		.settings = settings,
		.events = events,
		.arg = arg,
		.timer = evtimer_new(base, on_timer, errand),
		.answer = evbuffer_new(),
	};
	if (!errand->timer || !errand->answer)
		mem_out(sizeof(*errand));
}

void errand_finish(struct errand *errand)
{
	rest(errand);
	event_free(errand->timer);
	evbuffer_free(errand->answer);
}
