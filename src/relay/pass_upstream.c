/* Ollama's side of a pass, the same for exchange and tunnel. */
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "back/exchange.h"
#include "back/pool.h"
#include "back/probe.h"
#include "back/tunnel.h"
#include "base/memory.h"
#include "base/pieces.h"
#include "base/ticker.h"
#include "front/client.h"
#include "front/reply.h"
#include "io/spool.h"
#include "relay/forward.h"
#include "relay/pass_parts.h"

enum { STATUS_NO_CONTENT = 204 };

static void on_connected(void *arg)
{
	struct pass *pass = arg;

	pass_set_phase(pass, PASS_AWAITING);
	pass_arm(pass);
}

static void on_interim(void *arg, int status, const struct fields *fields)
{
	struct pass *pass = arg;

	forward_interim(pass->client, status, fields);
}

/* The length of an answer to HEAD and of a 304 is passed on, though no body follows; that of a 204
 * says nothing and must not be (RFC 9110 §8.6). */
static int64_t bodiless_length(const struct exchange_head *head)
{
	const struct field *length = fields_find(head->fields, "Content-Length");
	int64_t value = 0;

	if (head->framing.kind != FRAMING_NONE || head->status == STATUS_NO_CONTENT || !length)
		return -1;
	for (size_t i = 0; i < length->value_length; i++) {
		if (length->value[i] < '0' || length->value[i] > '9' ||
			__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, length->value[i] - '0', &value))
			return -1;
	}
	return value;
}

/* Only streams of lines or events are watched: for the error line of a broken one. */
static void begin_tap(struct pass *pass, const struct exchange_head *head)
{
	const struct field *type = fields_find(head->fields, "Content-Type");

	pass->format = tap_format_of(type ? type->value : NULL, type ? type->value_length : 0);
	if (pass->format == TAP_NDJSON || pass->format == TAP_SSE) {
		pass->tap = tap_create(pass->format);
		pass->record.stream = KNOWN_TRUE;
	}
}

static void on_head(void *arg, const struct exchange_head *head)
{
	struct pass *pass = arg;
	struct forward forward = {0};

	probe_note_answered(pass->passes->parts.probe);
	pass_set_phase(pass, PASS_STREAMING);
	pass->status = head->status;
	pass->activity_us = ticker_now_us();
	forward_response(&forward, head->fields, &pass->record, KNOWN_NOT);
	reply_head(pass->client, head->status, head->reason, &forward.fields, head->framing,
		bodiless_length(head));
	forward_finish(&forward);
	pass->answer_begun = true;
	begin_tap(pass, head);
	pass->record.http_status = head->status;
	pass->record.response_bytes = 0;
	pass_arm(pass);
}

static void pause_upstream(struct pass *pass)
{
	pass->upstream_paused = true;
	if (pass->exchange)
		exchange_pause(pass->exchange);
	else
		tunnel_pause(pass->tunnel);
}

static void feed_tap(void *object, const void *bytes, size_t length)
{
	tap_feed(object, bytes, length);
}

static void on_data(void *arg, struct evbuffer *data)
{
	struct pass *pass = arg;

	if (!pass->record.first_byte_us)
		pass->record.first_byte_us = ticker_now_us();
	pass->record.response_bytes += (int64_t)evbuffer_get_length(data);
	if (pass->tap)
		pieces_feed(data, feed_tap, pass->tap);
	pass->activity_us = ticker_now_us();
	reply_data(pass->client, data);
	if (!pass->upstream_paused && !client_has_room(pass->client))
		pause_upstream(pass);
}

/* A reused connection that ended before any byte was an idle one that Ollama had just closed: a GET
 * or HEAD is sent once more (PRODUCT 3.11). */
static bool may_send_again(const struct pass *pass, bool was_stale)
{
	return was_stale && !pass->sent_again && !pass->answer_begun &&
	       (strcmp(pass->record.method, "GET") == 0 ||
		       strcmp(pass->record.method, "HEAD") == 0);
}

static bool changes_models(const struct pass *pass)
{
	enum operation operation = pass->record.operation;

	return operation == OPERATION_DELETE || operation == OPERATION_CREATE ||
	       operation == OPERATION_PULL || operation == OPERATION_COPY;
}

/* What is there or loaded may have changed: a mere unload, or models that came, went or were
 * replaced. */
static void tell_changes(const struct pass *pass)
{
	const struct passes_parts *parts = &pass->passes->parts;

	if (pass->is_unload || changes_models(pass))
		probe_refresh_soon(parts->probe);
	if (changes_models(pass) && parts->on_models_changed)
		parts->on_models_changed(parts->arg);
}

static void complete(struct pass *pass)
{
	tell_changes(pass);
	/* What the client still uploads is of no use: the client throws it away itself (an early
	 * answer). */
	pass_set_phase(pass, PASS_FLUSHING);
	client_resume_body(pass->client);
	reply_end(pass->client);
}

