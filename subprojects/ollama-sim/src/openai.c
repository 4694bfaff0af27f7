#include "openai.h"

#include <stdio.h>
#include <string.h>

#include "catalog.h"
#include "conn.h"
#include "job.h"
#include "native.h"
#include "pace.h"
#include "reply.h"
#include "sim.h"

/* Tokens that the description of a tool costs, about. */
#define TOOL_TOKENS 84

const char *openai_error_type(int status)
{
	switch (status) {
	case 400:
		return "invalid_request_error";
	case 404:
		return "not_found_error";
	default:
		return "api_error";
	}
}

static void add_error(struct bytes *body, int status, const char *message)
{
	bytes_clear(body);
	bytes_adds(body, "{\"error\":{\"message\":");
	bytes_add_string(body, message);
	bytes_addf(
		body, ",\"type\":\"%s\",\"param\":null,\"code\":null}}", openai_error_type(status));
}

void openai_error(struct conn *conn, int status, const char *message)
{
	struct bytes *body = &conn->sim->line;

	add_error(body, status, message);
	bytes_adds(body, "\n");
	reply_json(conn, status, TYPE_JSON, body);
}

/* The /v1 middleware itself refuses with a charset and without a line end. */
static void refuse(struct conn *conn, const char *message)
{
	struct bytes *body = &conn->sim->line;

	add_error(body, 400, message);
	reply_json(conn, 400, TYPE_JSON_UTF8, body);
}

yajl_val openai_parse(struct conn *conn)
{
	char error[JSON_ERROR_BYTES], type_error[ASK_ERROR_BYTES];

	if (bytes_length(&conn->body.content) == 0) {
		refuse(conn, "EOF");
		return NULL;
	}
	yajl_val body = json_parse(bytes_text(&conn->body.content), error);
	if (body == NULL) {
		refuse(conn, error);
		return NULL;
	}
	if (!ask_check_types(body, "OpenAI", type_error)) {
		yajl_tree_free(body);
		refuse(conn, type_error);
		return NULL;
	}
	return body;
}

struct model *openai_find(struct conn *conn, const char *name)
{
	struct model *model = catalog_find(&conn->sim->catalog, name == NULL ? "" : name);
	char text[ASK_ERROR_BYTES];

	if (model == NULL) {
		snprintf(text, sizeof(text), "model '%.200s' not found", name == NULL ? "" : name);
		openai_error(conn, 404, text);
	}
	return model;
}

void openai_prepare(struct job *job, yajl_val body)
{
	const struct model *model = job->model;
	yajl_val tools = json_get(body, "tools");

	job->thinks = (model->capabilities & CAN_THINK) != 0 && job->ask.thinking != THINK_OFF;
	job->prompt.extra_tokens = (size_t)model->template_tokens + (job->thinks ? 3 : 0) +
				   TOOL_TOKENS * json_count(tools);
	if ((model->capabilities & CAN_CALL_TOOLS) != 0)
		job_choose_tool(job, tools);
	job->refusal = native_runner_refusal(model, &job->prompt, NULL);
	job_fit_prompt(job);
}

/* The first members of a chat object, up to "choices":[ */
static struct bytes *begin_chat(struct job *job, const char *object, bool has_model)
{
	struct bytes *line = &job->sim->line;

	bytes_clear(line);
	if (job->ask.streams)
		bytes_adds(line, "data: ");
	bytes_adds(line, "{\"id\":\"chatcmpl-");
	bytes_add_int(line, job->serial);
	bytes_adds(line, "\",\"object\":\"");
	bytes_adds(line, object);
	bytes_adds(line, "\",\"created\":");
	bytes_add_int(line, pace_wall() / NS_PER_S);
	bytes_adds(line, ",\"model\":\"");
	if (has_model)
		bytes_add(line, bytes_at(&job->model_json), bytes_length(&job->model_json));
	bytes_adds(line, "\",\"system_fingerprint\":\"fp_ollama\",\"choices\":[");
	return line;
}

