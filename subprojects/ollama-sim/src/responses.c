#include "responses.h"

#include <string.h>

#include "catalog.h"
#include "conn.h"
#include "job.h"
#include "openai.h"
#include "pace.h"
#include "reply.h"
#include "sim.h"

/* Ids are built of two of a job's numbers, so that they have the recorded six digits. */
#define ID_FACTOR 1000

static unsigned response_id(const struct job *job)
{
	return job->serial * ID_FACTOR + job->item_serial % ID_FACTOR;
}

static bool calls_tool(const struct job *job)
{
	return bytes_length(&job->tool_name) > 0;
}

/* variant holds max_output_tokens as asked, 0 for none. */
static void add_limit(struct job *job, struct bytes *line)
{
	if (job->variant == 0)
		bytes_adds(line, "\"max_output_tokens\":null,");
	else
		bytes_addf(line, "\"max_output_tokens\":%u,", job->variant);
}

static void add_text_part(struct job *job, struct bytes *line)
{
	bytes_adds(line, "{\"annotations\":[],\"logprobs\":[],\"text\":\"");
	bytes_add(line, bytes_at(&job->text), bytes_length(&job->text));
	bytes_adds(line, "\",\"type\":\"output_text\"}");
}

static void add_item(struct job *job, struct bytes *line, bool is_done)
{
	if (calls_tool(job)) {
		bytes_adds(line, "{\"arguments\":\"");
		if (is_done)
			bytes_add_escaped(line, bytes_at(&job->tool_arguments),
				bytes_length(&job->tool_arguments));
		bytes_addf(line,
			"\",\"call_id\":\"call_%08x\",\"id\":\"fc_%u\",\"name\":\"%s\",\"status\":"
			"\"%s\","
			"\"type\":\"function_call\"}",
			job->item_serial, job->item_serial, bytes_text(&job->tool_name),
			is_done ? "completed" : "in_progress");
		return;
	}
	bytes_adds(line, "{\"content\":[");
	if (is_done)
		add_text_part(job, line);
	bytes_addf(line,
		"],\"id\":\"msg_%u\",\"role\":\"assistant\",\"status\":\"%s\",\"type\":"
		"\"message\"}",
		job->item_serial, is_done ? "completed" : "in_progress");
}

/* The response object inside of events. */
static void add_response(struct job *job, struct bytes *line, bool is_done)
{
	long long now = (long long)(pace_wall() / NS_PER_S);

	bytes_adds(line, "\"response\":{\"background\":false,\"completed_at\":");
	if (is_done)
		bytes_add_int(line, now);
	else
		bytes_adds(line, "null");
	bytes_addf(line,
		",\"created_at\":%lld,\"error\":null,\"frequency_penalty\":0,\"id\":\"resp_%u\","
		"\"incomplete_details\":null,\"instructions\":null,",
		now, response_id(job));
	add_limit(job, line);
	bytes_adds(line, "\"max_tool_calls\":null,\"metadata\":{},\"model\":\"");
	bytes_add(line, bytes_at(&job->model_json), bytes_length(&job->model_json));
	bytes_adds(line, "\",\"object\":\"response\",\"output\":[");
	if (is_done)
		add_item(job, line, true);
	bytes_addf(line,
		"],\"parallel_tool_calls\":true,\"presence_penalty\":0,\"previous_response_id\":"
		"null,"
		"\"prompt_cache_key\":null,\"reasoning\":null,\"safety_identifier\":null,"
		"\"service_tier\":\"default\",\"status\":\"%s\",\"store\":false,\"temperature\":1,"
		"\"text\":{\"format\":{\"type\":\"text\"}},\"tool_choice\":\"auto\",\"tools\":[],"
		"\"top_logprobs\":0,\"top_p\":1,\"truncation\":\"disabled\",\"usage\":",
		is_done ? "completed" : "in_progress");
	if (is_done)
		bytes_addf(line,
			"{\"input_tokens\":%zu,\"input_tokens_details\":{\"cached_tokens\":0},"
			"\"output_tokens\":%zu,\"output_tokens_details\":{\"reasoning_tokens\":0},"
			"\"total_tokens\":%zu}",
			job->prompt_tokens, job->generated, job->prompt_tokens + job->generated);
	else
		bytes_adds(line, "null");
	bytes_adds(line, "}");
}

