/*
 * Writes answers byte for byte as Go's net/http does: the order of the headers, Content-Length for
 * a body of at most 2,048 bytes that was not flushed and chunks otherwise, nothing of the kind for
 * HEAD or HTTP/1.0.
 */
#ifndef SIM_REPLY_H
#define SIM_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "conn.h"

#define TYPE_JSON "application/json"
#define TYPE_JSON_UTF8 "application/json; charset=utf-8"
#define TYPE_NDJSON "application/x-ndjson"
#define TYPE_SSE "text/event-stream"
#define TYPE_TEXT "text/plain"
#define TYPE_TEXT_UTF8 "text/plain; charset=utf-8"

/* Headers that some answers have. All may be left out. */
struct reply_fields {
	const char *content_type;
	const char *allow;
	const char *location;
	bool is_preflight;  /* the answer to a CORS preflight */
	bool is_held_open;  /* Cache-Control: no-cache, Connection: keep-alive */
	bool is_flushed;    /* chunked however small */
	bool has_no_length; /* a handler that wrote nothing to HEAD */
};

/* A whole answer; ends the exchange. */
void reply_full(struct conn *conn, int status, const struct reply_fields *fields, const char *body,
	size_t length);
/* The usual whole answer. */
void reply_json(struct conn *conn, int status, const char *content_type, struct bytes *body);
/* A status with no body and no type: Content-Length: 0. */
void reply_empty(struct conn *conn, int status);
/* {"error":"…"} with charset. */
void reply_error(struct conn *conn, int status, const char *message);

/* An answer in pieces: each call of reply_chunk() is one HTTP chunk. */
void reply_begin(struct conn *conn, int status, const struct reply_fields *fields);
void reply_chunk(struct conn *conn, const char *data, size_t length);
void reply_end(struct conn *conn);

/* Go's own answer to what it cannot parse; the connection ends. */
void reply_refusal(struct conn *conn, const char *text);

#endif
