/*
 * Reads one whole message head from the front of a buffer: waits until it is complete, checks every
 * byte, and has libevhtp's htparser read the fields too (docs/decisions/0001): both have to agree.
 * Requests: front/client. Responses: back/tunnel and tools. RFC 9112 §2 to §6, strictly: CRLF only,
 * no obs-fold, one Host, no '#' in a target, at most 32 connection options (all of them are
 * compared with each field). What comes of a head does not depend on the pieces in which it comes.
 */
#ifndef SO_HTTP_HEAD_H
#define SO_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "http/fields.h"
#include "http/framing.h"

struct evbuffer;

struct head_limits {
	size_t head_bytes;   /* the whole head, request line to empty line; 0: no limit */
	size_t target_bytes; /* 0: no limit; the method may have 53 bytes beside it */
	size_t fields;	     /* number of field lines; 0: no limit */
};

enum head_status {
	HEAD_MORE, /* not complete: nothing was taken from the buffer (leading empty lines excepted,
		      RFC 9112 §2.2) */
	HEAD_READY, /* taken from the buffer */
	HEAD_WRONG, /* ret_error says why, as soon as it is sure: a wrong request line is not kept
		       waiting for the rest. The buffer is in an undefined place: answer, close */
};

struct request_head {
	char *bytes; /* what method, target and fields point into; wiped before it is freed, for
			it may hold a key */
	size_t bytes_length;
	char *made;    /* what path, host, name and sometimes forward point into */
	char *method;  /* NUL-terminated, as received, case kept */
	char *target;  /* NUL-terminated, exactly as received */
	char *forward; /* the target in the form to send on: origin-form or "*"; absolute-form loses
			  scheme and authority (RFC 9112 §3.2.4: OPTIONS of a bare authority becomes
			  "*"), else == target */
	char *name; /* NAME, percent-decoded, of a target that begins with /@NAME (PRODUCT 5), which
		       forward and path do not have; NULL: it does not */
	char *path; /* percent-decoded and slash-merged path, for routing only; "*" for OPTIONS *;
		       never has a NUL inside (%00 is 400) */
	char *host; /* the authority that counts: absolute-form's, else Host's; "" when HTTP/1.0
		       sent none. NUL-terminated */
	int version_minor; /* HTTP/1.x */
	struct fields fields;
	struct framing framing;
	bool keep_alive;      /* the connection may be used again (RFC 9112 §9.3) */
	bool expect_continue; /* Expect: 100-continue from an HTTP/1.1 client */
};

struct response_head {
	char *bytes;
	char *reason; /* may be "" */
	int status;   /* 100 to 599 */
	int version_minor;
	struct fields fields;
	struct framing framing;
	bool keep_alive;
};

/* A field with a secret leaves the list and its value is overwritten. */
void request_head_forget_field(struct request_head *head, size_t at);
/* Zeroed heads are empty; finish frees and zeroes. */
void request_head_finish(struct request_head *head);
void response_head_finish(struct response_head *head);

/*
 * Scans only what it has not scanned before: `*scanned` (0 at first, owned by the caller, reset to
 * 0 after READY) keeps the place, so that a head that drips in byte by byte costs no quadratic
 * time.
 */
MUST_CHECK enum head_status request_head_read(struct request_head *head, struct evbuffer *input,
	size_t *scanned, const struct head_limits *limits, enum http_error *ret_error);
/* `method` is the request's: HEAD has no body. 1xx are returned like any other head, framing NONE.
 */
MUST_CHECK enum head_status response_head_read(struct response_head *head, struct evbuffer *input,
	size_t *scanned, const struct head_limits *limits, const char *method);

/*
 * For a reader of bytes that somebody else takes, and that has a second reader (back/witness):
 * where the head ends, 0: not in these bytes. `*match` (0 at first, owned by the caller) keeps the
 * place between the pieces of a head.
 */
size_t response_head_end(const char *bytes, size_t length, int *match);
/* The first bytes of a head that is not whole yet may be those of an answer. */
bool response_head_may_begin(const char *bytes, size_t length);
/* A whole head, which is copied. false: malformed. */
MUST_CHECK bool response_head_parse(struct response_head *head, const char *bytes, size_t length,
	const struct head_limits *limits, const char *method);

/* "Not Found" for 404, "" for what has no standard reason. */
const char *http_reason(int status);

#endif
