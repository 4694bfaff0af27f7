#include "reply.h"

#include <string.h>

#include "mischief.h"
#include "pace.h"

/* Go's bufferBeforeChunkingSize. */
#define UNCHUNKED_MAX_BYTES 2048

static const char preflight_head[] =
	"Access-Control-Allow-Headers: Authorization,Content-Type,User-Agent,Accept,"
	"X-Requested-With,Openai-Beta,X-Stainless-Arch,X-Stainless-Async,"
	"X-Stainless-Custom-Poll-Interval,X-Stainless-Helper-Method,X-Stainless-Lang,"
	"X-Stainless-Os,X-Stainless-Package-Version,X-Stainless-Poll-Helper,"
	"X-Stainless-Retry-Count,X-Stainless-Runtime,X-Stainless-Runtime-Version,"
	"X-Stainless-Timeout\r\n"
	"Access-Control-Allow-Methods: GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS\r\n";

static const char *reason_of(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 201:
		return "Created";
	case 204:
		return "No Content";
	case 301:
		return "Moved Permanently";
	case 307:
		return "Temporary Redirect";
	case 400:
		return "Bad Request";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 413:
		return "Request Entity Too Large";
	case 500:
		return "Internal Server Error";
	case 501:
		return "Not Implemented";
	case 503:
		return "Service Unavailable";
	default:
		return "Unknown";
	}
}

static void add_header(struct bytes *out, const char *name, const char *value)
{
	bytes_adds(out, name);
	bytes_adds(out, value);
	bytes_add(out, "\r\n", 2);
}

/* Go writes what a handler has set in the order of the names. */
static void add_fields(struct conn *conn, const struct reply_fields *fields)
{
	struct bytes *out = &conn->out;

	if (fields->is_preflight)
		bytes_adds(out, preflight_head);
	if (conn->echoes_origin)
		add_header(out, "Access-Control-Allow-Origin: ", conn->request.origin);
	if (fields->is_preflight)
		bytes_adds(out, "Access-Control-Max-Age: 43200\r\n");
	if (fields->allow != NULL)
		add_header(out, "Allow: ", fields->allow);
	if (fields->is_held_open)
		bytes_adds(out, "Cache-Control: no-cache\r\nConnection: keep-alive\r\n");
	if (fields->content_type != NULL)
		add_header(out, "Content-Type: ", fields->content_type);
	if (fields->location != NULL)
		add_header(out, "Location: ", fields->location);
	if (conn->echoes_origin)
		bytes_adds(out, "Vary: Origin\r\n");
	if (fields->is_preflight)
		bytes_adds(out, "Vary: Access-Control-Request-Method\r\n"
				"Vary: Access-Control-Request-Headers\r\n");
}

static void add_head(
	struct conn *conn, int status, const struct reply_fields *fields, int64_t length)
{
	struct bytes *out = &conn->out;
	bool is_old = conn->request.minor == 0;

	mischief_before_head(conn);
	bytes_adds(out, is_old ? "HTTP/1.0 " : "HTTP/1.1 ");
	bytes_add_int(out, status);
	bytes_adds(out, " ");
	add_header(out, reason_of(status), "");
	add_fields(conn, fields);
	mischief_in_head(conn);
	add_header(out, "Date: ", pace_http_date());
	if (length >= 0) {
		bytes_adds(out, "Content-Length: ");
		bytes_add_int(out, length);
		bytes_adds(out, "\r\n");
	}
	if (conn->reply.closes && !is_old)
		bytes_adds(out, "Connection: close\r\n");
	else if (is_old && !conn->reply.closes)
		bytes_adds(out, "Connection: keep-alive\r\n");
	if (conn->reply.framing == REPLY_CHUNKED)
		bytes_adds(out, "Transfer-Encoding: chunked\r\n");
	bytes_adds(out, "\r\n");
	conn->reply.has_head = true;
}

