#include "relay/pass.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "back/exchange.h"
#include "back/pool.h"
#include "back/probe.h"
#include "back/tunnel.h"
#include "base/graveyard.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "core/residency.h"
#include "core/route.h"
#include "front/client.h"
#include "front/reply.h"
#include "http/head.h"
#include "io/spool.h"
#include "relay/forward.h"

enum {
	/* A pass's body up to this is collected and sent by an exchange (PRODUCT 1.7). */
	PASS_COLLECT_BYTES = 64 * 1024,
	US_PER_MS = 1000,
	US_PER_S = 1000 * 1000,
	STATUS_CLIENT_ERROR = 400,
	STATUS_SERVER_ERROR = 500,
};

struct passes {
	struct passes_parts parts;
	struct settings *settings;
	struct list all;
	bool draining;
};

/* What a pass waits for. */
enum pass_phase {
	PASS_READING, /* a body that is collected */
	PASS_CONNECTING,
	PASS_AWAITING,	/* the response head (a tunnel's body may still be going out) */
	PASS_STREAMING, /* the rest of the response */
	PASS_FLUSHING,	/* the client to take the rest */
	PASS_DONE,
};

struct pass {
	struct list link;
	struct passes *passes;
	struct settings *settings;
	struct record record;
	struct route route;
	struct client *client; /* NULL: the link is cut */
	enum pass_phase phase;
	struct spool *spool; /* a collected body */
	bool has_body;
	struct exchange *exchange;
	struct tunnel *tunnel;
	bool upload_complete;
	bool answer_begun;
	bool upstream_paused;
	bool sent_again;
	int status;
	struct event *timer;
	int64_t timer_due_us;
	int64_t phase_since_us;
	int64_t activity_us; /* bytes went in either direction, or reading went on */
};

static void arm(struct pass *pass);
static void start_exchange(struct pass *pass);

struct passes *passes_create(const struct passes_parts *parts, struct settings *settings)
{
	struct passes *passes = mem_zalloc(sizeof(*passes));

	passes->parts = *parts;
	passes->settings = settings_take(settings);
	list_init(&passes->all);
	return passes;
}

void passes_set_settings(struct passes *passes, struct settings *settings)
{
	settings_return(passes->settings);
	passes->settings = settings_take(settings);
}

void passes_drain(struct passes *passes)
{
	passes->draining = true;
}

static void set_phase(struct pass *pass, enum pass_phase phase)
{
	pass->phase = phase;
	pass->phase_since_us = ticker_now_us();
}

/* `record` is taken over. */
static struct pass *create_pass(struct passes *passes, struct client *client,
	const struct route *route, struct record *record)
{
	struct pass *pass = mem_zalloc(sizeof(*pass));

	pass->passes = passes;
	pass->settings = settings_take(passes->settings);
	pass->client = client;
	pass->record = *record;
	if (route)
		pass->route = *route;
	list_append(&passes->all, &pass->link);
	passes->parts.tally->received++;
	passes->parts.tally->in_progress++;
	set_phase(pass, PASS_READING);
	return pass;
}

static void destroy_pass(void *object)
{
	struct pass *pass = object;

	if (pass->timer)
		event_free(pass->timer);
	spool_destroy(pass->spool);
	settings_return(pass->settings);
	record_finish(&pass->record);
	free(pass);
}

/* The end of every pass: counted once, told once. The pass must not be used afterwards. */
static void finish(struct pass *pass, enum outcome outcome)
{
	struct passes *passes = pass->passes;

	assert(pass->phase != PASS_DONE);
	set_phase(pass, PASS_DONE);
	pass->record.outcome = outcome;
	pass->record.ended_us = ticker_now_us();
	passes->parts.tally->in_progress--;
	passes->parts.tally->ended[outcome_counter(outcome)]++;
	passes->parts.observers.on_ended(passes->parts.observers.arg, &pass->record);
	list_remove(&pass->link);
	if (pass->timer)
		evtimer_del(pass->timer);
	graveyard_add(passes->parts.graveyard, pass, destroy_pass);
}

static void stop_upstream(struct pass *pass)
{
	if (pass->exchange)
		exchange_cancel(pass->exchange);
	if (pass->tunnel)
		tunnel_cancel(pass->tunnel);
	pass->exchange = NULL;
	pass->tunnel = NULL;
}

/* A new string: the outcome's text, naming the upstream where it speaks of Ollama. */
static char *text_of(const struct pass *pass, enum outcome outcome)
{
	const char *text = outcome_text(outcome);

	if (strncmp(text, "Ollama ", strlen("Ollama ")) == 0)
		return mem_printf("Ollama at %s %s", pool_host(pass->passes->parts.pool),
			text + strlen("Ollama "));
	return mem_strdup(text);
}

