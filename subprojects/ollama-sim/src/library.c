#include "library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "catalog.h"
#include "conn.h"
#include "native.h"
#include "openai.h"
#include "pace.h"
#include "reply.h"
#include "runner.h"
#include "show.h"
#include "sim.h"

#define TEXT_BYTES 1024
#define DIGEST_SHORT 12 /* hex digits of a digest in a pull's lines */

void library_root(struct conn *conn)
{
	struct reply_fields fields = {.content_type = TYPE_TEXT_UTF8};

	reply_full(conn, 200, &fields, "Ollama is running", strlen("Ollama is running"));
}

void library_version(struct conn *conn)
{
	struct bytes *body = &conn->sim->line;

	bytes_clear(body);
	bytes_adds(body, "{\"version\":");
	bytes_add_string(body, conn->sim->settings.version);
	bytes_adds(body, "}");
	reply_json(conn, 200, TYPE_JSON_UTF8, body);
}

void library_status(struct conn *conn)
{
	struct bytes *body = &conn->sim->line;

	bytes_clear(body);
	bytes_adds(body, "{\"cloud\":{\"disabled\":true,\"source\":\"env\"}}");
	reply_json(conn, 200, TYPE_JSON_UTF8, body);
}

static void add_tag(struct bytes *body, const struct model *model)
{
	bytes_addf(body,
		"{\"name\":\"%s\",\"model\":\"%s\",\"modified_at\":\"%s\",\"size\":%.0f,\"digest\":"
		"\"%s\","
		"\"details\":{",
		model->name, model->name, model->modified_at, model->size, model->digest);
	show_add_details(body, model);
	bytes_addf(body, ",\"context_length\":%.0f,\"embedding_length\":%.0f},\"capabilities\":",
		model->context_length, model->embedding_length);
	show_add_capabilities(body, model);
	bytes_adds(body, "}");
}

void library_tags(struct conn *conn)
{
	struct bytes *body = &conn->sim->line;
	struct reply_fields fields = {.content_type = TYPE_JSON_UTF8};
	const struct model *model;
	bool is_first = true;

	bytes_clear(body);
	bytes_adds(body, "{\"models\":[");
	TAILQ_FOREACH(model, &conn->sim->catalog.models, link)
	{
		bytes_adds(body, is_first ? "" : ",");
		add_tag(body, model);
		is_first = false;
	}
	bytes_adds(body, "]}");
	reply_full(conn, 200, &fields, bytes_at(body), bytes_length(body));
}

static void add_runner(struct bytes *body, const struct runner *runner)
{
	const struct model *model = runner->model;

	bytes_addf(body,
		"{\"name\":\"%s\",\"model\":\"%s\",\"size\":%.0f,\"digest\":\"%s\",\"details\":{",
		model->name, model->name, model->size_ram, model->digest);
	show_add_details(body, model);
	bytes_adds(body, "},\"expires_at\":\"");
	runner_add_expiry(runner, body);
	bytes_addf(body, "\",\"size_vram\":%.0f,\"context_length\":%ld}", model->size_vram,
		runner->key.num_ctx);
}

/* Only what is loaded: neither a load in progress nor one that is going. */
void library_ps(struct conn *conn)
{
	struct bytes *body = &conn->sim->line;
	const struct runner *runner;
	bool is_first = true;

	bytes_clear(body);
	bytes_adds(body, "{\"models\":[");
	TAILQ_FOREACH(runner, &conn->sim->loader.runners, link)
	{
		if (runner->state == RUNNER_LOADING)
			continue;
		bytes_adds(body, is_first ? "" : ",");
		add_runner(body, runner);
		is_first = false;
	}
	bytes_adds(body, "]}");
	reply_json(conn, 200, TYPE_JSON_UTF8, body);
}

/* modified_at as seconds since 1970; 0 if it cannot be read. */
static long long modified_seconds(const struct model *model)
{
	struct tm broken_down = {0};

	if (strptime(model->modified_at, "%Y-%m-%dT%H:%M:%S", &broken_down) == NULL)
		return 0;
	return (long long)timegm(&broken_down);
}