static struct bytes *begin_event(struct job *job, const char *name)
{
	struct bytes *line = &job->sim->line;

	bytes_clear(line);
	bytes_addf(line, "event: %s\ndata: {", name);
	return line;
}

static void send_event(struct job *job, struct bytes *line, const char *name)
{
	bytes_addf(line, ",\"type\":\"%s\"}\n\n", name);
	reply_chunk(job->conn, bytes_at(line), bytes_length(line));
}

static void add_sequence(struct job *job, struct bytes *line)
{
	bytes_addf(line, ",\"sequence_number\":%u", job->sequence++);
}

static void send_response(struct job *job, const char *name, bool is_done)
{
	struct bytes *line = begin_event(job, name);

	add_response(job, line, is_done);
	add_sequence(job, line);
	send_event(job, line, name);
}

static void send_item(struct job *job, const char *name, bool is_done)
{
	struct bytes *line = begin_event(job, name);

	bytes_adds(line, "\"item\":");
	add_item(job, line, is_done);
	bytes_adds(line, ",\"output_index\":0");
	add_sequence(job, line);
	send_event(job, line, name);
}

static void send_part(struct job *job, const char *name)
{
	struct bytes *line = begin_event(job, name);

	bytes_addf(line, "\"content_index\":0,\"item_id\":\"msg_%u\",\"output_index\":0,\"part\":",
		job->item_serial);
	add_text_part(job, line);
	add_sequence(job, line);
	send_event(job, line, name);
}

static void begin_stream(struct job *job)
{
	struct reply_fields fields = {.content_type = TYPE_SSE, .is_held_open = true};

	reply_begin(job->conn, 200, &fields);
	job->has_begun = true;
	send_response(job, "response.created", false);
	send_response(job, "response.in_progress", false);
	send_item(job, "response.output_item.added", false);
	if (!calls_tool(job))
		send_part(job, "response.content_part.added");
}

static void piece(struct job *job, const struct piece *piece)
{
	if (job->thinks && piece->kind != PIECE_CONTENT)
		return;
	if (job->ask.streams && !job->has_begun)
		begin_stream(job);
	bytes_add(&job->text, piece->json, piece->json_length);
	if (!job->ask.streams)
		return;
	struct bytes *line = begin_event(job, "response.output_text.delta");
	bytes_adds(line, "\"content_index\":0,\"delta\":\"");
	bytes_add(line, piece->json, piece->json_length);
	bytes_addf(line, "\",\"item_id\":\"msg_%u\",\"logprobs\":[],\"output_index\":0",
		job->item_serial);
	add_sequence(job, line);
	send_event(job, line, "response.output_text.delta");
}

static void send_text_done(struct job *job)
{
	struct bytes *line = begin_event(job, "response.output_text.done");

	bytes_addf(line,
		"\"content_index\":0,\"item_id\":\"msg_%u\",\"logprobs\":[],\"output_index\":0",
		job->item_serial);
	add_sequence(job, line);
	bytes_adds(line, ",\"text\":\"");
	bytes_add(line, bytes_at(&job->text), bytes_length(&job->text));
	bytes_adds(line, "\"");
	send_event(job, line, "response.output_text.done");
	send_part(job, "response.content_part.done");
}

static void finish_stream(struct job *job)
{
	if (!job->has_begun)
		begin_stream(job);
	if (job->breaks_off) {
		reply_end(job->conn);
		return;
	}
	if (!calls_tool(job))
		send_text_done(job);
	send_item(job, "response.output_item.done", true);
	send_response(job, "response.completed", true);
	reply_end(job->conn);
}

