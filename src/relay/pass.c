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
#include "base/delay.h"
#include "base/graveyard.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/pieces.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "core/identity.h"
#include "core/match.h"
#include "core/residency.h"
#include "core/route.h"
#include "front/access.h"
#include "front/client.h"
#include "front/reply.h"
#include "http/head.h"
#include "io/spool.h"
#include "relay/forward.h"
#include "relay/last_words.h"
#include "relay/pass_parts.h"
#include "json/peek.h"

enum {
	/* A pass's body up to this is collected and sent by an exchange (PRODUCT 1.7). */
	PASS_COLLECT_BYTES = 64 * 1024,
	US_PER_MS = 1000,
	STATUS_NO_CONTENT = 204,
};

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

void pass_set_phase(struct pass *pass, enum pass_phase phase)
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
	pass->permission = (struct permission){
		.settings = pass->settings,
		.key = client_key(client),
		.listener = match_listener(&pass->settings->rules, client_listen(client)),
	};
	pass->client = client;
	pass->record = *record;
	if (route)
		pass->route = *route;
	list_append(&passes->all, &pass->link);
	passes->parts.tally->received++;
	passes->parts.tally->in_progress++;
	pass_set_phase(pass, PASS_READING);
	return pass;
}

static void destroy_pass(void *object)
{
	struct pass *pass = object;

	if (pass->timer)
		event_free(pass->timer);
	spool_destroy(pass->spool);
	peek_destroy(pass->peek);
	tap_destroy(pass->tap);
	settings_return(pass->settings);
	record_finish(&pass->record);
	free(pass);
}