static void add_usage(struct job *job, struct bytes *line)
{
	bytes_addf(line,
		"\"usage\":{\"prompt_tokens\":%zu,\"completion_tokens\":%zu,\"total_tokens\":%zu}",
		job->prompt_tokens, job->generated, job->prompt_tokens + job->generated);
}

static void send_event(struct job *job, struct bytes *line)
{
	if (!job->has_begun) {
		reply_begin(job->conn, 200, &(struct reply_fields){.content_type = TYPE_SSE});
		job->has_begun = true;
	}
	reply_chunk(job->conn, bytes_at(line), bytes_length(line));
}

static void collect(struct job *job, const struct piece *piece)
{
	if (job->thinks && (piece->kind == PIECE_TAG_OPEN || piece->kind == PIECE_TAG_CLOSE))
		return;
	bool is_thought = job->thinks && piece->kind == PIECE_THINKING;
	bytes_add(is_thought ? &job->thinking : &job->text, piece->json, piece->json_length);
}

static void chat_piece(struct job *job, const struct piece *piece)
{
	bool is_thought = job->thinks && piece->kind == PIECE_THINKING;

	if (!job->ask.streams) {
		collect(job, piece);
		return;
	}
	if (job->thinks && (piece->kind == PIECE_TAG_OPEN || piece->kind == PIECE_TAG_CLOSE))
		return;
	struct bytes *line = begin_chat(job, "chat.completion.chunk", true);
	bytes_adds(line, "{\"index\":0,\"delta\":{");
	if (!job->has_begun)
		bytes_adds(line, "\"role\":\"assistant\",");
	bytes_adds(line, is_thought ? "\"content\":\"\",\"reasoning\":\"" : "\"content\":\"");
	bytes_add(line, piece->json, piece->json_length);
	bytes_adds(line, "\"},\"finish_reason\":null}]}\n\n");
	send_event(job, line);
}

static void add_tool_calls(struct job *job, struct bytes *line)
{
	bytes_addf(line,
		",\"tool_calls\":[{\"id\":\"call_%08x\",\"index\":0,\"type\":\"function\","
		"\"function\":{"
		"\"name\":\"%s\",\"arguments\":\"",
		job->item_serial, bytes_text(&job->tool_name));
	bytes_add_escaped(line, bytes_at(&job->tool_arguments), bytes_length(&job->tool_arguments));
	bytes_adds(line, "\"}}]");
}

static bool calls_tool(const struct job *job)
{
	return bytes_length(&job->tool_name) > 0;
}

static const char *finish_reason(const struct job *job)
{
	return calls_tool(job) ? "tool_calls" : job->done_reason;
}

/* The last chunk holds several events: the reason, the usage if asked for, [DONE]. */
static void finish_chat_stream(struct job *job)
{
	struct bytes *line;
	struct bytes all = {0};

	if (calls_tool(job)) {
		line = begin_chat(job, "chat.completion.chunk", true);
		bytes_addf(line, "{\"index\":0,\"delta\":{%s\"content\":\"\"",
			job->has_begun ? "" : "\"role\":\"assistant\",");
		add_tool_calls(job, line);
		bytes_adds(line, "},\"finish_reason\":null}]}\n\n");
		send_event(job, line);
	}
	if (job->breaks_off) {
		reply_end(job->conn);
		return;
	}
	line = begin_chat(job, "chat.completion.chunk", true);
	bytes_addf(line, "{\"index\":0,\"delta\":{},\"finish_reason\":\"%s\"}]}\n\n",
		finish_reason(job));
	bytes_add(&all, bytes_at(line), bytes_length(line));
	if (job->ask.wants_usage) {
		line = begin_chat(job, "chat.completion.chunk", true);
		bytes_adds(line, "],");
		add_usage(job, line);
		bytes_adds(line, "}\n\n");
		bytes_add(&all, bytes_at(line), bytes_length(line));
	}
	bytes_adds(&all, "data: [DONE]\n\n");
	send_event(job, &all);
	bytes_finish(&all);
	reply_end(job->conn);
}