/* The object of an answer in one piece has its keys in the order of OpenAI's documentation. */
static void add_output(struct job *job, struct bytes *line)
{
	if (calls_tool(job)) {
		bytes_addf(line,
			"{\"id\":\"fc_%u\",\"type\":\"function_call\",\"status\":\"completed\","
			"\"call_id\":\"call_%08x\",\"name\":\"%s\",\"arguments\":\"",
			job->item_serial, job->item_serial, bytes_text(&job->tool_name));
		bytes_add_escaped(
			line, bytes_at(&job->tool_arguments), bytes_length(&job->tool_arguments));
		bytes_adds(line, "\"}");
		return;
	}
	bytes_addf(line,
		"{\"id\":\"msg_%u\",\"type\":\"message\",\"status\":\"completed\",\"role\":"
		"\"assistant\","
		"\"content\":[{\"type\":\"output_text\",\"text\":\"",
		job->item_serial);
	bytes_add(line, bytes_at(&job->text), bytes_length(&job->text));
	bytes_adds(line, "\",\"annotations\":[],\"logprobs\":[]}]}");
}

static void finish_whole(struct job *job)
{
	struct bytes *line = &job->sim->line;
	long long now = (long long)(pace_wall() / NS_PER_S);

	bytes_clear(line);
	bytes_addf(line,
		"{\"id\":\"resp_%u\",\"object\":\"response\",\"created_at\":%lld,\"completed_at\":%"
		"lld,"
		"\"status\":\"completed\",\"incomplete_details\":null,\"model\":\"",
		response_id(job), now, now);
	bytes_add(line, bytes_at(&job->model_json), bytes_length(&job->model_json));
	bytes_adds(line, "\",\"previous_response_id\":null,\"instructions\":null,\"output\":[");
	add_output(job, line);
	bytes_addf(line,
		"],\"error\":null,\"tools\":[],\"tool_choice\":\"auto\",\"truncation\":"
		"\"disabled\","
		"\"parallel_tool_calls\":true,\"text\":{\"format\":{\"type\":\"text\"}},\"top_p\":"
		"1,"
		"\"presence_penalty\":0,\"frequency_penalty\":0,\"top_logprobs\":0,\"temperature\":"
		"1,"
		"\"reasoning\":null,\"usage\":{\"input_tokens\":%zu,\"output_tokens\":%zu,"
		"\"total_tokens\":%zu,\"input_tokens_details\":{\"cached_tokens\":0},"
		"\"output_tokens_details\":{\"reasoning_tokens\":0}},",
		job->prompt_tokens, job->generated, job->prompt_tokens + job->generated);
	add_limit(job, line);
	bytes_adds(line, "\"max_tool_calls\":null,\"store\":false,\"background\":false,"
			 "\"service_tier\":\"default\",\"metadata\":{},\"safety_identifier\":null,"
			 "\"prompt_cache_key\":null}\n");
	reply_json(job->conn, 200, TYPE_JSON, line);
}

static void finish(struct job *job)
{
	if (job->ask.streams)
		finish_stream(job);
	else
		finish_whole(job);
}

static void fail(struct job *job, int status, const char *message)
{
	if (job->has_begun)
		reply_end(job->conn);
	else
		openai_error(job->conn, status, message);
}

static const struct dialect dialect = {
	.loaded = finish, .piece = piece, .finish = finish, .fail = fail};

static bool read_prompt(struct job *job, yajl_val body)
{
	const char *input = json_get_string(body, "input");
	const char *instructions = json_get_string(body, "instructions");
	size_t bad_byte;

	if (instructions != NULL)
		prompt_add_text(&job->prompt, instructions, true);
	if (input != NULL)
		prompt_add_text(&job->prompt, input, false);
	return prompt_add_messages(&job->prompt, json_get(body, "input"), job->model, &bad_byte);
}

void responses_create(struct conn *conn)
{
	yajl_val body = openai_parse(conn);

	if (body == NULL)
		return;
	const char *name = json_get_string(body, "model");
	struct model *model = openai_find(conn, name);
	if (model != NULL) {
		struct job *job = job_create(conn, model, name, &dialect);

		ask_read_v1(&job->ask, body, model, &conn->sim->settings, "max_output_tokens");
		job->variant = (unsigned)json_get_number(body, "max_output_tokens", 0);
		if (!read_prompt(job, body)) {
			openai_error(conn, 400, "invalid image input");
			job_discard(job);
		} else {
			openai_prepare(job, body);
			job_start(job);
		}
	}
	yajl_tree_free(body);
}