void pass_refused(struct pass *pass, const char *text)
{
	probe_note_refused(pass->passes->parts.probe);
	pass_fail(pass, OUTCOME_UPSTREAM_REFUSED, text);
}

/* No connection came about: for want of our own means, or because nobody accepted it. */
static void could_not_begin(struct pass *pass)
{
	struct pool *pool = pass->passes->parts.pool;
	const char *problem = pool_problem(pool);
	char *text = NULL;

	if (pool_failed_locally(pool)) {
		pass_fail(pass, OUTCOME_QUEUE_FULL, outcome_no_means);
		return;
	}
	if (problem)
		text = mem_printf("Ollama at %s cannot be used: %s", pool_host(pool), problem);
	pass_refused(pass, text);
	free(text);
}

static void ended(struct pass *pass, enum exchange_end end, bool was_stale)
{
	struct probe *probe = pass->passes->parts.probe;

	pass->exchange = NULL;
	pass->tunnel = NULL;
	switch (end) {
	case EXCHANGE_COMPLETE:
		complete(pass);
		break;
	case EXCHANGE_REFUSED:
		could_not_begin(pass);
		break;
	case EXCHANGE_RESET:
		if (may_send_again(pass, was_stale)) {
			pass->sent_again = true;
			pass_start_exchange(pass);
			break;
		}
		probe_note_broken(probe);
		pass_fail(pass, OUTCOME_UPSTREAM_RESET, NULL);
		break;
	case EXCHANGE_MALFORMED:
		pass_fail(pass, OUTCOME_UPSTREAM_MALFORMED, NULL);
		break;
	case EXCHANGE_TRUNCATED:
		probe_note_broken(probe);
		pass_fail(pass, OUTCOME_UPSTREAM_TRUNCATED, NULL);
		break;
	}
}

static void on_exchange_end(void *arg, enum exchange_end end)
{
	struct pass *pass = arg;

	ended(pass, end, exchange_is_reused(pass->exchange) && !exchange_has_heard(pass->exchange));
}

static void on_tunnel_end(void *arg, enum exchange_end end)
{
	ended(arg, end, false);
}

static void on_tunnel_room(void *arg)
{
	struct pass *pass = arg;

	pass->activity_us = ticker_now_us();
	client_resume_body(pass->client);
}

static bool fill_body(void *arg, struct evbuffer *out)
{
	struct pass *pass = arg;

	return spool_send(pass->spool, out);
}

static const struct exchange_events exchange_events = {
	.on_connected = on_connected,
	.on_interim = on_interim,
	.on_head = on_head,
	.on_data = on_data,
	.on_end = on_exchange_end,
};

static const struct tunnel_events tunnel_events = {
	.on_connected = on_connected,
	.on_interim = on_interim,
	.on_head = on_head,
	.on_data = on_data,
	.on_room = on_tunnel_room,
	.on_end = on_tunnel_end,
};

static void begin_sending(struct pass *pass)
{
	pass_set_phase(pass, PASS_CONNECTING);
	pass->record.attempts++;
	pass->record.dispatched_us = ticker_now_us();
	pass->activity_us = pass->record.dispatched_us;
}

void pass_start_exchange(struct pass *pass)
{
	const struct request_head *head = client_head(pass->client);
	char *target = forward_target(head, &pass->route);
	struct forward forward = {0};
	struct exchange_request request = {
		.method = head->method,
		.target = target,
		.fields = &forward.fields,
		.fill_body = pass->has_body ? fill_body : NULL,
		.body_bytes = pass->spool ? spool_bytes(pass->spool) : 0,
		.has_body = pass->has_body,
		.wants_fresh = pass->sent_again,
	};

	begin_sending(pass);
	forward_request(&forward, pass->client, &pass->record, false);
	pass->exchange = exchange_start(pass->passes->parts.pool, &request, &exchange_events, pass);
	forward_finish(&forward);
	free(target);
	if (!pass->exchange)
		could_not_begin(pass);
	else
		pass_arm(pass);
}

void pass_start_tunnel(struct pass *pass)
{
	const struct request_head *head = client_head(pass->client);
	char *target = forward_target(head, &pass->route);
	struct forward forward = {0};
	struct tunnel_request request = {
		.method = head->method,
		.target = target,
		.fields = &forward.fields,
		.framing = head->framing,
	};

	begin_sending(pass);
	forward_request(&forward, pass->client, &pass->record, true);
	pass->tunnel = tunnel_start(pass->passes->parts.pool, &request, &tunnel_events, pass);
	forward_finish(&forward);
	free(target);
	if (!pass->tunnel)
		could_not_begin(pass);
	else
		pass_arm(pass);
}