static void chat_finish(struct job *job)
{
	if (job->ask.streams) {
		finish_chat_stream(job);
		return;
	}
	struct bytes *line = begin_chat(job, "chat.completion", true);
	bytes_adds(line, "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"");
	bytes_add(line, bytes_at(&job->text), bytes_length(&job->text));
	bytes_adds(line, "\"");
	if (bytes_length(&job->thinking) > 0) {
		bytes_adds(line, ",\"reasoning\":\"");
		bytes_add(line, bytes_at(&job->thinking), bytes_length(&job->thinking));
		bytes_adds(line, "\"");
	}
	if (calls_tool(job))
		add_tool_calls(job, line);
	bytes_addf(line, "},\"finish_reason\":\"%s\"}],", finish_reason(job));
	add_usage(job, line);
	bytes_adds(line, "}\n");
	reply_json(job->conn, 200, TYPE_JSON, line);
}

/* In mid-stream the error is lost: an event without model and content, and no [DONE]. */
static void chat_fail(struct job *job, int status, const char *message)
{
	if (!job->has_begun) {
		openai_error(job->conn, status, message);
		return;
	}
	struct bytes *line = begin_chat(job, "chat.completion.chunk", false);
	bytes_adds(line, "{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":null}]}\n\n");
	send_event(job, line);
	reply_end(job->conn);
}

static struct bytes *begin_completion(struct job *job)
{
	struct bytes *line = &job->sim->line;

	bytes_clear(line);
	if (job->ask.streams)
		bytes_adds(line, "data: ");
	bytes_adds(line, "{\"id\":\"cmpl-");
	bytes_add_int(line, job->serial);
	bytes_adds(line, "\",\"object\":\"text_completion\",\"created\":");
	bytes_add_int(line, pace_wall() / NS_PER_S);
	bytes_adds(line, ",");
	return line;
}

static void add_fingerprint(struct job *job, struct bytes *line)
{
	bytes_adds(line, "\"model\":\"");
	bytes_add(line, bytes_at(&job->model_json), bytes_length(&job->model_json));
	bytes_adds(line, "\",\"system_fingerprint\":\"fp_ollama\",");
}

/* "choices" before "model", and with include_usage a usage of zeros: as recorded. */
static void end_completion_event(struct job *job, struct bytes *line)
{
	add_fingerprint(job, line);
	if (job->ask.wants_usage)
		bytes_adds(line, "\"usage\":{\"prompt_tokens\":0,\"completion_tokens\":0,\"total_"
				 "tokens\":0}");
	else
		line->end--; /* the comma */
	bytes_adds(line, "}\n\n");
}

static void completion_piece(struct job *job, const struct piece *piece)
{
	if (!job->ask.streams) {
		collect(job, piece);
		return;
	}
	struct bytes *line = begin_completion(job);
	bytes_adds(line, "\"choices\":[{\"text\":\"");
	bytes_add(line, piece->json, piece->json_length);
	bytes_adds(line, "\",\"index\":0,\"finish_reason\":null}],");
	end_completion_event(job, line);
	send_event(job, line);
}

static void finish_completion_stream(struct job *job)
{
	struct bytes all = {0};

	if (job->breaks_off) {
		reply_end(job->conn);
		return;
	}
	struct bytes *line = begin_completion(job);
	bytes_addf(line, "\"choices\":[{\"text\":\"\",\"index\":0,\"finish_reason\":\"%s\"}],",
		job->done_reason);
	end_completion_event(job, line);
	bytes_add(&all, bytes_at(line), bytes_length(line));
	if (job->ask.wants_usage) {
		line = begin_completion(job);
		bytes_adds(line, "\"choices\":[],");
		add_fingerprint(job, line);
		add_usage(job, line);
		bytes_adds(line, "}\n\n");
		bytes_add(&all, bytes_at(line), bytes_length(line));
	}
	bytes_adds(&all, "data: [DONE]\n\n");
	send_event(job, &all);
	bytes_finish(&all);
	reply_end(job->conn);
}

