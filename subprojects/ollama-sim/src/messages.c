#include "messages.h"

#include <stdio.h>
#include <string.h>

#include "catalog.h"
#include "conn.h"
#include "job.h"
#include "openai.h"
#include "pace.h"
#include "reply.h"
#include "sim.h"

/* Ollama guesses input_tokens of message_start: about a quarter of the letters. Words do as well.
 */
#define GUESS_MIN 1

static const char *error_type(int status)
{
	switch (status) {
	case 400:
		return "invalid_request_error";
	case 404:
		return "not_found_error";
	case 503:
		return "overloaded_error";
	default:
		return "api_error";
	}
}

static void add_id(struct bytes *line, const char *prefix)
{
	bytes_addf(line, "%s%08x%08x%08x", prefix, pace_random(UINT32_MAX), pace_random(UINT32_MAX),
		pace_random(UINT32_MAX));
}

static void answer_error(struct conn *conn, int status, const char *message)
{
	struct bytes *body = &conn->sim->line;

	bytes_clear(body);
	bytes_addf(body,
		"{\"type\":\"error\",\"error\":{\"type\":\"%s\",\"message\":", error_type(status));
	bytes_add_string(body, message);
	bytes_adds(body, "},\"request_id\":\"");
	add_id(body, "req_");
	bytes_adds(body, "\"}\n");
	reply_json(conn, status, TYPE_JSON, body);
}

/* "event: name\ndata: {"type":"name" */
static struct bytes *begin_event(struct job *job, const char *name)
{
	struct bytes *line = &job->sim->line;

	bytes_clear(line);
	bytes_addf(line, "event: %s\ndata: {\"type\":\"%s\"", name, name);
	return line;
}

static void send_event(struct job *job, struct bytes *line)
{
	bytes_adds(line, "}\n\n");
	reply_chunk(job->conn, bytes_at(line), bytes_length(line));
}