void reply_begin(struct conn *conn, int status, const struct reply_fields *fields)
{
	if (conn->request.minor == 0 || conn->fault.kind == FAULT_NO_LENGTH_KEEPALIVE) {
		conn->reply.framing = REPLY_RAW;
		conn->reply.closes = conn->request.minor == 0;
	} else {
		conn->reply.framing = REPLY_CHUNKED;
	}
	add_head(conn, status, fields, -1);
	if (conn->fault.kind == FAULT_NO_LENGTH_KEEPALIVE)
		conn->reply.closes = true; /* the head has not said so */
	conn_mark_dirty(conn);
}

void reply_chunk(struct conn *conn, const char *data, size_t length)
{
	struct bytes *out = &conn->out;

	if (conn->state == CONN_CLOSED || conn->doom != DOOM_NONE || length == 0)
		return;
	if (conn->fault.kind != FAULT_NONE && mischief_on_chunk(conn, data, length))
		return;
	conn->reply.chunks++;
	if (conn->reply.framing == REPLY_CHUNKED) {
		bytes_add_hex(out, length);
		bytes_add(out, "\r\n", 2);
		bytes_add(out, data, length);
		bytes_add(out, "\r\n", 2);
	} else {
		bytes_add(out, data, length);
	}
	conn_mark_dirty(conn);
}

void reply_end(struct conn *conn)
{
	if (conn->state == CONN_CLOSED)
		return;
	if (conn->doom != DOOM_NONE) {
		conn_set_user(conn, NULL, NULL, NULL);
		return;
	}
	if (conn->reply.framing == REPLY_CHUNKED)
		bytes_adds(&conn->out, "0\r\n\r\n");
	conn_end_exchange(conn);
}

static bool is_head(const struct conn *conn)
{
	return strcmp(conn->request.method, "HEAD") == 0;
}

void reply_full(struct conn *conn, int status, const struct reply_fields *fields, const char *body,
	size_t length)
{
	bool is_small = length <= UNCHUNKED_MAX_BYTES && !fields->is_flushed;

	if (conn->state == CONN_CLOSED)
		return;
	if (is_head(conn) || status == 204) {
		bool has_length = is_small && status != 204 && !fields->has_no_length;

		conn->reply.framing = REPLY_LENGTH;
		add_head(conn, status, fields, has_length ? (int64_t)length : -1);
		conn_end_exchange(conn);
		return;
	}
	if (!is_small || conn->fault.kind == FAULT_NO_LENGTH_KEEPALIVE) {
		reply_begin(conn, status, fields);
		if (mischief_on_body(conn, body, length))
			return;
		reply_chunk(conn, body, length);
		reply_end(conn);
		return;
	}
	conn->reply.framing = REPLY_LENGTH;
	add_head(conn, status, fields, (int64_t)length);
	if (mischief_on_body(conn, body, length))
		return;
	bytes_add(&conn->out, body, length);
	conn_end_exchange(conn);
}

void reply_json(struct conn *conn, int status, const char *content_type, struct bytes *body)
{
	struct reply_fields fields = {.content_type = content_type};

	reply_full(conn, status, &fields, bytes_at(body), bytes_length(body));
}

void reply_empty(struct conn *conn, int status)
{
	reply_full(conn, status, &(struct reply_fields){0}, "", 0);
}

void reply_error(struct conn *conn, int status, const char *message)
{
	struct bytes body = {0};

	bytes_adds(&body, "{\"error\":");
	bytes_add_string(&body, message);
	bytes_adds(&body, "}");
	reply_json(conn, status, TYPE_JSON_UTF8, &body);
	bytes_finish(&body);
}

void reply_refusal(struct conn *conn, const char *text)
{
	bytes_adds(&conn->out, "HTTP/1.1 ");
	bytes_add(&conn->out, text, strcspn(text, ":"));
	bytes_adds(&conn->out,
		"\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n");
	bytes_adds(&conn->out, text);
	conn->reply.closes = true;
	conn_end_exchange(conn);
}
