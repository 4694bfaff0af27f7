#include "front/reply.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/buffer.h>

#include "base/memory.h"
#include "base/ticker.h"
#include "front/client_parts.h"
#include "front/cors.h"
#include "http/chunked.h"
#include "http/head.h"
#include "json/writer.h"

enum {
	/* Status line, Date, framing, Connection and the empty line: some 130. */
	OWN_HEAD_BYTES = 256,
	/* A 64-bit number. */
	NUMBER_BYTES = 20,
	DECIMAL = 10,
	/* A chunk up to this length, a line of a stream, is copied: a buffer of its own, moved from
	   one list to another, costs more. */
	COPIED_BYTES = 1024,
	US_PER_S = 1000 * 1000,
	STATUS_OK = 200,
	STATUS_NO_CONTENT = 204,
	STATUS_BAD_REQUEST = 400,
	STATUS_UNAUTHORIZED = 401,
	STATUS_FORBIDDEN = 403,
	STATUS_NOT_FOUND = 404,
	STATUS_METHOD_NOT_ALLOWED = 405,
	STATUS_TOO_LARGE = 413,
	STATUS_TOO_MANY_REQUESTS = 429,
	STATUS_SERVER_ERROR = 500,
	STATUS_UNAVAILABLE = 503,
};

static void add_text(struct evbuffer *output, const char *text)
{
	evbuffer_add(output, text, strlen(text));
}

static void add_status_line(struct evbuffer *output, int status, const char *reason)
{
	evbuffer_add_printf(
		output, "HTTP/1.1 %d %s\r\n", status, reason ? reason : http_reason(status));
}

/* ---- a head as one text: it is put together in its place, without printf ---- */

static char *put(char *at, const char *text)
{
	return mempcpy(at, text, strlen(text));
}

static char *put_number(char *at, uint64_t number)
{
	char digits[NUMBER_BYTES];
	size_t first = sizeof(digits);

	do {
		digits[--first] = (char)('0' + number % DECIMAL);
		number /= DECIMAL;
	} while (number > 0);
	return mempcpy(at, digits + first, sizeof(digits) - first);
}

static char *put_length(char *at, uint64_t length)
{
	at = put(at, "Content-Length: ");
	at = put_number(at, length);
	return put(at, "\r\n");
}

/* Chunked where the length is unknown and the client can read it, else up to the end of the
 * connection. */
static char *put_framing(
	struct client *client, char *at, struct framing framing, int64_t bodiless_length)
{
	bool is_old = client->has_head && client->head.version_minor == 0;

	switch (framing.kind) {
	case FRAMING_NONE:
		return bodiless_length >= 0 ? put_length(at, (uint64_t)bodiless_length) : at;
	case FRAMING_LENGTH:
		client->answer_has_length = true;
		return put_length(at, framing.length);
	case FRAMING_CHUNKED:
	case FRAMING_UNTIL_CLOSE:
		if (!is_old) {
			client->answer_chunked = true;
			return put(at, "Transfer-Encoding: chunked\r\n");
		}
		client->close_after = true;
		break;
	}
	return at;
}

/* Ollama sends it itself; who has a clock adds it where it is missing (RFC 9110 §6.6.1). The text
 * is made once in each second. */
