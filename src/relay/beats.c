/*
 * Heartbeats of jobs that wait for their answer's head (PRODUCT 3.9): sends what core/beat chose,
 * and joins Ollama's answer to a status that was committed before it came. Part of relay.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/buffer.h>

#include "base/memory.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "front/client.h"
#include "front/reply.h"
#include "http/fields.h"
#include "http/head.h"
#include "relay/relay_parts.h"
#include "json/writer.h"

enum {
	US_PER_MS = 1000,
	US_PER_S = 1000 * 1000,
	STATUS_PROCESSING = 102,
	STATUS_OK = 200,
	STATUS_CLIENT_ERROR = 400,
	TIME_BYTES = sizeof("2026-01-31T12:00:00"),
};

static const char comment[] = ": waiting\n\n";
static const char space[] = " ";

void relay_begin_beats(struct relay_job *carried, bool has_json)
{
	int64_t interval_ms = carried->settings->heartbeat_interval_ms;

	carried->beat = beat_choose(carried->job.policy.heartbeat, &carried->job.record, has_json,
		client_head(carried->client)->version_minor);
	if (carried->beat != BEAT_NONE && interval_ms > 0)
		carried->beat_due_us = ticker_now_us() + interval_ms * US_PER_MS;
}

/* 0: it is being sent or loaded. */
static int64_t place_of(const struct relay_job *carried)
{
	const struct relay_parts *parts = &carried->relay->parts;

	return carried->job.state == JOB_QUEUED ? parts->place(parts->arg, &carried->job) : 0;
}

static void send_processing(struct relay_job *carried)
{
	struct fields fields = {0};
	char *place = mem_printf("%lld", (long long)place_of(carried));

	fields_add_text(&fields, "X-Queue-Position", place);
	reply_interim(carried->client, STATUS_PROCESSING, &fields);
	fields_finish(&fields);
	free(place);
	carried->job.reply = REPLY_INTERIM;
}

/* As Ollama's own lines, with nothing in it. */
static void put_line(struct relay_job *carried, struct evbuffer *out)
{
	struct json_writer *writer = json_writer_create();
	int64_t wall_us = ticker_wall_us();
	time_t seconds = (time_t)(wall_us / US_PER_S);
	char date[TIME_BYTES];
	struct tm parts;
	const char *line;
	size_t length;
	char *when;

	gmtime_r(&seconds, &parts);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
	when = mem_printf("%s.%06dZ", date, (int)(wall_us % US_PER_S));
	json_begin_object(writer, NULL);
	json_put_string(writer, "model", carried->job.record.model);
	json_put_string(writer, "created_at", when);
	if (carried->beat == BEAT_CHAT_LINE) {
		json_begin_object(writer, "message");
		json_put_string(writer, "role", "assistant");
		json_put_string(writer, "content", "");
		json_end_object(writer);
	} else {
		json_put_string(writer, "response", "");
	}
	json_put_bool(writer, "done", false);
	json_end_object(writer);
	line = json_writer_get(writer, &length);
	evbuffer_add(out, line, length);
	evbuffer_add(out, "\n", 1);
	json_writer_destroy(writer);
	free(when);
}

static void send_body(struct relay_job *carried)
{
	struct record *record = &carried->job.record;
	struct evbuffer *out = evbuffer_new();

	if (!out)
		mem_out(sizeof(comment));
	if (carried->beat == BEAT_COMMENT)
		evbuffer_add(out, comment, strlen(comment));
	else if (carried->beat == BEAT_SPACE)
		evbuffer_add(out, space, strlen(space));
	else
		put_line(carried, out);
	if (carried->job.reply != REPLY_COMMITTED) {
		reply_stream_head(
			carried->client, beat_content_type(carried->beat), record->request_id);
		carried->job.reply = REPLY_COMMITTED;
		record->http_status = STATUS_OK;
	}
	record->response_bytes += (int64_t)evbuffer_get_length(out);
	reply_data(carried->client, out);
	evbuffer_free(out);
}

static bool waits_for_head(const struct job *job)
{
	return job->state == JOB_QUEUED || job->state == JOB_CONNECTING ||
	       job->state == JOB_AWAITING;
}

void relay_beat(struct relay_job *carried)
{
	int64_t now_us = ticker_now_us();

	if (!waits_for_head(&carried->job))
		carried->beat_due_us = 0;
	if (!carried->beat_due_us || carried->beat_due_us > now_us)
		return;
	carried->beat_due_us = now_us + carried->settings->heartbeat_interval_ms * US_PER_MS;
	/* One that does not read is told nothing more. */
	if (client_unsent_bytes(carried->client) > 0)
		return;
	if (carried->beat == BEAT_PROCESSING)
		send_processing(carried);
	else
		send_body(carried);
}

void relay_join_answer(struct relay_job *carried)
{
	/* Told when the answer is whole, by relay_answered_error(). */
	if (carried->status >= STATUS_CLIENT_ERROR)
		return;
	if (beat_fits(carried->beat, carried->format)) {
		carried->job.reply = REPLY_HEAD;
		return;
	}
	relay_fail(carried, OUTCOME_UPSTREAM_MALFORMED,
		"Ollama's answer has another form than the one that a heartbeat had begun");
}

bool relay_answered_error(const struct relay_job *carried)
{
	return carried->job.reply == REPLY_COMMITTED && carried->status >= STATUS_CLIENT_ERROR;
}

void relay_tell_error(struct relay_job *carried)
{
	const struct tap_result *seen = tap_finish(carried->tap);
	char *text = seen->error ? mem_strdup(seen->error_text)
				 : mem_printf("Ollama answered with status %d", carried->status);

	relay_fail_status(carried, outcome_of_status(carried->status), carried->status, text);
	free(text);
}

void relay_cut_committed(struct relay_job *carried, const char *text)
{
	/* Each beat ends where a line, an event or a whole JSON text may begin. */
	char *line =
		reply_error_line(carried->job.record.family, carried->beat == BEAT_COMMENT, text);

	carried->job.record.response_bytes += (int64_t)strlen(line);
	reply_cut(carried->client, line);
	free(line);
}