static void add_v1_model(struct bytes *body, const struct model *model, const char *name)
{
	bytes_adds(body, "{\"id\":");
	bytes_add_string(body, name);
	bytes_addf(body, ",\"object\":\"model\",\"created\":%lld,\"owned_by\":\"library\"}",
		modified_seconds(model));
}

void library_v1_models(struct conn *conn)
{
	struct bytes *body = &conn->sim->line;
	const struct model *model;
	bool is_first = true;

	bytes_clear(body);
	bytes_adds(body, "{\"object\":\"list\",\"data\":[");
	TAILQ_FOREACH(model, &conn->sim->catalog.models, link)
	{
		bytes_adds(body, is_first ? "" : ",");
		add_v1_model(body, model, model->name);
		is_first = false;
	}
	bytes_adds(body, "]}\n");
	reply_json(conn, 200, TYPE_JSON, body);
}

void library_v1_model(struct conn *conn)
{
	const char *name = conn->request.path + strlen("/v1/models/");
	const struct model *model = catalog_find(&conn->sim->catalog, name);
	char canonical[CATALOG_NAME_BYTES], text[TEXT_BYTES];

	if (model == NULL) {
		bool is_valid = catalog_canonical(name, canonical);

		snprintf(text, sizeof(text), "model '%s' not found", is_valid ? canonical : "");
		openai_error(conn, 404, text);
		return;
	}
	struct bytes *body = &conn->sim->line;
	bytes_clear(body);
	add_v1_model(body, model, name);
	bytes_adds(body, "\n");
	reply_json(conn, 200, TYPE_JSON, body);
}

/* One line {"status":…} or {"error":…} of a stream; the text is JSON-escaped here. */
static void send_line(struct conn *conn, const char *key, const char *text)
{
	struct bytes *line = &conn->sim->line;

	bytes_clear(line);
	bytes_addf(line, "{\"%s\":", key);
	bytes_add_string(line, text);
	bytes_adds(line, "}\n");
	reply_chunk(conn, bytes_at(line), bytes_length(line));
}

static void begin_lines(struct conn *conn)
{
	reply_begin(conn, 200, &(struct reply_fields){.content_type = TYPE_NDJSON});
}

/* stream:false: only the last word. */
static void answer_last(struct conn *conn, int status, const char *key, const char *text)
{
	struct bytes *line = &conn->sim->line;

	bytes_clear(line);
	bytes_addf(line, "{\"%s\":", key);
	bytes_add_string(line, text);
	bytes_adds(line, "}");
	reply_json(conn, status, TYPE_JSON, line);
}

static void describe_failed_pull(const char *name, char text[TEXT_BYTES])
{
	char canonical[CATALOG_NAME_BYTES] = "";
	const char *slash = strchr(name, '/');
	size_t host = slash == NULL ? 0 : (size_t)(slash - name);
	bool has_host = host > 0 && memchr(name, ':', host) != NULL;

	if (!catalog_canonical(name, canonical))
		snprintf(canonical, sizeof(canonical), "%.200s:latest", name);
	char *tag = strrchr(canonical, ':');
	*tag++ = '\0';
	if (has_host)
		snprintf(text, TEXT_BYTES,
			"pull model manifest: Get \"http://%.*s/v2/%s/manifests/%s\": dial tcp "
			"%.*s: "
			"connect: connection refused",
			(int)host, name, canonical + host + 1, tag, (int)host, name);
	else
		snprintf(text, TEXT_BYTES,
			"pull model manifest: Get "
			"\"https://registry.ollama.ai/v2/library/%s/manifests/%s\": "
			"proxyconnect tcp: dial tcp 127.0.0.1:9: connect: connection refused",
			canonical, tag);
}