static char *put_date(struct clients *clients, char *at, const struct fields *fields)
{
	time_t now = (time_t)(ticker_wall_us() / US_PER_S);
	struct tm parts;

	if (fields_find(fields, "Date"))
		return at;
	if (now != clients->date_second || !clients->date[0]) {
		gmtime_r(&now, &parts);
		strftime(clients->date, sizeof(clients->date),
			"Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &parts);
		clients->date_second = now;
	}
	return put(at, clients->date);
}

static char *put_field(char *at, const struct field *field)
{
	at = mempcpy(at, field->name, field->name_length);
	at = put(at, ": ");
	at = mempcpy(at, field->value, field->value_length);
	return put(at, "\r\n");
}

/* An upper bound of the head's length. */
static size_t room_for(const char *reason, const struct fields *fields)
{
	size_t room = OWN_HEAD_BYTES + strlen(reason);

	for (size_t i = 0; i < fields->count; i++)
		room += fields->items[i].name_length + fields->items[i].value_length +
			strlen(": \r\n");
	return room;
}

void reply_head(struct client *client, int status, const char *reason, const struct fields *fields,
	struct framing framing, int64_t bodiless_length)
{
	struct evbuffer *output = client_output(client);
	const char *words = reason ? reason : http_reason(status);
	struct evbuffer_iovec space;
	char *at;

	assert(!client->answer_begun);
	client->answer_begun = true;
	/* A client that waits for our 100 may send its body or not: the connection's place is
	 * unknown after this answer. */
	if (client->continue_owed || client->clients->draining)
		client->close_after = true;
	client->answer_bodiless = framing.kind == FRAMING_NONE;
	if (evbuffer_reserve_space(output, (ev_ssize_t)room_for(words, fields), &space, 1) != 1)
		mem_out(room_for(words, fields));
	at = put(space.iov_base, "HTTP/1.1 ");
	at = put_number(at, (uint64_t)status);
	at = put(at, " ");
	at = put(at, words);
	at = put(at, "\r\n");
	for (size_t i = 0; i < fields->count; i++)
		at = put_field(at, &fields->items[i]);
	at = put_date(client->clients, at, fields);
	at = put_framing(client, at, framing, bodiless_length);
	if (client->close_after)
		at = put(at, "Connection: close\r\n");
	else if (client->has_head && client->head.version_minor == 0)
		at = put(at, "Connection: keep-alive\r\n");
	at = put(at, "\r\n");
	assert((size_t)(at - (char *)space.iov_base) <= space.iov_len);
	space.iov_len = (size_t)(at - (char *)space.iov_base);
	evbuffer_commit_space(output, &space, 1);
	client_mark_dirty(client);
}

void reply_stream_head(struct client *client, const char *content_type, const char *request_id)
{
	struct fields fields = {0};
	bool is_head = strcmp(client->head.method, "HEAD") == 0;
	struct framing framing = {.kind = is_head ? FRAMING_NONE : FRAMING_UNTIL_CLOSE};

	fields_add_text(&fields, "Content-Type", content_type);
	fields_add_text(&fields, "Cache-Control", "no-store");
	if (request_id)
		fields_add_text(&fields, "X-Request-Id", request_id);
	cors_add_fields(&fields, client->clients->settings, &client->head);
	reply_head(client, STATUS_OK, NULL, &fields, framing, -1);
	fields_finish(&fields);
}

void reply_interim(struct client *client, int status, const struct fields *fields)
{
	struct evbuffer *output = client_output(client);

	assert(!client->answer_begun && client->head.version_minor > 0);
	add_status_line(output, status, NULL);
	for (size_t i = 0; i < fields->count; i++)
		field_write(output, &fields->items[i]);
	add_text(output, "\r\n");
	client_mark_dirty(client);
}

static void add_small_chunk(struct evbuffer *output, struct evbuffer *data, size_t length)
{
	char chunk[CHUNKED_HEAD_BYTES + COPIED_BYTES + 2];
	size_t at = chunked_head(chunk, length);

	evbuffer_remove(data, chunk + at, length);
	at += length;
	chunk[at++] = '\r';
	chunk[at++] = '\n';
	evbuffer_add(output, chunk, at);
}

void reply_data(struct client *client, struct evbuffer *data)
{
	struct evbuffer *output = client_output(client);
	size_t length = evbuffer_get_length(data);

	assert(client->answer_begun && !client->answer_ended);
	if (length == 0)
		return;
	if (client->answer_bodiless) {
		evbuffer_drain(data, length);
		return;
	}
	if (client->answer_chunked && length <= COPIED_BYTES) {
		add_small_chunk(output, data, length);
	} else {
		if (client->answer_chunked)
			chunked_write_begin(output, length);
		evbuffer_add_buffer(output, data);
		if (client->answer_chunked)
			chunked_write_end(output);
	}
	if (!client_has_room(client))
		client->wants_room = true;
	client_mark_dirty(client);
}

void reply_end(struct client *client)
{
	assert(client->answer_begun && !client->answer_ended);
	if (client->answer_chunked)
		chunked_write_last(client_output(client));
	client->answer_ended = true;
	client_mark_dirty(client);
}

void reply_cut(struct client *client, const char *last_words)
{
	if (last_words && client->answer_begun) {
		struct evbuffer *piece = evbuffer_new();

		/* A body of known length has no room for further words: they would make it look
		 * whole. */
		if (!client->answer_has_length && !client->answer_bodiless)
			add_text(piece, last_words);
		reply_data(client, piece);
		evbuffer_free(piece);
	}
	client->answer_ended = true;
	client->answer_cut = true;
	client_mark_dirty(client);
}

/* OpenAI's and Anthropic's names for a kind of error, by status. */
static const char *type_of(int status, enum api_family family)
{
	bool is_anthropic = family == API_ANTHROPIC;

	switch (status) {
	case STATUS_UNAUTHORIZED:
		return is_anthropic ? "authentication_error" : "invalid_request_error";
	case STATUS_FORBIDDEN:
		return is_anthropic ? "permission_error" : "invalid_request_error";
	case STATUS_TOO_LARGE:
		return is_anthropic ? "request_too_large" : "invalid_request_error";
	case STATUS_TOO_MANY_REQUESTS:
		return "rate_limit_error";
	case STATUS_UNAVAILABLE:
		return is_anthropic ? "overloaded_error" : "server_error";
	default:
		break;
	}
	if (status >= STATUS_SERVER_ERROR)
		return is_anthropic ? "api_error" : "server_error";
	return "invalid_request_error";
}

struct error_words {
	int status;
	const char *text;
	const char *code;
	const char *param;
	const char *request_id;
};

static void write_error(
	struct json_writer *writer, enum api_family family, const struct error_words *words)
{
	json_begin_object(writer, NULL);
	switch (family) {
	case API_NATIVE:
		json_put_string(writer, "error", words->text);
		break;
	case API_OPENAI:
		json_begin_object(writer, "error");
		json_put_string(writer, "message", words->text);
		json_put_string(writer, "type", type_of(words->status, family));
		json_put_string(writer, "code", words->code);
		json_put_string(writer, "param", words->param);
		json_end_object(writer);
		break;
	case API_ANTHROPIC:
		json_put_string(writer, "type", "error");
		json_begin_object(writer, "error");
		json_put_string(writer, "type", type_of(words->status, family));
		json_put_string(writer, "message", words->text);
		json_end_object(writer);
		if (words->request_id)
			json_put_string(writer, "request_id", words->request_id);
		break;
	}
	json_end_object(writer);
}

/* A whole answer with a body in memory. */
static void reply_whole(
	struct client *client, int status, struct fields *fields, const void *body, size_t length)
{
	bool is_head = client->has_head && strcmp(client->head.method, "HEAD") == 0;
	struct framing framing = {.kind = FRAMING_LENGTH, .length = length};

	if (is_head)
		framing.kind = FRAMING_NONE;
	if (client->has_head)
		cors_add_fields(fields, client->clients->settings, &client->head);
	reply_head(client, status, NULL, fields, framing, (int64_t)length);
	if (!is_head)
		evbuffer_add(client_output(client), body, length);
	reply_end(client);
}

int64_t reply_error(struct client *client, const struct reply_error *error)
{
	struct fields fields = {0};
	struct json_writer *writer = json_writer_create();
	struct error_words words = {
		.status = error->status ? error->status : outcome_status(error->outcome),
		.text = error->text ? error->text : outcome_text(error->outcome),
		.code = outcome_word(error->outcome),
		.param = error->param,
		.request_id = error->request_id,
	};
	char *retry_after = NULL;
	const char *body;
	size_t length;

	write_error(writer, error->family, &words);
	body = json_writer_get(writer, &length);
	fields_add_text(&fields, "Content-Type", "application/json; charset=utf-8");
	if (error->request_id)
		fields_add_text(&fields, "X-Request-Id", error->request_id);
	if (outcome_has_retry_after(error->outcome)) {
		retry_after = mem_printf("%d", error->retry_after);
		fields_add_text(&fields, "Retry-After", retry_after);
	}
	if (words.status == STATUS_UNAUTHORIZED)
		fields_add_text(&fields, "WWW-Authenticate", "Bearer");
	reply_whole(client, words.status, &fields, body, length);
	free(retry_after);
	fields_finish(&fields);
	json_writer_destroy(writer);
	return (int64_t)length;
}

char *reply_error_line(enum api_family family, bool is_sse, const char *text)
{
	struct json_writer *writer = json_writer_create();
	struct error_words words = {.status = STATUS_SERVER_ERROR, .text = text};
	const char *event = family == API_ANTHROPIC ? "event: error\n" : "";
	size_t length;
	char *line;

	write_error(writer, family, &words);
	if (is_sse)
		line = mem_printf("%sdata: %s\n\n", event, json_writer_get(writer, &length));
	else
		line = mem_printf("%s\n", json_writer_get(writer, &length));
	json_writer_destroy(writer);
	return line;
}

void reply_text(struct client *client, int status, const char *content_type, const char *text,
	size_t length)
{
	struct fields fields = {0};

	fields_add_text(&fields, "Content-Type", content_type);
	fields_add_text(&fields, "Cache-Control", "no-store");
	reply_whole(client, status, &fields, text, length);
	fields_finish(&fields);
}

void reply_page(
	struct client *client, int status, struct fields *fields, const void *body, size_t length)
{
	reply_whole(client, status, fields, body, length);
}

void reply_json(struct client *client, int status, const char *json, size_t length)
{
	reply_text(client, status, "application/json; charset=utf-8", json, length);
}

void reply_method_not_allowed(struct client *client, const char *allow)
{
	static const char body[] = "{\"error\":\"method not allowed\"}";
	struct fields fields = {0};

	fields_add_text(&fields, "Content-Type", "application/json; charset=utf-8");
	fields_add_text(&fields, "Allow", allow);
	reply_whole(client, STATUS_METHOD_NOT_ALLOWED, &fields, body, sizeof(body) - 1);
	fields_finish(&fields);
}

void reply_not_found(struct client *client)
{
	static const char body[] = "{\"error\":\"not found on this listener\"}";

	reply_json(client, STATUS_NOT_FOUND, body, sizeof(body) - 1);
}

bool reply_preflight(struct client *client)
{
	const struct settings *settings = client->clients->settings;
	struct fields fields = {0};
	struct framing framing = {.kind = FRAMING_NONE};

	if (!cors_is_preflight(&client->head) ||
		cors_judge(settings, &client->head) != CORS_ALLOWED)
		return false;
	cors_add_fields(&fields, settings, &client->head);
	cors_add_preflight_fields(&fields);
	reply_head(client, STATUS_NO_CONTENT, NULL, &fields, framing, -1);
	reply_end(client);
	fields_finish(&fields);
	return true;
}
