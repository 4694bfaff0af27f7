/*
 * The body of one request, taken out of the bytes a connection has read: by length or in chunks,
 * collected in memory up to a limit, or only hashed and counted (uploads of any size).
 */
#ifndef SIM_BODY_H
#define SIM_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/evp.h>

#include "bytes.h"
#include "head.h"
#include "mem.h"

enum body_mode { BODY_DISCARD, BODY_COLLECT, BODY_HASH };
enum body_result { BODY_MORE, BODY_DONE, BODY_MALFORMED, BODY_TOO_LARGE };

/* Hex digits of a SHA-256 and a NUL. */
#define BODY_HASH_TEXT_BYTES 65

enum body_place { BODY_DATA, BODY_CHUNK_SIZE, BODY_CHUNK_END, BODY_TRAILER, BODY_AT_END };

struct body {
	enum body_mode mode;
	enum body_place place;
	bool is_chunked;
	uint64_t left;	   /* of the body, or of the chunk */
	uint64_t received; /* content bytes */
	size_t max_bytes;  /* of a collected body */
	struct bytes content;
	EVP_MD_CTX *hash;
};

void body_begin(
	struct body *body, const struct request *request, enum body_mode mode, size_t max_bytes);
/* Takes what belongs to the body from in. */
MUST_CHECK enum body_result body_feed(struct body *body, struct bytes *in);
/* Bytes that are still to come, 0 if that is not known. */
uint64_t body_left(const struct body *body);
/* Of BODY_HASH, once, after BODY_DONE. */
void body_hash_text(struct body *body, char ret_text[BODY_HASH_TEXT_BYTES]);
void body_clear(struct body *body);
void body_finish(struct body *body);

#endif