/* The one bad ending: an error answer if none was begun, else the cut. */
static void fail(struct pass *pass, enum outcome outcome, const char *text)
{
	struct passes_parts *parts = &pass->passes->parts;
	char *words = text ? mem_strdup(text) : text_of(pass, outcome);

	stop_upstream(pass);
	pass->record.error_message = words;
	if (pass->client && !pass->answer_begun) {
		struct reply_error error = {
			.outcome = outcome,
			.family = pass->record.family,
			.text = words,
			.request_id = pass->record.request_id[0] ? pass->record.request_id : NULL,
			.retry_after = parts->retry_after(parts->arg),
		};

		pass->record.response_bytes = reply_error(pass->client, &error);
		pass->record.http_status = outcome_status(outcome);
		client_release(pass->client);
	} else if (pass->client && pass->phase == PASS_FLUSHING) {
		client_abort(pass->client);
	} else if (pass->client) {
		reply_cut(pass->client, NULL);
		client_release(pass->client);
	}
	finish(pass, outcome);
}

void passes_stop(struct passes *passes)
{
	struct list *node;
	struct list *following;

	passes_drain(passes);
	LIST_EACH_SAFE(&passes->all, node, following)
	{
		struct pass *pass = CONTAINER_OF(node, struct pass, link);

		fail(pass, pass->answer_begun ? OUTCOME_SHUTTING_DOWN_CUT : OUTCOME_SHUTTING_DOWN,
			NULL);
	}
}

void passes_destroy(struct passes *passes)
{
	if (!passes)
		return;
	passes_stop(passes);
	graveyard_run(passes->parts.graveyard);
	settings_return(passes->settings);
	free(passes);
}

/* Ollama's side, the same for exchange and tunnel. */

static void on_connected(void *arg)
{
	struct pass *pass = arg;

	set_phase(pass, PASS_AWAITING);
	arm(pass);
}

static void on_interim(void *arg, int status)
{
	struct pass *pass = arg;

	client_send_continue(pass->client);
}

/* A HEAD answer's own length is passed on, though no body follows. */
static int64_t bodiless_length(const struct exchange_head *head)
{
	const struct field *length = fields_find(head->fields, "Content-Length");
	int64_t value = 0;

	if (head->framing.kind != FRAMING_NONE || !length)
		return -1;
	for (size_t i = 0; i < length->value_length; i++) {
		if (length->value[i] < '0' || length->value[i] > '9' ||
			__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, length->value[i] - '0', &value))
			return -1;
	}
	return value;
}

static void on_head(void *arg, const struct exchange_head *head)
{
	struct pass *pass = arg;
	struct forward forward = {0};

	probe_note_answered(pass->passes->parts.probe);
	set_phase(pass, PASS_STREAMING);
	pass->status = head->status;
	pass->activity_us = ticker_now_us();
	forward_response(&forward, head->fields, &pass->record, KNOWN_NOT);
	reply_head(pass->client, head->status, head->reason, &forward.fields, head->framing,
		bodiless_length(head));
	forward_finish(&forward);
	pass->answer_begun = true;
	pass->record.http_status = head->status;
	pass->record.response_bytes = 0;
	arm(pass);
}

static void pause_upstream(struct pass *pass)
{
	pass->upstream_paused = true;
	if (pass->exchange)
		exchange_pause(pass->exchange);
	else
		tunnel_pause(pass->tunnel);
}

static void on_data(void *arg, struct evbuffer *data)
{
	struct pass *pass = arg;

	if (!pass->record.first_byte_us)
		pass->record.first_byte_us = ticker_now_us();
	pass->record.response_bytes += (int64_t)evbuffer_get_length(data);
	pass->activity_us = ticker_now_us();
	reply_data(pass->client, data);
	if (!pass->upstream_paused && !client_has_room(pass->client))
		pause_upstream(pass);
}

/* A reused connection that ended before any byte was an idle one that Ollama had just closed: a GET
 * or HEAD is sent once more (PRODUCT 3.11). */
static bool may_send_again(const struct pass *pass, bool was_reused)
{
	return was_reused && !pass->sent_again && !pass->answer_begun &&
	       (strcmp(pass->record.method, "GET") == 0 ||
		       strcmp(pass->record.method, "HEAD") == 0);
}

static void complete(struct pass *pass)
{
	/* What the client still uploads is of no use: the client throws it away itself (an early
	 * answer). */
	set_phase(pass, PASS_FLUSHING);
	client_resume_body(pass->client);
	reply_end(pass->client);
}

