#include "native.h"

#include <stdio.h>
#include <string.h>

#include "catalog.h"
#include "conn.h"
#include "job.h"
#include "pace.h"
#include "reply.h"
#include "sim.h"

#define CONTEXT_TOKEN_FIRST \
	518 /* the numbers mean nothing; they look like those of a vocabulary of 32,000 */
#define CONTEXT_TOKEN_STEP 7919
#define CONTEXT_VOCABULARY 32000

static const char multimodal_refusal[] =
	"{\"error\":{\"code\":400,\"message\":\"Multimodal data provided, but model does not "
	"support "
	"multimodal requests.\",\"type\":\"invalid_request_error\"}}";
static const char format_refusal[] =
	"{\"error\":{\"code\":400,\"message\":\"Field 'json_schema': \\\"json_schema\\\": JSON "
	"schema "
	"conversion failed:\\nJSON schema error at #: unrecognized type bogus\","
	"\"type\":\"invalid_request_error\"}}";

yajl_val native_parse(struct conn *conn, const char *go_struct)
{
	char error[JSON_ERROR_BYTES], type_error[ASK_ERROR_BYTES];

	if (bytes_length(&conn->body.content) == 0) {
		reply_error(conn, 400, "missing request body");
		return NULL;
	}
	yajl_val body = json_parse(bytes_text(&conn->body.content), error);
	if (body == NULL) {
		reply_error(conn, 400, error);
		return NULL;
	}
	if (!ask_check_types(body, go_struct, type_error)) {
		yajl_tree_free(body);
		reply_error(conn, 400, type_error);
		return NULL;
	}
	return body;
}

struct model *native_find(struct conn *conn, const char *name)
{
	struct model *model = catalog_find(&conn->sim->catalog, name);
	char text[ASK_ERROR_BYTES];

	if (model == NULL) {
		snprintf(text, sizeof(text), "model '%.200s' not found", name);
		reply_error(conn, 404, text);
	}
	return model;
}

static bool is_known_type(const char *type)
{
	static const char *const types[] = {
		"object", "array", "string", "number", "integer", "boolean", "null"};

	for (size_t i = 0; i < ARRAY_LENGTH(types); i++) {
		if (strcmp(type, types[i]) == 0)
			return true;
	}
	return false;
}

const char *native_runner_refusal(
	const struct model *model, const struct prompt *prompt, yajl_val format)
{
	const char *type = json_get_string(format, "type");

	if (prompt->images > 0 && (model->capabilities & CAN_SEE) == 0)
		return multimodal_refusal;
	if (type != NULL && !is_known_type(type))
		return format_refusal;
	return NULL;
}

/* {"model":"…","created_at":"…", — what all lines begin with */
static struct bytes *begin_line(struct job *job)
{
	struct bytes *line = &job->sim->line;

	bytes_clear(line);
	bytes_adds(line, "{\"model\":\"");
	bytes_add(line, bytes_at(&job->model_json), bytes_length(&job->model_json));
	bytes_adds(line, "\",\"created_at\":\"");
	pace_add_stamp(line, pace_wall());
	bytes_adds(line, "\",");
	return line;
}

static void send_line(struct job *job, struct bytes *line)
{
	if (!job->has_begun) {
		reply_begin(job->conn, 200, &(struct reply_fields){.content_type = TYPE_NDJSON});
		job->has_begun = true;
	}
	bytes_adds(line, "\n");
	reply_chunk(job->conn, bytes_at(line), bytes_length(line));
}

/* The part of a line between created_at and done: one token, or for the last line none or all. */
static void add_generate(struct bytes *line, const char *content, size_t content_length,
	const char *thinking, size_t thinking_length)
{
	bytes_adds(line, "\"response\":\"");
	bytes_add(line, content, content_length);
	if (thinking_length > 0) {
		bytes_adds(line, "\",\"thinking\":\"");
		bytes_add(line, thinking, thinking_length);
	}
	bytes_adds(line, "\",\"done\":");
}