static void completion_finish(struct job *job)
{
	if (job->ask.streams) {
		finish_completion_stream(job);
		return;
	}
	struct bytes *line = begin_completion(job);
	add_fingerprint(job, line);
	bytes_adds(line, "\"choices\":[{\"text\":\"");
	bytes_add(line, bytes_at(&job->text), bytes_length(&job->text));
	bytes_addf(line, "\",\"index\":0,\"finish_reason\":\"%s\"}],", job->done_reason);
	add_usage(job, line);
	bytes_adds(line, "}\n");
	reply_json(job->conn, 200, TYPE_JSON, line);
}

static void completion_fail(struct job *job, int status, const char *message)
{
	if (!job->has_begun) {
		openai_error(job->conn, status, message);
		return;
	}
	reply_end(job->conn);
}

/* An empty prompt: one token's worth of nothing. */
static void loaded(struct job *job)
{
	job->dialect->finish(job);
}

static const struct dialect chat_dialect = {
	.loaded = loaded, .piece = chat_piece, .finish = chat_finish, .fail = chat_fail};
static const struct dialect completion_dialect = {.loaded = loaded,
	.piece = completion_piece,
	.finish = completion_finish,
	.fail = completion_fail};

static bool is_missing_capability(
	struct conn *conn, struct job *job, const char *name, yajl_val body)
{
	char text[CATALOG_NAME_BYTES + ASK_ERROR_BYTES];
	unsigned capabilities = job->model->capabilities;

	if ((capabilities & CAN_COMPLETE) == 0)
		snprintf(text, sizeof(text), "\"%.200s\" does not support %s", name,
			job->dialect == &chat_dialect ? "chat" : "generate");
	else if (job->ask.thinking == THINK_ON && (capabilities & CAN_THINK) == 0)
		snprintf(text, sizeof(text), "\"%.200s\" does not support thinking", name);
	else if (json_count(json_get(body, "tools")) > 0 && (capabilities & CAN_CALL_TOOLS) == 0)
		snprintf(text, sizeof(text), "registry.ollama.ai/library/%s does not support tools",
			job->model->name);
	else
		return false;
	openai_error(conn, 400, text);
	return true;
}

static bool read_prompt(struct job *job, yajl_val body)
{
	size_t bad_byte;
	const char *prompt = json_get_string(body, "prompt");

	if (job->dialect == &chat_dialect)
		return prompt_add_messages(
			&job->prompt, json_get(body, "messages"), job->model, &bad_byte);
	prompt_add_text(&job->prompt, prompt == NULL ? "" : prompt, false);
	if (prompt == NULL || *prompt == '\0')
		job->kind = JOB_LOAD;
	return true;
}

static void serve(struct conn *conn, yajl_val body, const struct dialect *dialect)
{
	const char *name = json_get_string(body, "model");
	struct model *model = openai_find(conn, name);
	bool has_new_limit = json_get(body, "max_completion_tokens") != NULL;

	if (model == NULL)
		return;
	struct job *job = job_create(conn, model, name, dialect);
	ask_read_v1(&job->ask, body, model, &conn->sim->settings,
		has_new_limit ? "max_completion_tokens" : "max_tokens");
	if (!read_prompt(job, body)) {
		openai_error(conn, 400, "invalid image input");
		job_discard(job);
		return;
	}
	if (is_missing_capability(conn, job, name, body)) {
		job_discard(job);
		return;
	}
	openai_prepare(job, body);
	job_start(job);
}

void openai_chat(struct conn *conn)
{
	yajl_val body = openai_parse(conn);

	if (body == NULL)
		return;
	if (json_count(json_get(body, "messages")) == 0)
		refuse(conn, "[] is too short - 'messages'");
	else
		serve(conn, body, &chat_dialect);
	yajl_tree_free(body);
}

void openai_completions(struct conn *conn)
{
	yajl_val body = openai_parse(conn);

	if (body == NULL)
		return;
	serve(conn, body, &completion_dialect);
	yajl_tree_free(body);
}
