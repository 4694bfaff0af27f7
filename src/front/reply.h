/*
 * Writes answers to a client: head, body pieces, end, and the errors of PRODUCT 2 in the shape of
 * the API that was called. All is appended to the client's output and written in the turn's tail.
 * Whole answers
 * carry CORS fields as Ollama's would. Used by relay, pass and admin.
 */
#ifndef SO_FRONT_REPLY_H
#define SO_FRONT_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/outcome.h"
#include "core/route.h"
#include "http/fields.h"
#include "http/framing.h"

struct client;
struct evbuffer;

/*
 * The head: `fields` without hop-by-hop fields and framing. What the body will be: NONE, LENGTH,
 * CHUNKED, or UNTIL_CLOSE (length unknown: sent chunked to HTTP/1.1, to the end of the connection
 * to HTTP/1.0). Connection is added where needed, Date where there is none. `bodiless_length` is
 * sent as Content-Length of a HEAD answer, -1: none.
 */
void reply_head(struct client *client, int status, const char *reason, const struct fields *fields,
	struct framing framing, int64_t bodiless_length);
/* The head of a stream of our own: 200, a body of unknown length that is never cached, with CORS
 * fields. `request_id` NULL: none. */
void reply_stream_head(struct client *client, const char *content_type, const char *request_id);
/* An interim answer (RFC 9110 §15.2), before the head and only to HTTP/1.1: it commits nothing. */
void reply_interim(struct client *client, int status, const struct fields *fields);
/* One piece, all of `data` is taken; chunked: it becomes one chunk. Empty pieces are dropped. */
void reply_data(struct client *client, struct evbuffer *data);
/* The answer is complete. on_sent follows when the kernel has it. */
void reply_end(struct client *client);
/*
 * The answer cannot be completed: `last_words` (a whole line or event, may be NULL) goes out as one
 * more piece, then the connection is closed without the final chunk (a RST when nothing is to be
 * delivered). on_sent follows as after reply_end().
 */
void reply_cut(struct client *client, const char *last_words);

struct reply_error {
	enum outcome outcome;
	int status; /* an error of Ollama itself; 0: the outcome's */
	enum api_family family;
	const char *text;	/* NULL: outcome_text() */
	const char *request_id; /* NULL: none */
	int retry_after;	/* seconds; used where the outcome has Retry-After */
	const char *param;	/* OpenAI's "param"; NULL: null */
};
/* A whole error answer. The rest of the request's body is read and thrown away (PRODUCT 2). Returns
 * the body bytes sent. */
int64_t reply_error(struct client *client, const struct reply_error *error);
/* The error as the last line or event of a stream of that family and content type; a new string,
 * the caller frees. */
char *reply_error_line(enum api_family family, bool is_sse, const char *text);
/* A whole answer of our own endpoints, application/json, Cache-Control: no-store. */
void reply_json(struct client *client, int status, const char *json, size_t length);
/* A whole answer of another kind: `fields` say which, CORS fields are added to them. */
void reply_page(
	struct client *client, int status, struct fields *fields, const void *body, size_t length);
/* The same with another type. */
void reply_text(struct client *client, int status, const char *content_type, const char *text,
	size_t length);
/* true: it was a browser's preflight from an origin that may read the answers, and is answered as
 * Ollama does (204). */
bool reply_preflight(struct client *client);
/* This listener does not serve it: 404. */
void reply_not_found(struct client *client);
/* Not ours to answer: 405 with Allow. */
void reply_method_not_allowed(struct client *client, const char *allow);

#endif