static void add_tool_call(struct job *job, struct bytes *line)
{
	bytes_addf(line,
		",\"tool_calls\":[{\"id\":\"call_%08x\",\"function\":{\"index\":0,\"name\":\"%s\",",
		job->item_serial, bytes_text(&job->tool_name));
	bytes_adds(line, "\"arguments\":");
	bytes_add(line, bytes_at(&job->tool_arguments), bytes_length(&job->tool_arguments));
	bytes_adds(line, "}}]");
}

static void add_message(struct job *job, struct bytes *line, const char *content,
	size_t content_length, const char *thinking, size_t thinking_length, bool has_call)
{
	bytes_adds(line, "\"message\":{\"role\":\"assistant\",\"content\":\"");
	bytes_add(line, content, content_length);
	if (thinking_length > 0) {
		bytes_adds(line, "\",\"thinking\":\"");
		bytes_add(line, thinking, thinking_length);
	}
	bytes_adds(line, "\"");
	if (has_call)
		add_tool_call(job, line);
	bytes_adds(line, "},\"done\":");
}

static bool is_tag(const struct piece *piece)
{
	return piece->kind == PIECE_TAG_OPEN || piece->kind == PIECE_TAG_CLOSE;
}

static void collect(struct job *job, const struct piece *piece)
{
	if (job->thinks && is_tag(piece))
		return;
	bool is_thought = job->thinks && piece->kind == PIECE_THINKING;
	bytes_add(is_thought ? &job->thinking : &job->text, piece->json, piece->json_length);
}

static void generate_piece(struct job *job, const struct piece *piece)
{
	bool is_thought = job->thinks && piece->kind == PIECE_THINKING;
	bool is_content = !is_thought && !(job->thinks && is_tag(piece));

	if (!job->ask.streams) {
		collect(job, piece);
		return;
	}
	struct bytes *line = begin_line(job);
	add_generate(line, piece->json, is_content ? piece->json_length : 0, piece->json,
		is_thought ? piece->json_length : 0);
	bytes_adds(line, "false}");
	send_line(job, line);
}

static void chat_piece(struct job *job, const struct piece *piece)
{
	bool is_thought = job->thinks && piece->kind == PIECE_THINKING;

	if (!job->ask.streams) {
		collect(job, piece);
		return;
	}
	if (job->thinks && is_tag(piece))
		return;
	struct bytes *line = begin_line(job);
	add_message(job, line, piece->json, is_thought ? 0 : piece->json_length, piece->json,
		is_thought ? piece->json_length : 0, false);
	bytes_adds(line, "false}");
	send_line(job, line);
}

static void add_duration(struct bytes *line, const char *name, int64_t ns)
{
	bytes_adds(line, name);
	bytes_add_int(line, ns);
}

/* The runner counts in microseconds: whole ones, but never 0 (omitempty would drop it). */
static int64_t whole_us(int64_t ns)
{
	return ns < 1000 ? ns : ns - ns % 1000;
}

static void add_context(struct job *job, struct bytes *line)
{
	uint32_t token = CONTEXT_TOKEN_FIRST;

	bytes_adds(line, "\"context\":[");
	for (size_t i = 0; i < job->prompt_tokens + job->generated; i++) {
		if (i > 0)
			bytes_add(line, ",", 1);
		bytes_add_int(line, token);
		token = (token + CONTEXT_TOKEN_STEP) % CONTEXT_VOCABULARY;
	}
	bytes_adds(line, "],");
}

static void add_metrics(struct job *job, struct bytes *line)
{
	struct job_durations durations = job_durations(job);

	add_duration(line, "\"total_duration\":", durations.total);
	add_duration(line, ",\"load_duration\":", durations.load);
	add_duration(line, ",\"prompt_eval_count\":", (int64_t)job->prompt_tokens);
	add_duration(line, ",\"prompt_eval_duration\":", whole_us(durations.prompt_eval));
	add_duration(line, ",\"eval_count\":", (int64_t)job->generated);
	add_duration(line, ",\"eval_duration\":", whole_us(durations.eval));
	if (bytes_length(&job->logprobs) > 0) {
		bytes_adds(line, ",\"logprobs\":[");
		bytes_add(line, bytes_at(&job->logprobs), bytes_length(&job->logprobs));
		bytes_adds(line, "]");
	}
	bytes_adds(line, "}");
}