static void ended(struct pass *pass, enum exchange_end end, bool was_reused)
{
	struct probe *probe = pass->passes->parts.probe;

	pass->exchange = NULL;
	pass->tunnel = NULL;
	switch (end) {
	case EXCHANGE_COMPLETE:
		complete(pass);
		break;
	case EXCHANGE_REFUSED:
		probe_note_refused(probe);
		fail(pass, OUTCOME_UPSTREAM_REFUSED, NULL);
		break;
	case EXCHANGE_RESET:
		if (may_send_again(pass, was_reused)) {
			pass->sent_again = true;
			start_exchange(pass);
			break;
		}
		probe_note_broken(probe);
		fail(pass, OUTCOME_UPSTREAM_RESET, NULL);
		break;
	case EXCHANGE_MALFORMED:
		fail(pass, OUTCOME_UPSTREAM_MALFORMED, NULL);
		break;
	case EXCHANGE_TRUNCATED:
		probe_note_broken(probe);
		fail(pass, OUTCOME_UPSTREAM_TRUNCATED, NULL);
		break;
	}
}

static void on_exchange_end(void *arg, enum exchange_end end)
{
	struct pass *pass = arg;

	ended(pass, end, exchange_is_reused(pass->exchange));
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
	set_phase(pass, PASS_CONNECTING);
	pass->record.attempts++;
	pass->record.dispatched_us = ticker_now_us();
	pass->activity_us = pass->record.dispatched_us;
}

static void refused_at_once(struct pass *pass)
{
	probe_note_refused(pass->passes->parts.probe);
	fail(pass, OUTCOME_UPSTREAM_REFUSED, NULL);
}

static void start_exchange(struct pass *pass)
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
	};

	begin_sending(pass);
	forward_request(&forward, pass->client, &pass->record, false);
	pass->exchange = exchange_start(pass->passes->parts.pool, &request, &exchange_events, pass);
	forward_finish(&forward);
	free(target);
	if (!pass->exchange)
		refused_at_once(pass);
	else
		arm(pass);
}

static void start_tunnel(struct pass *pass)
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
		refused_at_once(pass);
	else
		arm(pass);
}

/* The client's side. */

static void collect(struct pass *pass, struct evbuffer *data, bool is_complete)
{
	if (!spool_append(pass->spool, data)) {
		fail(pass, OUTCOME_QUEUE_FULL, "no room to keep the request body");
		return;
	}
	pass->record.request_bytes = (int64_t)spool_bytes(pass->spool);
	if (!is_complete)
		return;
	pass->upload_complete = true;
	pass->record.body_complete_us = ticker_now_us();
	start_exchange(pass);
}

static void on_body(void *arg, struct evbuffer *data, bool is_complete)
{
	struct pass *pass = arg;
	size_t length = evbuffer_get_length(data);

	if (pass->phase == PASS_READING) {
		collect(pass, data, is_complete);
		return;
	}
	if (!pass->tunnel) { /* answered early: the rest is thrown away */
		evbuffer_drain(data, length);
		return;
	}
	pass->record.request_bytes += (int64_t)length;
	pass->activity_us = ticker_now_us();
	if (length > 0 && !tunnel_send(pass->tunnel, data))
		client_pause_body(pass->client);
	if (is_complete) {
		pass->upload_complete = true;
		pass->record.body_complete_us = ticker_now_us();
		tunnel_send_end(pass->tunnel);
		set_phase(pass, pass->phase);
		arm(pass);
	}
}

static void on_left(void *arg, enum outcome why)
{
	struct pass *pass = arg;
	bool was_served = pass->phase == PASS_FLUSHING && why == OUTCOME_CLIENT_GONE;

	pass->client = NULL;
	if (was_served)
		finish(pass, pass->status >= STATUS_CLIENT_ERROR ? OUTCOME_UPSTREAM_CLIENT_ERROR
								 : OUTCOME_SUCCESS);
	else
		fail(pass, why, NULL);
}

static void on_body_failed(void *arg, enum outcome why)
{
	fail(arg, why, NULL);
}

static void on_room(void *arg)
{
	struct pass *pass = arg;

	if (!pass->upstream_paused)
		return;
	pass->upstream_paused = false;
	pass->activity_us = ticker_now_us();
	if (pass->exchange)
		exchange_resume(pass->exchange);
	if (pass->tunnel)
		tunnel_resume(pass->tunnel);
	arm(pass);
}

static void on_sent(void *arg)
{
	struct pass *pass = arg;
	enum outcome outcome = OUTCOME_SUCCESS;

	pass->client = NULL;
	if (pass->status >= STATUS_SERVER_ERROR)
		outcome = OUTCOME_UPSTREAM_STATUS;
	else if (pass->status >= STATUS_CLIENT_ERROR)
		outcome = OUTCOME_UPSTREAM_CLIENT_ERROR;
	finish(pass, outcome);
}

