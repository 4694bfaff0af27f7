/*
 * How long a message's body is (RFC 9112 §6), decided from its head alone, strictly: what two
 * readers could read in two ways is refused. Called by head and by back/exchange (for what evhttp
 * parsed).
 */
#ifndef SO_HTTP_FRAMING_H
#define SO_HTTP_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "http/fields.h"

#define HTTP_ERRORS(X)                                                                    \
	X(NONE, "none")                                                                   \
	X(BAD_REQUEST, "bad_request")	      /* 400 */                                   \
	X(HEAD_TOO_LARGE, "head_too_large")   /* 431 */                                   \
	X(TARGET_TOO_LONG, "target_too_long") /* 414 */                                   \
	X(NOT_IMPLEMENTED, "not_implemented") /* 501: CONNECT, a coding before chunked */ \
	X(VERSION, "http_version")	      /* 505 */                                   \
	X(EXPECTATION, "expectation_failed")  /* 417: Expect other than 100-continue */

enum http_error {
#define X(symbol, name) HTTP_ERROR_##symbol,
	HTTP_ERRORS(X)
#undef X
};
const char *http_error_name(enum http_error error);

enum framing_kind {
	FRAMING_NONE,	/* no body: no length given (request), HEAD, 1xx, 204, 304 */
	FRAMING_LENGTH, /* Content-Length; may be 0 */
	FRAMING_CHUNKED,
	FRAMING_UNTIL_CLOSE, /* responses only */
};

struct framing {
	enum framing_kind kind;
	uint64_t length; /* of FRAMING_LENGTH */
};

/*
 * Request: TE with CL, duplicate or malformed Content-Length, chunked not last or twice, TE on
 * HTTP/1.0: BAD_REQUEST; another coding before chunked: NOT_IMPLEMENTED. "CHUNKED" and "chunked "
 * are chunked.
 */
MUST_CHECK enum http_error framing_of_request(
	const struct fields *fields, int version_minor, struct framing *ret_framing);
/* Response to `method`: the same strictness; false: malformed. */
MUST_CHECK bool framing_of_response(const struct fields *fields, int version_minor, int status,
	const char *method, struct framing *ret_framing);

#endif