/* done:true and what follows; breaks_off: Ollama's limit of equal tokens leaves done false and
 * reports nothing. */
static void add_done(struct job *job, struct bytes *line, bool has_context)
{
	if (job->breaks_off) {
		bytes_adds(line, "false}");
		return;
	}
	bytes_adds(line, "true,\"done_reason\":\"");
	bytes_adds(line, job->done_reason);
	bytes_adds(line, "\",");
	if (has_context)
		add_context(job, line);
	add_metrics(job, line);
}

static void finish(struct job *job, struct bytes *line)
{
	if (!job->ask.streams) {
		reply_json(job->conn, 200, TYPE_JSON_UTF8, line);
		return;
	}
	if (!job->breaks_off)
		send_line(job, line);
	reply_end(job->conn);
}

static void generate_finish(struct job *job)
{
	struct bytes *line = begin_line(job);

	add_generate(line, bytes_at(&job->text), bytes_length(&job->text), bytes_at(&job->thinking),
		bytes_length(&job->thinking));
	add_done(job, line, !job->ask.is_raw);
	finish(job, line);
}

static void chat_finish(struct job *job)
{
	bool has_call = bytes_length(&job->tool_name) > 0;
	struct bytes *line;

	if (has_call && job->ask.streams) {
		line = begin_line(job);
		add_message(job, line, "", 0, "", 0, true);
		bytes_adds(line, "false}");
		send_line(job, line);
	}
	line = begin_line(job);
	add_message(job, line, bytes_at(&job->text), bytes_length(&job->text),
		bytes_at(&job->thinking), bytes_length(&job->thinking),
		has_call && !job->ask.streams);
	add_done(job, line, false);
	finish(job, line);
}

static void answer_without_tokens(struct job *job, bool is_chat, const char *reason)
{
	struct bytes *line = begin_line(job);

	bytes_adds(line, is_chat ? "\"message\":{\"role\":\"assistant\",\"content\":\"\"}"
				 : "\"response\":\"\"");
	bytes_addf(line, ",\"done\":true,\"done_reason\":\"%s\"}", reason);
	reply_json(job->conn, 200, TYPE_JSON_UTF8, line);
}

static void generate_loaded(struct job *job)
{
	answer_without_tokens(job, false, "load");
}

static void chat_loaded(struct job *job)
{
	answer_without_tokens(job, true, "load");
}

static void fail(struct job *job, int status, const char *message)
{
	struct bytes *line = &job->sim->line;

	bytes_clear(line);
	bytes_adds(line, "{\"error\":");
	bytes_add_string(line, message);
	bytes_adds(line, "}");
	if (job->has_begun) {
		send_line(job, line);
		reply_end(job->conn);
		return;
	}
	/* Before its first token a stream's error has its status, but the frame of a stream. */
	bool is_from_runner = job->runner != NULL;
	struct reply_fields fields = {
		.content_type = job->ask.streams && is_from_runner ? TYPE_JSON : TYPE_JSON_UTF8,
		.is_flushed = job->ask.streams && is_from_runner};
	reply_full(job->conn, status, &fields, bytes_at(line), bytes_length(line));
}

static const struct dialect generate_dialect = {.loaded = generate_loaded,
	.piece = generate_piece,
	.finish = generate_finish,
	.fail = fail};
static const struct dialect chat_dialect = {
	.loaded = chat_loaded, .piece = chat_piece, .finish = chat_finish, .fail = fail};

/* What Ollama asks of a model before it schedules a request. True: answered with an error. */
static bool lacks_capability(struct conn *conn, struct job *job, const char *name, yajl_val body)
{
	const struct model *model = job->model;
	const char *suffix = json_get_string(body, "suffix");
	char text[CATALOG_NAME_BYTES + ASK_ERROR_BYTES];
	const char *missing = NULL;

	if ((model->capabilities & CAN_COMPLETE) == 0) {
		snprintf(text, sizeof(text), "\"%.200s\" does not support %s", name,
			job->dialect == &chat_dialect ? "chat" : "generate");
		reply_error(conn, 400, text);
		return true;
	}
	if (job->ask.thinking == THINK_ON && (model->capabilities & CAN_THINK) == 0) {
		snprintf(text, sizeof(text), "\"%.200s\" does not support thinking", name);
		reply_error(conn, 400, text);
		return true;
	}
	if (suffix != NULL && *suffix != '\0' && (model->capabilities & CAN_INSERT) == 0)
		missing = "insert";
	if (json_count(json_get(body, "tools")) > 0 && (model->capabilities & CAN_CALL_TOOLS) == 0)
		missing = "tools";
	if (missing == NULL)
		return false;
	snprintf(text, sizeof(text), "registry.ollama.ai/library/%s does not support %s",
		model->name, missing);
	reply_error(conn, 400, text);
	return true;
}

