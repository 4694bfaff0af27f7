#include "embed.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "catalog.h"
#include "conn.h"
#include "job.h"
#include "native.h"
#include "openai.h"
#include "reply.h"
#include "sim.h"

/* BOS and EOS around each text. */
#define FRAME_TOKENS 2
/* No model has more. */
#define DIMENSIONS_MAX 16384

enum variant { VARIANT_NATIVE, VARIANT_OLD, VARIANT_OPENAI, VARIANT_OPENAI_BASE64 };

static uint32_t next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* A vector of length 1 that depends on nothing but the text. */
static float *make_vector(const char *text, size_t dimensions)
{
	float *vector = mem_grow_array(NULL, dimensions, sizeof(*vector));
	uint32_t state = 2166136261U; /* FNV-1a, 32 bits */
	double sum = 0;

	for (; *text != '\0'; text++)
		state = (state ^ (unsigned char)*text) * 16777619U;
	if (state == 0)
		state = 1;
	for (size_t i = 0; i < dimensions; i++) {
		vector[i] = (float)next_random(&state) / (float)UINT32_MAX - 0.5F;
		sum += (double)vector[i] * (double)vector[i];
	}
	for (size_t i = 0; i < dimensions; i++)
		vector[i] = (float)(vector[i] / sqrt(sum));
	return vector;
}

static void add_numbers(struct bytes *json, const float *vector, size_t dimensions, bool is_long)
{
	bytes_adds(json, "[");
	for (size_t i = 0; i < dimensions; i++)
		bytes_addf(
			json, is_long ? "%s%.17g" : "%s%.8g", i == 0 ? "" : ",", (double)vector[i]);
	bytes_adds(json, "]");
}

static void add_base64(struct bytes *json, const float *vector, size_t dimensions)
{
	size_t length = dimensions * sizeof(*vector);
	unsigned char *text = (unsigned char *)bytes_reserve(json, length / 3 * 4 + 8);

	*text = '"';
	json->end +=
		1 + (size_t)EVP_EncodeBlock(text + 1, (const unsigned char *)vector, (int)length);
	bytes_adds(json, "\"");
}

/* One element of the answer's list, in the form of its endpoint. */
static void add_vector(struct job *job, const char *text, size_t dimensions, size_t index)
{
	float *vector = make_vector(text, dimensions);
	struct bytes *json = &job->vectors;

	if (index > 0)
		bytes_adds(json, ",");
	switch ((enum variant)job->variant) {
	case VARIANT_NATIVE:
		add_numbers(json, vector, dimensions, false);
		break;
	case VARIANT_OLD:
		add_numbers(json, vector, dimensions, true);
		break;
	case VARIANT_OPENAI:
	case VARIANT_OPENAI_BASE64:
		bytes_adds(json, "{\"object\":\"embedding\",\"embedding\":");
		if (job->variant == VARIANT_OPENAI_BASE64)
			add_base64(json, vector, dimensions);
		else
			add_numbers(json, vector, dimensions, false);
		bytes_addf(json, ",\"index\":%zu}", index);
		break;
	}
	free(vector);
}

static void native_finish(struct job *job)
{
	struct job_durations durations = job_durations(job);
	struct bytes *body = &job->sim->line;

	bytes_clear(body);
	bytes_adds(body, "{\"model\":\"");
	bytes_add(body, bytes_at(&job->model_json), bytes_length(&job->model_json));
	bytes_adds(body, "\",\"embeddings\":[");
	bytes_add(body, bytes_at(&job->vectors), bytes_length(&job->vectors));
	if (job->kind == JOB_LOAD)
		bytes_adds(body, "]}");
	else
		bytes_addf(body,
			"],\"total_duration\":%lld,\"load_duration\":%lld,\"prompt_eval_count\":%"
			"zu}",
			(long long)durations.total, (long long)durations.load, job->prompt_tokens);
	reply_json(job->conn, 200, TYPE_JSON_UTF8, body);
}

static void old_finish(struct job *job)
{
	struct bytes *body = &job->sim->line;

	bytes_clear(body);
	bytes_adds(body, "{\"embedding\":");
	if (job->kind == JOB_LOAD)
		bytes_adds(body, "[]");
	bytes_add(body, bytes_at(&job->vectors), bytes_length(&job->vectors));
	bytes_adds(body, "}");
	reply_json(job->conn, 200, TYPE_JSON_UTF8, body);
}