static void send_progress(struct conn *conn, const struct model *model)
{
	struct bytes *line = &conn->sim->line;
	static const double parts[] = {0, 0.5, 1};

	for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
		bytes_clear(line);
		bytes_addf(line,
			"{\"status\":\"pulling %.*s\",\"digest\":\"sha256:%s\",\"total\":%.0f",
			DIGEST_SHORT, model->blob, model->blob, model->size);
		if (i > 0)
			bytes_addf(line, ",\"completed\":%.0f", model->size * parts[i]);
		bytes_adds(line, "}\n");
		reply_chunk(conn, bytes_at(line), bytes_length(line));
	}
	send_line(conn, "status", "verifying sha256 digest");
	send_line(conn, "status", "writing manifest");
	send_line(conn, "status", "success");
}

static const char *name_in(yajl_val body)
{
	const char *name = json_get_string(body, "model");

	if (name == NULL || *name == '\0')
		name = json_get_string(body, "name");
	return name == NULL ? "" : name;
}

/* True: answered. */
static bool refuses_name(struct conn *conn, const char *name)
{
	char canonical[CATALOG_NAME_BYTES];

	if (catalog_canonical(name, canonical))
		return false;
	reply_error(conn, 400, "invalid model name");
	return true;
}

/* A model of the "registry" of the configuration, or one that is installed, can be pulled. */
static void pull(struct conn *conn, yajl_val body)
{
	struct catalog *catalog = &conn->sim->catalog;
	const char *name = name_in(body);
	bool streams = json_get_bool(body, "stream", true);
	char text[TEXT_BYTES];

	if (refuses_name(conn, name))
		return;
	struct model *model = catalog_find(catalog, name);
	struct model *remote = catalog_find_in_registry(catalog, name);
	if (model == NULL && remote != NULL)
		model = catalog_install(catalog, remote, name, true);
	if (!streams && model != NULL) {
		answer_last(conn, 200, "status", "success");
		return;
	}
	describe_failed_pull(name, text);
	if (!streams) {
		answer_last(conn, 500, "error", text);
		return;
	}
	begin_lines(conn);
	send_line(conn, "status", "pulling manifest");
	if (model == NULL)
		send_line(conn, "error", text);
	else
		send_progress(conn, model);
	reply_end(conn);
}

void library_pull(struct conn *conn)
{
	yajl_val body = native_parse(conn, "PullRequest");

	if (body == NULL)
		return;
	pull(conn, body);
	yajl_tree_free(body);
}

void library_push(struct conn *conn)
{
	yajl_val body = native_parse(conn, "PushRequest");

	if (body == NULL)
		return;
	if (!refuses_name(conn, name_in(body))) {
		const char *text =
			"push access denied: there is no registry behind this simulation";

		if (json_get_bool(body, "stream", true)) {
			begin_lines(conn);
			send_line(conn, "status", "retrieving manifest");
			send_line(conn, "error", text);
			reply_end(conn);
		} else {
			answer_last(conn, 500, "error", text);
		}
	}
	yajl_tree_free(body);
}

static const char *first_blob(yajl_val files)
{
	const char *digest = YAJL_IS_OBJECT(files) && files->u.object.len > 0
				     ? json_string(files->u.object.values[0])
				     : NULL;

	if (digest == NULL)
		return NULL;
	return strncmp(digest, "sha256:", strlen("sha256:")) == 0 ? digest + strlen("sha256:")
								  : digest;
}

/* The model that a GGUF already belongs to, so that one made of its blob shares its runner; else
 * any. */
static struct model *base_of_blob(struct catalog *catalog, const char *digest)
{
	struct model *model;

	TAILQ_FOREACH(model, &catalog->models, link)
	{
		if (strcmp(model->blob, digest) == 0)
			return model;
	}
	return TAILQ_LAST(&catalog->models, model_list);
}

static struct model *make_model(struct conn *conn, yajl_val body, const char *name)
{
	struct catalog *catalog = &conn->sim->catalog;
	const char *from = json_get_string(body, "from");
	const char *digest = first_blob(json_get(body, "files"));
	yajl_val parameters = json_get(body, "parameters");
	struct model *base = from != NULL     ? catalog_find(catalog, from)
			     : digest != NULL ? base_of_blob(catalog, digest)
					      : NULL;

