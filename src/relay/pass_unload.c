/*
 * A client's mere unload of a model that gives way: it is not sent, for nothing is sent to a runner
 * that is being drained. It waits for the answer to our own unload, which serves it (STYLE B4).
 */
#include <stdio.h>
#include <time.h>

#include <event2/buffer.h>

#include "base/memory.h"
#include "base/ticker.h"
#include "front/client.h"
#include "front/reply.h"
#include "relay/forward.h"
#include "relay/pass_parts.h"
#include "json/writer.h"

enum { STATUS_OK = 200, TIME_BYTES = 40, US_PER_S = 1000 * 1000 };

static bool gives_way(const struct pass *pass)
{
	const struct passes_parts *parts = &pass->passes->parts;

	return pass->record.model && parts->gives_way &&
	       parts->gives_way(parts->arg, pass->record.model);
}

bool pass_hold_unload(struct pass *pass)
{
	if (!gives_way(pass))
		return false;
	pass->is_held = true;
	pass->passes->held_count++;
	pass_set_phase(pass, PASS_AWAITING);
	pass_arm(pass);
	return true;
}

void pass_let_go(struct pass *pass)
{
	pass->passes->held_count -= pass->is_held;
	pass->is_held = false;
}

/* "2026-01-31T12:00:00.000001Z" */
static void write_now(char text[TIME_BYTES])
{
	int64_t now_us = ticker_wall_us();
	time_t seconds = (time_t)(now_us / US_PER_S);
	struct tm parts;
	size_t used;

	gmtime_r(&seconds, &parts);
	used = strftime(text, TIME_BYTES, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + used, TIME_BYTES - used, ".%06dZ", (int)(now_us % US_PER_S));
}

/* As Ollama answers an unload, in the shape of the call, with the name as the client spelled it. */
static struct json_writer *write_answer(const struct pass *pass)
{
	struct json_writer *writer = json_writer_create();
	char now[TIME_BYTES];

	write_now(now);
	json_begin_object(writer, NULL);
	json_put_string(writer, "model", pass->record.model);
	json_put_string(writer, "created_at", now);
	if (pass->record.operation == OPERATION_CHAT) {
		json_begin_object(writer, "message");
		json_put_string(writer, "role", "assistant");
		json_put_string(writer, "content", "");
		json_end_object(writer);
	} else {
		json_put_string(writer, "response", "");
	}
	json_put_bool(writer, "done", true);
	json_put_string(writer, "done_reason", "unload");
	json_end_object(writer);
	return writer;
}

static void serve(struct pass *pass)
{
	struct json_writer *writer = write_answer(pass);
	struct evbuffer *body = evbuffer_new();
	struct forward forward = {0};
	struct fields fields = {0};
	const char *text;
	size_t length;

	text = json_writer_get(writer, &length);
	if (!body || evbuffer_add(body, text, length) != 0)
		mem_out(length);
	pass_let_go(pass);
	fields_add_text(&fields, "Content-Type", "application/json; charset=utf-8");
	forward_response(&forward, &fields, &pass->record, KNOWN_NOT);
	reply_head(pass->client, STATUS_OK, NULL, &forward.fields,
		(struct framing){.kind = FRAMING_LENGTH, .length = length}, -1);
	reply_data(pass->client, body);
	pass->answer_begun = true;
	pass->status = STATUS_OK;
	pass->record.http_status = STATUS_OK;
	pass->record.response_bytes = (int64_t)length;
	pass_set_phase(pass, PASS_FLUSHING);
	reply_end(pass->client);
	forward_finish(&forward);
	fields_finish(&fields);
	evbuffer_free(body);
	json_writer_destroy(writer);
}

void passes_unload_answered(
	struct passes *passes, bool (*is_meant)(void *arg, const char *model), void *arg)
{
	struct list *node;
	struct list *following;

	LIST_EACH_SAFE(&passes->all, node, following)
	{
		struct pass *pass = CONTAINER_OF(node, struct pass, link);

		if (pass->is_held && is_meant(arg, pass->record.model))
			serve(pass);
	}
}

void passes_look_again(struct passes *passes)
{
	struct list *node;
	struct list *following;

	if (passes->held_count == 0)
		return;
	LIST_EACH_SAFE(&passes->all, node, following)
	{
		struct pass *pass = CONTAINER_OF(node, struct pass, link);

		if (!pass->is_held || gives_way(pass))
			continue;
		pass_let_go(pass);
		pass_start_exchange(pass);
	}
}
