/*
 * The head of one request, as Go's net/http server reads it: what it refuses is refused with Go's
 * words. Keeps the head as received beside the parsed one, for GET /sim/state and /sim/echo.
 */
#ifndef SIM_HEAD_H
#define SIM_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "mem.h"

/* Go's DefaultMaxHeaderBytes and the slack it gives. */
#define HEAD_MAX_BYTES ((1U << 20) + 4096U)
/* Body length of a request that has none announced. */
#define HEAD_NO_LENGTH (-1)

struct header {
	char *name;
	char *value; /* trimmed */
};

struct request {
	struct bytes raw; /* request line and header lines as received, each with its line end */
	struct bytes
		cut; /* the same, with NULs where the parts end: what the pointers point into */
	struct header *headers;
	size_t header_count;
	size_t header_capacity;
	const char *method;
	const char *target; /* as received */
	char *path;	    /* of the target, without its query */
	const char *query;  /* "" without one */
	const char *host;   /* NULL without */
	const char *origin; /* NULL without */
	const char *id;	    /* X-Request-Id, or NULL */
	int minor;	    /* of HTTP/1.x */
	int64_t content_length;
	bool is_chunked;
	bool expects_continue;
	bool wants_close;
	bool wants_keep_alive; /* an HTTP/1.0 client that says so */
};

/* What Go answers to a head it cannot take: "400 Bad Request", … NULL: the head is good. */
MUST_CHECK const char *head_parse(struct request *request, const char *head, size_t length);
void head_clear(struct request *request);
void head_finish(struct request *request);
/* NULL without one of that name (given in any case). */
const char *head_get(const struct request *request, const char *name);

#endif