static bool read_generate_prompt(struct job *job, yajl_val body, size_t *ret_bad_byte)
{
	const char *prompt = json_get_string(body, "prompt");
	const char *system = json_get_string(body, "system");

	if (system != NULL)
		prompt_add_text(&job->prompt, system, true);
	prompt_add_text(&job->prompt, prompt == NULL ? "" : prompt, false);
	if (prompt == NULL || *prompt == '\0')
		job->kind = JOB_LOAD;
	return prompt_add_images(&job->prompt, json_get(body, "images"), job->model, ret_bad_byte);
}

static bool read_prompt(struct job *job, yajl_val body, size_t *ret_bad_byte)
{
	yajl_val messages = json_get(body, "messages");

	if (job->dialect == &generate_dialect)
		return read_generate_prompt(job, body, ret_bad_byte);
	if (json_count(messages) == 0)
		job->kind = JOB_LOAD;
	return prompt_add_messages(&job->prompt, messages, job->model, ret_bad_byte);
}

/* The tokens around the words. */
static void add_template(struct job *job, yajl_val tools)
{
	const struct model *model = job->model;

	if (job->ask.is_raw) {
		job->prompt.extra_tokens = model->has_bos ? 1 : 0;
		return;
	}
	job->prompt.extra_tokens = (size_t)model->template_tokens + (job->thinks ? 3 : 0);
	/* A tool's description is about so long; its text is not looked at. */
	job->prompt.extra_tokens += 84 * json_count(tools);
}

/* Checks that need no runner; true: answered. */
static bool is_answered(struct conn *conn, struct job *job, const char *name, yajl_val body)
{
	char text[ASK_ERROR_BYTES];
	size_t bad_byte = 0;

	if (!ask_read_native(&job->ask, body, job->model, &conn->sim->settings, text)) {
		reply_error(conn, 400, text);
		return true;
	}
	if (!read_prompt(job, body, &bad_byte)) {
		snprintf(text, sizeof(text), "illegal base64 data at input byte %zu", bad_byte);
		reply_error(conn, 400, text);
		return true;
	}
	if (job->kind == JOB_LOAD && job->ask.has_keep_alive && job->ask.keep_alive == 0) {
		loader_unload(&conn->sim->loader, job->model);
		answer_without_tokens(job, job->dialect == &chat_dialect, "unload");
		return true;
	}
	return lacks_capability(conn, job, name, body);
}

static void serve(struct conn *conn, const struct dialect *dialect, const char *go_struct)
{
	yajl_val body = native_parse(conn, go_struct);
	const char *name;
	struct model *model;

	if (body == NULL)
		return;
	name = json_get_string(body, "model");
	model = native_find(conn, name == NULL ? "" : name);
	if (model == NULL) {
		yajl_tree_free(body);
		return;
	}
	struct job *job = job_create(conn, model, name, dialect);
	if (is_answered(conn, job, name, body)) {
		yajl_tree_free(body);
		job_discard(job);
		return;
	}
	job->thinks = (model->capabilities & CAN_THINK) != 0 && job->ask.thinking != THINK_OFF;
	add_template(job, json_get(body, "tools"));
	job_choose_tool(job, json_get(body, "tools"));
	job->refusal = native_runner_refusal(model, &job->prompt, json_get(body, "format"));
	job_fit_prompt(job);
	yajl_tree_free(body);
	job_start(job);
}

void native_generate(struct conn *conn)
{
	serve(conn, &generate_dialect, "GenerateRequest");
}

void native_chat(struct conn *conn)
{
	serve(conn, &chat_dialect, "ChatRequest");
}