static const struct client_user user = {
	.on_body = on_body,
	.on_left = on_left,
	.on_body_failed = on_body_failed,
	.on_room = on_room,
	.on_sent = on_sent,
};

/* Time limits. */

static int64_t limit_of(const struct pass *pass)
{
	const struct settings *settings = pass->settings;
	int64_t since_us = pass->phase_since_us;
	int64_t limit_ms = 0;

	switch (pass->phase) {
	case PASS_CONNECTING:
		limit_ms = settings->upstream_connect_timeout_ms;
		break;
	case PASS_AWAITING:
		/* While the body goes out silence means a stalled upload; after it Ollama may think
		 * (create, pull) as long as a load takes. */
		if (pass->upload_complete) {
			limit_ms = settings->upstream_first_byte_timeout_ms;
		} else {
			limit_ms = settings->upstream_idle_timeout_ms;
			since_us = pass->activity_us;
		}
		break;
	case PASS_STREAMING:
		limit_ms = pass->upstream_paused ? 0 : settings->upstream_idle_timeout_ms;
		since_us = pass->activity_us;
		break;
	case PASS_READING:
	case PASS_FLUSHING:
	case PASS_DONE:
		break;
	}
	return limit_ms > 0 ? since_us + limit_ms * US_PER_MS : 0;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct pass *pass = arg;
	int64_t due_us = limit_of(pass);

	pass->timer_due_us = 0;
	if (due_us == 0)
		return;
	if (due_us > ticker_now_us())
		arm(pass);
	else if (pass->phase == PASS_CONNECTING)
		refused_at_once(pass);
	else
		fail(pass, OUTCOME_UPSTREAM_TIMEOUT, NULL);
}

static void arm(struct pass *pass)
{
	int64_t due_us = limit_of(pass);
	int64_t wait_us = due_us - ticker_now_us();
	struct timeval wait;

	if (due_us == 0 || (pass->timer_due_us && pass->timer_due_us <= due_us))
		return;
	if (!pass->timer)
		pass->timer = evtimer_new(pass->passes->parts.base, on_timer, pass);
	if (wait_us < 0)
		wait_us = 0;
	wait.tv_sec = (time_t)(wait_us / US_PER_S);
	wait.tv_usec = (suseconds_t)(wait_us % US_PER_S);
	pass->timer_due_us = due_us;
	evtimer_add(pass->timer, &wait);
}

/* Beginnings. */

static bool may_collect(const struct request_head *head)
{
	if (!exchange_can_send(head->method))
		return false;
	return head->framing.kind == FRAMING_NONE ||
	       (head->framing.kind == FRAMING_LENGTH && head->framing.length <= PASS_COLLECT_BYTES);
}

void passes_request(struct passes *passes, struct client *client, const struct route *route)
{
	const struct request_head *head = client_head(client);
	struct record record;
	struct pass *pass;

	record_init(&record);
	forward_fill_record(&record, client, route);
	pass = create_pass(passes, client, route, &record);
	pass->has_body = head->framing.kind != FRAMING_NONE;
	if (pass->has_body)
		pass->record.request_bytes = 0;
	client_accept(client, &user, pass);
	if (passes->draining) {
		fail(pass, OUTCOME_SHUTTING_DOWN, NULL);
	} else if (forward_is_loop(&head->fields)) {
		fail(pass, OUTCOME_LOOP, NULL);
	} else if (may_collect(head)) {
		pass->spool = spool_create(PASS_COLLECT_BYTES, pass->settings->spool_directory);
		client_send_continue(client);
	} else {
		start_tunnel(pass);
	}
}

void passes_adopt(struct passes *passes, struct client *client, const struct route *route,
	struct record *record, struct spool *spool)
{
	struct pass *pass = create_pass(passes, client, route, record);

	pass->spool = spool;
	pass->has_body = true;
	pass->upload_complete = true;
	if (pass->record.model)
		residency_note_unloaded(passes->parts.residency, pass->record.model);
	client_accept(client, &user, pass);
	start_exchange(pass);
}

void passes_refuse(struct passes *passes, struct client *client, const struct route *route,
	enum outcome outcome, const char *text)
{
	struct record record;
	struct pass *pass;

	record_init(&record);
	if (route) {
		forward_fill_record(&record, client, route);
	} else {
		record.arrived_us = ticker_now_us();
		record.operation = OPERATION_OTHER;
		strncpy(record.client_ip, client_ip(client), sizeof(record.client_ip) - 1);
	}
	pass = create_pass(passes, client, route, &record);
	if (route)
		client_accept(client, &user, pass);
	fail(pass, outcome, text);
}
