#include "admin/admin.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "build_config.h"

#include "admin/dashboard.h"
#include "admin/events.h"
#include "base/memory.h"
#include "core/admission.h"
#include "front/client.h" /* for the query alone: PRODUCT 1.3, ?ready=1 */
#include "front/reply.h"
#include "http/target.h"
#include "json/writer.h"

enum { STATUS_OK = 200, STATUS_UNAVAILABLE = 503 };

/* A newcomer would get 503 queue_full. */
static bool is_full(const struct admin_view *view)
{
	struct admission admission = {
		.settings = view->settings,
		.tally = view->jobs,
		.bodies_bytes = view->bodies_bytes,
		.draining = view->draining,
	};

	return ring_count(view->ring) == ring_places(view->ring) ||
	       admission_at_queue(&admission) != OUTCOME_NONE;
}

int admin_health_status(const struct admin_view *view, bool ready)
{
	if (view->draining)
		return STATUS_UNAVAILABLE;
	if (ready && (!view->upstream.is_up || is_full(view)))
		return STATUS_UNAVAILABLE;
	return STATUS_OK;
}

/* The old service said healthy or unhealthy, by whether Ollama answered. */
static const char *health_of(const struct admin_view *view)
{
	if (view->draining)
		return "draining";
	return view->upstream.is_up ? "healthy" : "unhealthy";
}

/* The old service said "healthy" or "unhealthy: why". */
static void put_ollama_service(struct json_writer *writer, const struct admin_view *view)
{
	char *text;

	if (view->upstream.is_up) {
		json_put_string(writer, "ollama_service", "healthy");
		return;
	}
	text = mem_printf(
		"unhealthy: Ollama at %s is %s", view->upstream.url, view->upstream.state);
	json_put_string(writer, "ollama_service", text);
	free(text);
}

void admin_write_health(struct json_writer *writer, const struct admin_view *view)
{
	json_begin_object(writer, NULL);
	json_put_string(writer, "status", health_of(view));
	put_ollama_service(writer, view);
	json_put_string(writer, "version", SHARED_OLLAMA_VERSION);
	json_put_bool(writer, "paused", view->paused);
	json_put_int(writer, "queued", (int64_t)view->jobs->queued);
	json_put_int(writer, "in_progress", (int64_t)view->jobs->in_progress);
	json_begin_object(writer, "upstream");
	json_put_string(writer, "url", view->upstream.url);
	json_put_string(writer, "state", view->upstream.state);
	json_put_string(writer, "version", view->upstream.version);
	json_end_object(writer);
	json_end_object(writer);
}

static void answer_metrics(const struct admin_view *view, struct client *client)
{
	struct evbuffer *out = evbuffer_new();

	if (!out)
		mem_out(sizeof(*view));
	admin_write_metrics(out, view);
	reply_text(client, STATUS_OK, "text/plain; version=0.0.4; charset=utf-8",
		(const char *)evbuffer_pullup(out, -1), evbuffer_get_length(out));
	evbuffer_free(out);
}

void admin_answer(const struct admin_view *view, const struct admin_calls *calls,
	struct client *client, const struct route *route)
{
	struct json_writer *writer;
	int status = STATUS_OK;
	const char *json;
	size_t length;

	if (!route->method_allowed) {
		if (reply_preflight(client))
			return;
		reply_method_not_allowed(client, own_endpoint_methods(route->own));
		return;
	}
	if (control_is_meant(route)) {
		control_answer(calls, client, route);
		return;
	}
	if (route->own == OWN_EVENTS) {
		events_answer(calls->events, client);
		return;
	}
	if (route->own == OWN_DASHBOARD) {
		dashboard_answer(client);
		return;
	}
	if (route->own == OWN_METRICS) {
		answer_metrics(view, client);
		return;
	}
	writer = json_writer_create();
	switch (route->own) {
	case OWN_HEALTH:
		status = admin_health_status(
			view, target_has_query_flag(client_head(client)->target, "ready"));
		admin_write_health(writer, view);
		break;
	case OWN_QUEUE_STATS:
		admin_write_stats(writer, view);
		break;
	case OWN_QUEUE_REQUESTS:
		admin_write_requests(writer, view);
		break;
	case OWN_CONFIG:
		admin_write_config(writer, view);
		break;
	case OWN_QUEUE_REQUEST:
	case OWN_QUEUE_PAUSE:
	case OWN_QUEUE_RESUME:
	case OWN_EVENTS:
	case OWN_DASHBOARD:
	case OWN_METRICS:
	case OWN_COUNT:
		break;
	}
	json = json_writer_get(writer, &length);
	reply_json(client, status, json, length);
	json_writer_destroy(writer);
}