/* The end of every pass: counted once, told once. The pass must not be used afterwards. */
static void finish(struct pass *pass, enum outcome outcome)
{
	struct passes *passes = pass->passes;

	assert(pass->phase != PASS_DONE);
	pass_set_phase(pass, PASS_DONE);
	pass->record.outcome = outcome;
	pass->record.ended_us = ticker_now_us();
	pass_let_go(pass);
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

/* The one bad ending: an error answer if none was begun, else the cut. */
void pass_fail(struct pass *pass, enum outcome outcome, const char *text)
{
	struct passes_parts *parts = &pass->passes->parts;
	char *words = text ? mem_strdup(text) : last_words_text(outcome, pool_host(parts->pool));

	stop_upstream(pass);
	pass->record.error_message = words;
	if (pass->client && !pass->answer_begun) {
		enum outcome shown =
			outcome == OUTCOME_SHUTTING_DOWN_CUT ? OUTCOME_SHUTTING_DOWN : outcome;
		struct reply_error error = {
			.outcome = shown,
			.family = pass->record.family,
			.text = words,
			.request_id = pass->record.request_id[0] ? pass->record.request_id : NULL,
			.retry_after = pass->retry_after ? pass->retry_after
							 : parts->retry_after(parts->arg),
		};

		pass->record.response_bytes = reply_error(pass->client, &error);
		pass->record.http_status = outcome_status(shown);
		client_release(pass->client);
	} else if (pass->client && pass->phase == PASS_FLUSHING) {
		client_abort(pass->client);
	} else if (pass->client) {
		last_words_cut(pass->client, pass->tap, pass->format, pass->record.family, words);
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

		pass_fail(pass,
			pass->answer_begun ? OUTCOME_SHUTTING_DOWN_CUT : OUTCOME_SHUTTING_DOWN,
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

/* The client's side. */

static void feed_peek(void *object, const void *bytes, size_t length)
{
	peek_feed(object, bytes, length);
}

/* How allow_models bears on it; access has refused what is denied whatever the body says. */
static bool is_judged_by_body(const struct pass *pass, const struct request_head *head)
{
	return permission_of_pass(&pass->permission, head->method, head->path, &pass->route) ==
	       PERMISSION_BY_BODY;
}

static bool may_name(const struct pass *pass, const char *model)
{
	return !is_judged_by_body(pass, client_head(pass->client)) ||
	       permission_model(&pass->permission, model);
}

static const char *named_model(const struct pass *pass, const struct peek_result *seen)
{
	return pass->route.family == API_NATIVE ? peek_named_model(seen) : seen->model;
}

static void collect(struct pass *pass, struct evbuffer *data, bool is_complete)
{
	const struct peek_result *seen;
	const char *model;

	pieces_feed(data, feed_peek, pass->peek);
	if (!spool_append(pass->spool, data)) {
		pass_fail(pass, OUTCOME_QUEUE_FULL, "no room to keep the request body");
		return;
	}
	pass->record.request_bytes = (int64_t)spool_bytes(pass->spool);
	if (!is_complete)
		return;
	seen = peek_finish(pass->peek);
	model = named_model(pass, seen);
	pass->record.model = mem_strdup(model);
	pass->upload_complete = true;
	pass->record.body_complete_us = ticker_now_us();
	if (may_name(pass, seen->valid ? model : NULL))
		pass_start_exchange(pass);
	else
		pass_fail(pass, OUTCOME_FORBIDDEN,
			"no permitted model in the body's \"model\" (allow_models)");
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
		pass_set_phase(pass, pass->phase);
		pass_arm(pass);
	}
}

static void on_left(void *arg, enum outcome why)
{
	struct pass *pass = arg;
	bool was_served = pass->phase == PASS_FLUSHING && why == OUTCOME_CLIENT_GONE;

	pass->client = NULL;
	if (was_served)
		finish(pass, outcome_of_status(pass->status));
	else
		pass_fail(pass, why, NULL);
}

static void on_body_failed(void *arg, enum outcome why)
{
	struct pass *pass = arg;

	/* An early answer is whole already; what is wrong with the useless rest of the upload does
	 * not take it away. */
	if (pass->phase != PASS_FLUSHING)
		pass_fail(pass, why, NULL);
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
	pass_arm(pass);
}

static void on_sent(void *arg)
{
	struct pass *pass = arg;

	pass->client = NULL;
	finish(pass, outcome_of_status(pass->status));
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
		pass_arm(pass);
	else if (pass->phase == PASS_CONNECTING)
		pass_refused(
			pass, "Ollama does not accept connections within upstream_connect_timeout");
	else
		pass_fail(pass, OUTCOME_UPSTREAM_TIMEOUT, NULL);
}

void pass_arm(struct pass *pass)
{
	int64_t due_us = limit_of(pass);
	int64_t wait_us = due_us - ticker_now_us();

	if (due_us == 0 || (pass->timer_due_us && pass->timer_due_us <= due_us))
		return;
	if (!pass->timer)
		pass->timer = evtimer_new(pass->passes->parts.base, on_timer, pass);
	pass->timer_due_us = due_us;
	delay_start(pass->timer, wait_us);
}

/* Beginnings. */

static bool may_collect(const struct request_head *head)
{
	if (!exchange_can_send(head->method))
		return false;
	return head->framing.kind == FRAMING_NONE ||
	       (head->framing.kind == FRAMING_LENGTH && head->framing.length <= PASS_COLLECT_BYTES);
}

/* Its way ends here by its Max-Forwards (RFC 9110 §7.6.2). What came is not reflected: it may hold
 * secrets (RFC 9110 §9.3.8). */
static void answer_as_last(struct pass *pass)
{
	struct fields fields = {0};

	if (strcmp(pass->record.method, "OPTIONS") != 0) {
		pass_fail(pass, OUTCOME_NOT_IMPLEMENTED,
			"Max-Forwards is 0, and TRACE is not answered here");
		return;
	}
	fields_add_text(&fields, "X-Request-Id", pass->record.request_id);
	reply_head(pass->client, STATUS_NO_CONTENT, NULL, &fields,
		(struct framing){.kind = FRAMING_NONE}, -1);
	fields_finish(&fields);
	pass->answer_begun = true;
	pass->status = STATUS_NO_CONTENT;
	pass->record.http_status = STATUS_NO_CONTENT;
	pass->record.response_bytes = 0;
	pass_set_phase(pass, PASS_FLUSHING);
	reply_end(pass->client);
}

void passes_request(struct passes *passes, struct client *client, const struct route *route)
{
	const struct request_head *head = client_head(client);
	struct record record;
	struct pass *pass;

	record_init(&record);
	forward_fill_record(&record, client, route, passes->settings);
	pass = create_pass(passes, client, route, &record);
	pass->has_body = head->framing.kind != FRAMING_NONE;
	if (pass->has_body)
		pass->record.request_bytes = 0;
	client_accept(client, &user, pass);
	if (passes->draining) {
		pass_fail(pass, OUTCOME_SHUTTING_DOWN, NULL);
	} else if (forward_is_loop(&head->fields)) {
		pass_fail(pass, OUTCOME_LOOP, NULL);
	} else if (forward_hops_left(head) == 0) {
		answer_as_last(pass);
	} else if (may_collect(head)) {
		pass->spool = spool_create(PASS_COLLECT_BYTES, pass->settings->spool_directory);
		pass->peek = peek_create();
		client_send_continue(client);
	} else if (is_judged_by_body(pass, head)) {
		pass_fail(pass, OUTCOME_FORBIDDEN,
			"models are limited here (allow_models): send the body with a length of at "
			"most 64 KiB");
	} else {
		pass_start_tunnel(pass);
	}
}

void passes_adopt(struct passes *passes, struct client *client, const struct route *route,
	struct record *record, struct spool *spool)
{
	struct pass *pass = create_pass(passes, client, route, record);

	/* the job was asked about its model */
	pass->permission.key = NULL;
	pass->permission.listener = NULL;
	pass->spool = spool;
	pass->has_body = true;
	pass->upload_complete = true;
	pass->is_unload = true;
	client_accept(client, &user, pass);
	if (pass_hold_unload(pass))
		return;
	if (pass->record.model)
		residency_note_unloaded(passes->parts.residency, pass->record.model);
	pass_start_exchange(pass);
}

static void refuse(struct passes *passes, struct client *client, const struct route *route,
	enum outcome outcome, const char *text, int retry_after)
{
	struct record record;
	struct pass *pass;

	record_init(&record);
	if (route) {
		forward_fill_record(&record, client, route, passes->settings);
	} else {
		record.arrived_us = ticker_now_us();
		record.operation = OPERATION_OTHER;
		identity_request_id(NULL, 0, record.request_id);
		strncpy(record.client_ip, client_ip(client), sizeof(record.client_ip) - 1);
	}
	pass = create_pass(passes, client, route, &record);
	pass->retry_after = retry_after;
	if (route)
		client_accept(client, &user, pass);
	pass_fail(pass, outcome, text);
}

void passes_refuse(struct passes *passes, struct client *client, const struct route *route,
	enum outcome outcome, const char *text)
{
	refuse(passes, client, route, outcome, text, 0);
}

void passes_refuse_access(struct passes *passes, struct client *client, const struct route *route,
	const struct access_verdict *verdict)
{
	refuse(passes, client, route, verdict->outcome, verdict->text, verdict->retry_after);
}