	if (base == NULL)
		return NULL;
	struct model *model = catalog_install(catalog, base, name, false);
	if (from == NULL) {
		free(model->blob);
		model->blob = mem_strdup(digest);
	}
	model->num_ctx = json_get_number(parameters, "num_ctx", base->num_ctx);
	model->num_predict = json_get_number(parameters, "num_predict", base->num_predict);
	return model;
}

static void send_creation(struct conn *conn, const struct model *model, bool is_of_file)
{
	char text[TEXT_BYTES];

	if (is_of_file) {
		send_line(conn, "status", "parsing GGUF");
		send_line(conn, "status", "verifying conversion");
	}
	snprintf(text, sizeof(text), "using existing layer sha256:%s", model->blob);
	send_line(conn, "status", text);
	snprintf(text, sizeof(text), "creating new layer sha256:%s", model->digest);
	send_line(conn, "status", text);
	send_line(conn, "status", "writing manifest");
	send_line(conn, "status", "success");
}

static void create(struct conn *conn, yajl_val body)
{
	const char *name = name_in(body), *from = json_get_string(body, "from");
	bool streams = json_get_bool(body, "stream", true);
	char text[TEXT_BYTES];

	if (refuses_name(conn, name))
		return;
	if (from == NULL && first_blob(json_get(body, "files")) == NULL) {
		reply_error(conn, 400, "neither 'from' or 'files' was specified");
		return;
	}
	const struct model *model = make_model(conn, body, name);
	if (model == NULL)
		describe_failed_pull(from == NULL ? name : from, text);
	if (!streams) {
		answer_last(conn, model == NULL ? 500 : 200, model == NULL ? "error" : "status",
			model == NULL ? text : "success");
		return;
	}
	begin_lines(conn);
	if (model == NULL) {
		send_line(conn, "status", "pulling manifest");
		send_line(conn, "error", text);
	} else {
		send_creation(conn, model, from == NULL);
	}
	reply_end(conn);
}

void library_create(struct conn *conn)
{
	yajl_val body = native_parse(conn, "CreateRequest");

	if (body == NULL)
		return;
	create(conn, body);
	yajl_tree_free(body);
}

void library_copy(struct conn *conn)
{
	yajl_val body = native_parse(conn, "CopyRequest");
	struct catalog *catalog = &conn->sim->catalog;
	char canonical[CATALOG_NAME_BYTES], text[TEXT_BYTES];

	if (body == NULL)
		return;
	const char *source = json_get_string(body, "source");
	const char *destination = json_get_string(body, "destination");
	source = source == NULL ? "" : source;
	destination = destination == NULL ? "" : destination;
	struct model *model = catalog_find(catalog, source);
	if (!catalog_canonical(source, canonical) || !catalog_canonical(destination, canonical)) {
		snprintf(text, sizeof(text), "%s \"%.200s\" is invalid",
			catalog_canonical(source, canonical) ? "destination" : "source",
			catalog_canonical(source, canonical) ? destination : source);
		reply_error(conn, 400, text);
	} else if (model == NULL) {
		snprintf(text, sizeof(text), "model \"%.200s\" not found", source);
		reply_error(conn, 404, text);
	} else {
		catalog_install(catalog, model, destination, true);
		reply_empty(conn, 200);
	}
	yajl_tree_free(body);
}

void library_delete(struct conn *conn)
{
	yajl_val body = native_parse(conn, "DeleteRequest");
	char text[TEXT_BYTES];

	if (body == NULL)
		return;
	const char *name = name_in(body);
	struct model *model = catalog_find(&conn->sim->catalog, name);
	if (refuses_name(conn, name)) {
		yajl_tree_free(body);
		return;
	}
	if (model == NULL) {
		snprintf(text, sizeof(text), "model '%.200s' not found", name);
		reply_error(conn, 404, text);
	} else {
		loader_unload(&conn->sim->loader, model);
		catalog_delete(&conn->sim->catalog, model);
		reply_empty(conn, 200);
	}
	yajl_tree_free(body);
}
