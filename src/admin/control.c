#include "admin/control.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "base/log.h"
#include "base/memory.h"
#include "config/settings.h"
#include "core/route.h"
#include "front/access.h"
#include "front/client.h"
#include "front/reply.h"
#include "http/target.h"
#include "json/lookup.h"
#include "json/writer.h"

enum {
	STATUS_OK = 200,
	STATUS_BAD_REQUEST = 400,
	STATUS_NOT_FOUND = 404,
	STATUS_TOO_LARGE = 413,
	/* {"unload":true} and some white space. */
	BODY_BYTES_MOST = 1024,
};

/* A pause whose body is still coming. */
struct asked {
	const struct admin_calls *calls;
	struct client *client;
	struct evbuffer *body;
	bool unload; /* by the query */
};

bool control_is_meant(const struct route *route)
{
	return route->own == OWN_QUEUE_PAUSE || route->own == OWN_QUEUE_RESUME ||
	       route->own == OWN_QUEUE_REQUEST;
}

static const char *key_name(const struct client *client)
{
	const struct api_key *key = client_key(client);

	return key ? key->name : "";
}

static void answer_text(struct client *client, int status, const char *text)
{
	struct json_writer *writer = json_writer_create();
	const char *json;
	size_t length;

	json_begin_object(writer, NULL);
	json_put_string(writer, "error", text);
	json_end_object(writer);
	json = json_writer_get(writer, &length);
	reply_json(client, status, json, length);
	json_writer_destroy(writer);
}

static void answer_pause(struct client *client, const struct admin_pause *now)
{
	struct json_writer *writer = json_writer_create();
	const char *json;
	size_t length;

	json_begin_object(writer, NULL);
	json_put_bool(writer, "paused", now->paused);
	json_put_bool(writer, "unload", now->unload);
	json_put_int(writer, "queued", (int64_t)now->queued);
	json_put_int(writer, "in_progress", (int64_t)now->in_progress);
	json_end_object(writer);
	json = json_writer_get(writer, &length);
	reply_json(client, STATUS_OK, json, length);
	json_writer_destroy(writer);
}

static void do_pause(const struct admin_calls *calls, struct client *client, bool unload)
{
	struct admin_pause now = calls->pause(calls->arg, unload);

	LOG(WARN, "paused by an operator", LOG_TEXT("client_ip", client_ip(client)),
		LOG_TEXT("key", key_name(client)), LOG_TEXT("unload", unload ? "yes" : "no"));
	answer_pause(client, &now);
}

static void do_resume(const struct admin_calls *calls, struct client *client)
{
	struct admin_pause now = calls->resume(calls->arg);

	LOG(WARN, "resumed by an operator", LOG_TEXT("client_ip", client_ip(client)),
		LOG_TEXT("key", key_name(client)));
	answer_pause(client, &now);
}

static void do_cancel(const struct admin_calls *calls, struct client *client, const char *id)
{
	size_t count = calls->cancel(calls->arg, id);
	struct json_writer *writer;
	const char *json;
	size_t length;

	if (count == 0) {
		answer_text(client, STATUS_NOT_FOUND,
			"no request of this id waits or runs: see GET /api/v1/queue/requests");
		return;
	}
	LOG(WARN, "cancelled by an operator", LOG_TEXT("request_id", id),
		LOG_TEXT("client_ip", client_ip(client)), LOG_TEXT("key", key_name(client)));
	writer = json_writer_create();
	json_begin_object(writer, NULL);
	json_put_string(writer, "id", id);
	json_put_int(writer, "cancelled", (int64_t)count);
	json_end_object(writer);
	json = json_writer_get(writer, &length);
	reply_json(client, STATUS_OK, json, length);
	json_writer_destroy(writer);
}

/* The pause's body. */

static void forget(struct asked *asked)
{
	evbuffer_free(asked->body);
	free(asked);
}

/* The link is cut before the answer is delivered: nothing more is to be told. */
static void finish(struct asked *asked)
{
	client_release(asked->client);
	forget(asked);
}

static void take_body(struct asked *asked)
{
	struct lookup unload = {.path = "unload"};
	size_t length = evbuffer_get_length(asked->body);
	const char *text = length ? (const char *)evbuffer_pullup(asked->body, -1) : "";

	if (length > 0 && !lookup_read(text, length, &unload, 1)) {
		answer_text(asked->client, STATUS_BAD_REQUEST,
			"the body is neither empty nor a JSON object such as {\"unload\":true}");
		return;
	}
	if (unload.is_found && strcmp(unload.text, "true") != 0 &&
		strcmp(unload.text, "false") != 0) {
		answer_text(asked->client, STATUS_BAD_REQUEST, "unload is true or false");
		return;
	}
	do_pause(asked->calls, asked->client,
		asked->unload || (unload.is_found && strcmp(unload.text, "true") == 0));
}

static void on_body(void *arg, struct evbuffer *data, bool is_complete)
{
	struct asked *asked = arg;

	evbuffer_add_buffer(asked->body, data);
	if (evbuffer_get_length(asked->body) > BODY_BYTES_MOST)
		answer_text(asked->client, STATUS_TOO_LARGE, "the body is too large");
	else if (is_complete)
		take_body(asked);
	else
		return;
	finish(asked);
}

static void on_left(void *arg, enum outcome why)
{
	forget(arg);
}

static void on_body_failed(void *arg, enum outcome why)
{
	struct asked *asked = arg;
	struct reply_error error = {.outcome = why};

	reply_error(asked->client, &error);
	finish(asked);
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

static void await_body(const struct admin_calls *calls, struct client *client)
{
	struct asked *asked = mem_zalloc(sizeof(*asked));

	asked->calls = calls;
	asked->client = client;
	asked->unload = target_has_query_flag(client_head(client)->target, "unload");
	asked->body = evbuffer_new();
	if (!asked->body)
		mem_out(sizeof(*asked));
	client_accept(client, &user, asked);
	client_send_continue(client);
}

void control_answer(
	const struct admin_calls *calls, struct client *client, const struct route *route)
{
	const struct access_peer peer = {
		.ip = client_ip(client),
		.is_loopback = client_is_loopback(client),
		.came_by_admin = client_came_by_admin(client),
	};
	const struct reply_error forbidden = {
		.outcome = OUTCOME_FORBIDDEN,
		.text = "changes are for peers on loopback and admin keys, and for web pages of "
			"this service alone",
	};

	if (!access_may_change(client_head(client), &peer, client_key(client))) {
		LOG(WARN, "refused a change", LOG_TEXT("client_ip", peer.ip),
			LOG_TEXT("key", key_name(client)),
			LOG_TEXT("path", client_head(client)->path));
		reply_error(client, &forbidden);
		return;
	}
	if (route->own == OWN_QUEUE_PAUSE)
		await_body(calls, client);
	else if (route->own == OWN_QUEUE_RESUME)
		do_resume(calls, client);
	else
		do_cancel(calls, client, route->own_id);
}