static void openai_finish(struct job *job)
{
	struct bytes *body = &job->sim->line;

	bytes_clear(body);
	bytes_adds(body, "{\"object\":\"list\",\"data\":[");
	bytes_add(body, bytes_at(&job->vectors), bytes_length(&job->vectors));
	bytes_adds(body, "],\"model\":\"");
	bytes_add(body, bytes_at(&job->model_json), bytes_length(&job->model_json));
	bytes_addf(body, "\",\"usage\":{\"prompt_tokens\":%zu,\"total_tokens\":%zu}}\n",
		job->prompt_tokens, job->prompt_tokens);
	reply_json(job->conn, 200, TYPE_JSON, body);
}

static void no_piece(struct job *job, const struct piece *piece)
{
}

static void native_fail(struct job *job, int status, const char *message)
{
	reply_error(job->conn, status, message);
}

static void openai_fail(struct job *job, int status, const char *message)
{
	openai_error(job->conn, status, message);
}

static const struct dialect native_dialect = {
	.loaded = native_finish, .piece = no_piece, .finish = native_finish, .fail = native_fail};
static const struct dialect old_dialect = {
	.loaded = old_finish, .piece = no_piece, .finish = old_finish, .fail = native_fail};
static const struct dialect openai_dialect = {
	.loaded = openai_finish, .piece = no_piece, .finish = openai_finish, .fail = openai_fail};

static void add_input(struct job *job, const char *text, size_t dimensions, size_t index)
{
	size_t tokens = prompt_count_words(text) + FRAME_TOKENS;
	size_t context = (size_t)job->ask.key.num_ctx;

	job->prompt_tokens += tokens > context ? context : tokens;
	add_vector(job, text, dimensions, index);
}

/* A string or a list of strings; without any it only loads. */
static void read_input(struct job *job, yajl_val input, size_t dimensions)
{
	const char *text = json_string(input);
	size_t count = 0;

	if (text != NULL && *text != '\0')
		add_input(job, text, dimensions, count++);
	for (size_t i = 0; i < json_count(input); i++) {
		text = json_string(json_item(input, i));
		if (text != NULL)
			add_input(job, text, dimensions, count++);
	}
	job->kind = count == 0 ? JOB_LOAD : JOB_EMBED;
}

static void serve_native(struct conn *conn, bool is_old)
{
	yajl_val body = native_parse(conn, is_old ? "EmbeddingRequest" : "EmbedRequest");
	char text[ASK_ERROR_BYTES];

	if (body == NULL)
		return;
	const char *name = json_get_string(body, "model");
	struct model *model = catalog_find(&conn->sim->catalog, name == NULL ? "" : name);
	if (model == NULL) {
		snprintf(text, sizeof(text), "model \"%.200s\" not found, try pulling it first",
			name == NULL ? "" : name);
		yajl_tree_free(body);
		reply_error(conn, 404, text);
		return;
	}
	struct job *job = job_create(conn, model, name, is_old ? &old_dialect : &native_dialect);
	double dimensions = json_get_number(body, "dimensions", 0);
	if (dimensions < 1 || dimensions > model->embedding_length)
		dimensions = model->embedding_length;
	if (dimensions < 1 || dimensions > DIMENSIONS_MAX)
		dimensions = DIMENSIONS_MAX;
	if (!ask_read_native(&job->ask, body, model, &conn->sim->settings, text)) {
		reply_error(conn, 400, text);
		yajl_tree_free(body);
		job_discard(job);
		return;
	}
	job->variant = is_old ? VARIANT_OLD : VARIANT_NATIVE;
	read_input(job, json_get(body, is_old ? "prompt" : "input"), (size_t)dimensions);
	yajl_tree_free(body);
	job_start(job);
}

void embed_native(struct conn *conn)
{
	serve_native(conn, false);
}

void embed_old(struct conn *conn)
{
	serve_native(conn, true);
}

void embed_openai(struct conn *conn)
{
	yajl_val body = openai_parse(conn);

	if (body == NULL)
		return;
	const char *name = json_get_string(body, "model");
	const char *format = json_get_string(body, "encoding_format");
	struct model *model = openai_find(conn, name);
	if (model != NULL) {
		struct job *job = job_create(conn, model, name, &openai_dialect);

		ask_read_v1(&job->ask, body, model, &conn->sim->settings, "max_tokens");
		job->ask.streams = false;
		job->variant = format != NULL && strcmp(format, "base64") == 0
				       ? VARIANT_OPENAI_BASE64
				       : VARIANT_OPENAI;
		read_input(job, json_get(body, "input"), (size_t)model->embedding_length);
		job_start(job);
	}
	yajl_tree_free(body);
}
