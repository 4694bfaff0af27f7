/*
 * The chunked transfer coding (RFC 9112 §7.1), both ways. The decoder accepts and drops extensions
 * (4 KiB a line) and trailers (4 KiB a line, 16 KiB together), is strict in everything else and can
 * be fed in pieces of any size. Used by front/intake (requests), back/tunnel (both).
 *
 * The watch looks at the same bytes without taking them, for a body that somebody else decodes:
 * back/witness.
 */
#ifndef SO_HTTP_CHUNKED_H
#define SO_HTTP_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct evbuffer;

enum chunked_status {
	CHUNKED_MORE,  /* all that could be decoded was; more input is needed */
	CHUNKED_DONE,  /* the last chunk and the trailer section were taken; what follows is left in
			  the buffer */
	CHUNKED_WRONG, /* malformed */
};

/* Zeroed: at the start of a body. */
struct chunked {
	int state;
	uint64_t left; /* bytes left of the chunk that is being read */
	size_t trailer_bytes;
};

/*
 * Moves decoded bytes from `input` to `output` (no copy of big pieces), at most `most` of them a
 * call (a caller that got exactly that much calls again). Each chunk's end is told by
 * `on_chunk_end` if given, so that a relay can keep chunk borders (PRODUCT 1.5).
 */
MUST_CHECK enum chunked_status chunked_decode(struct chunked *chunked, struct evbuffer *input,
	struct evbuffer *output, size_t most, void (*on_chunk_end)(void *arg), void *arg);

/* Zeroed: at the start of a body. */
struct chunked_watch {
	int state;
	int digits;    /* of the size that is being read */
	uint64_t left; /* bytes left of the chunk that is being read */
	size_t line_bytes;
	size_t trailer_bytes;
	bool has_dropped; /* an extension, or a part of one, was seen; only ever set */
};

/*
 * Looks at the next bytes. WRONG: what the decoder refuses, told at the byte with which it becomes
 * sure. Bytes behind the end are not looked at. Once WRONG or DONE it stays so. `kept`, unless it
 * is NULL, gets a copy of all but the extensions and the blanks before them (RFC 9112 §7.1.1).
 */
MUST_CHECK enum chunked_status chunked_watch_feed(
	struct chunked_watch *watch, const void *bytes, size_t length, struct evbuffer *kept);
/* Passes over bytes that nobody has to look at. false: these are not all in the middle of a chunk:
 * feed them. */
MUST_CHECK bool chunked_watch_skip(struct chunked_watch *watch, size_t length);
bool chunked_watch_is_done(const struct chunked_watch *watch);

/* The longest "size CRLF". */
enum { CHUNKED_HEAD_BYTES = 2 * sizeof(size_t) + 2 };
/* "size CRLF" of a chunk of `length` > 0 bytes; returns its length. No NUL. */
size_t chunked_head(char *ret_text, size_t length);
/* One chunk around `length` > 0 bytes: "size CRLF" before, CRLF behind. */
void chunked_write_begin(struct evbuffer *output, size_t length);
void chunked_write_end(struct evbuffer *output);
/* "0 CRLF CRLF" */
void chunked_write_last(struct evbuffer *output);

#endif