static void begin_stream(struct job *job)
{
	struct reply_fields fields = {.content_type = TYPE_SSE, .is_held_open = true};

	reply_begin(job->conn, 200, &fields);
	job->has_begun = true;
	struct bytes *line = begin_event(job, "message_start");
	bytes_adds(line, ",\"message\":{\"id\":\"");
	add_id(line, "msg_");
	bytes_adds(line, "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"");
	bytes_add(line, bytes_at(&job->model_json), bytes_length(&job->model_json));
	size_t words = prompt_total(&job->prompt) - job->prompt.extra_tokens;
	bytes_addf(line, "\",\"content\":[],\"usage\":{\"input_tokens\":%zu,\"output_tokens\":0}}",
		words < GUESS_MIN ? GUESS_MIN : words);
	send_event(job, line);
}

static const char *block_of(const struct job *job, const struct piece *piece)
{
	return job->thinks && piece->kind == PIECE_THINKING ? "thinking" : "text";
}

static void end_block(struct job *job)
{
	struct bytes *line = begin_event(job, "content_block_stop");

	bytes_addf(line, ",\"index\":%u", job->sequence++);
	send_event(job, line);
}

/* variant: which block is open; 0 none, 't' text, 'h' thinking. */
static void begin_block(struct job *job, const char *block)
{
	struct bytes *line = begin_event(job, "content_block_start");

	job->variant = (unsigned)block[1];
	bytes_addf(line, ",\"index\":%u,\"content_block\":{\"type\":\"%s\",\"%s\":\"\"}",
		job->sequence, block, block);
	send_event(job, line);
}

static void stream_piece(struct job *job, const struct piece *piece)
{
	const char *block = block_of(job, piece);

	if (!job->has_begun)
		begin_stream(job);
	if (job->variant != 0 && job->variant != (unsigned)block[1])
		end_block(job);
	if (job->variant != (unsigned)block[1])
		begin_block(job, block);
	struct bytes *line = begin_event(job, "content_block_delta");
	bytes_addf(line, ",\"index\":%u,\"delta\":{\"type\":\"%s_delta\",\"%s\":\"", job->sequence,
		block, block);
	bytes_add(line, piece->json, piece->json_length);
	bytes_adds(line, "\"}");
	send_event(job, line);
}

static void piece(struct job *job, const struct piece *piece)
{
	if (job->thinks && (piece->kind == PIECE_TAG_OPEN || piece->kind == PIECE_TAG_CLOSE))
		return;
	if (job->ask.streams) {
		stream_piece(job, piece);
		return;
	}
	bool is_thought = job->thinks && piece->kind == PIECE_THINKING;
	bytes_add(is_thought ? &job->thinking : &job->text, piece->json, piece->json_length);
}

static bool calls_tool(const struct job *job)
{
	return bytes_length(&job->tool_name) > 0;
}

static const char *stop_reason(const struct job *job)
{
	if (calls_tool(job))
		return "tool_use";
	return strcmp(job->done_reason, "length") == 0 ? "max_tokens" : "end_turn";
}

static void stream_tool(struct job *job)
{
	struct bytes *line = begin_event(job, "content_block_start");

	bytes_addf(line,
		",\"index\":%u,\"content_block\":{\"type\":\"tool_use\",\"id\":\"call_%08x\","
		"\"name\":\"%s\","
		"\"input\":{}}",
		job->sequence, job->item_serial, bytes_text(&job->tool_name));
	send_event(job, line);
	line = begin_event(job, "content_block_delta");
	bytes_addf(line,
		",\"index\":%u,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"",
		job->sequence);
	bytes_add_escaped(line, bytes_at(&job->tool_arguments), bytes_length(&job->tool_arguments));
	bytes_adds(line, "\"}");
	send_event(job, line);
	end_block(job);
}

static void finish_stream(struct job *job)
{
	if (!job->has_begun)
		begin_stream(job);
	if (job->variant != 0)
		end_block(job);
	if (job->breaks_off) {
		reply_end(job->conn);
		return;
	}
	if (calls_tool(job))
		stream_tool(job);
	struct bytes *line = begin_event(job, "message_delta");
	bytes_addf(line,
		",\"delta\":{\"stop_reason\":\"%s\"},\"usage\":{\"input_tokens\":%zu,\"output_"
		"tokens\":%zu}",
		stop_reason(job), job->prompt_tokens, job->generated);
	send_event(job, line);
	send_event(job, begin_event(job, "message_stop"));
	reply_end(job->conn);
}

static void add_contents(struct job *job, struct bytes *line)
{
	bool has_thought = bytes_length(&job->thinking) > 0;
	bool has_text = bytes_length(&job->text) > 0 || !calls_tool(job);

	if (has_thought) {
		bytes_adds(line, "{\"type\":\"thinking\",\"thinking\":\"");
		bytes_add(line, bytes_at(&job->thinking), bytes_length(&job->thinking));
		bytes_adds(line, has_text ? "\"}," : "\"}");
	}
	if (has_text) {
		bytes_adds(line, "{\"type\":\"text\",\"text\":\"");
		bytes_add(line, bytes_at(&job->text), bytes_length(&job->text));
		bytes_adds(line, "\"}");
	}
	if (calls_tool(job)) {
		bytes_addf(line,
			"%s{\"type\":\"tool_use\",\"id\":\"call_%08x\",\"name\":\"%s\",\"input\":%"
			"s}",
			has_text ? "," : "", job->item_serial, bytes_text(&job->tool_name),
			bytes_text(&job->tool_arguments));
	}
}

static void finish(struct job *job)
{
	if (job->ask.streams) {
		finish_stream(job);
		return;
	}
	struct bytes *line = &job->sim->line;
	bytes_clear(line);
	bytes_adds(line, "{\"id\":\"");
	add_id(line, "msg_");
	bytes_adds(line, "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"");
	bytes_add(line, bytes_at(&job->model_json), bytes_length(&job->model_json));
	bytes_adds(line, "\",\"content\":[");
	add_contents(job, line);
	bytes_addf(line,
		"],\"stop_reason\":\"%s\",\"usage\":{\"input_tokens\":%zu,\"output_tokens\":%zu}}"
		"\n",
		stop_reason(job), job->prompt_tokens, job->generated);
	reply_json(job->conn, 200, TYPE_JSON, line);
}

/* In mid-stream it just ends. */
static void fail(struct job *job, int status, const char *message)
{
	if (job->has_begun)
		reply_end(job->conn);
	else
		answer_error(job->conn, status, message);
}

static const struct dialect dialect = {
	.loaded = finish, .piece = piece, .finish = finish, .fail = fail};

static bool read_prompt(struct job *job, yajl_val body)
{
	const char *system = json_get_string(body, "system");
	size_t bad_byte;

	if (system != NULL)
		prompt_add_text(&job->prompt, system, true);
	return prompt_add_messages(&job->prompt, json_get(body, "messages"), job->model, &bad_byte);
}

static void serve(struct conn *conn, yajl_val body)
{
	const char *name = json_get_string(body, "model");
	struct model *model = catalog_find(&conn->sim->catalog, name == NULL ? "" : name);
	char text[ASK_ERROR_BYTES];

	if (model == NULL) {
		snprintf(text, sizeof(text), "model '%.200s' not found", name == NULL ? "" : name);
		answer_error(conn, 404, text);
		return;
	}
	if ((model->capabilities & CAN_COMPLETE) == 0) {
		snprintf(text, sizeof(text), "\"%.200s\" does not support chat", name);
		answer_error(conn, 400, text);
		return;
	}
	struct job *job = job_create(conn, model, name, &dialect);
	ask_read_v1(&job->ask, body, model, &conn->sim->settings, "max_tokens");
	const char *thinking = json_get_string(json_get(body, "thinking"), "type");
	if (thinking != NULL)
		job->ask.thinking = strcmp(thinking, "enabled") == 0 ? THINK_ON : THINK_OFF;
	if (!read_prompt(job, body)) {
		answer_error(conn, 400, "invalid base64 image");
		job_discard(job);
		return;
	}
	openai_prepare(job, body);
	job_start(job);
}

void messages_create(struct conn *conn)
{
	char error[JSON_ERROR_BYTES];
	bool is_empty = bytes_length(&conn->body.content) == 0;
	yajl_val body = is_empty ? NULL : json_parse(bytes_text(&conn->body.content), error);

	if (body == NULL) {
		answer_error(conn, 400, is_empty ? "EOF" : error);
		return;
	}
	if (json_count(json_get(body, "messages")) == 0)
		answer_error(conn, 400, "messages is required");
	else
		serve(conn, body);
	yajl_tree_free(body);
}
