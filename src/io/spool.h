/*
 * A job's request body, kept until the response head so that it can be sent again (PRODUCT 1.7): in
 * memory up to a limit, beyond that in an unlinked temporary file; a few ranges of it can be sent
 * as other text. Written by front/intake, read by back/exchange. Writes to the file are bounded per
 * call by what arrived.
 */
#ifndef SO_IO_SPOOL_H
#define SO_IO_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct evbuffer;
struct spool;

/* Nothing is opened before `memory_limit` bytes (0: no limit) are passed. `directory` must outlive
 * the spool. */
struct spool *spool_create(size_t memory_limit, const char *directory);
/* NULL is fine. Bodies that are being sent stay readable until evbuffer lets go of them. */
void spool_destroy(struct spool *spool);
/*
 * Takes all of `data`, by moving its memory or, where it is little, by copying it (so that a body
 * that drips in does not hold a buffer for each byte). false: the disk is full or the file failed
 * (said in the log); the job cannot go on, what `data` still holds is undefined.
 */
MUST_CHECK bool spool_append(struct spool *spool, struct evbuffer *data);
/* Of the body as it will be sent. */
uint64_t spool_bytes(const struct spool *spool);
/*
 * From now on `removed` bytes at `at` of the body as it came are sent as `text` (copied). Splices
 * come in ascending order and do not overlap; the body is complete and was not sent yet.
 */
void spool_splice(
	struct spool *spool, uint64_t at, uint64_t removed, const char *text, size_t length);
/*
 * Adds the whole body to `out` by reference (memory) or as file segments (file): no copy, can be
 * called again for a second sending. The body must not grow afterwards. Any kind of buffer may take
 * it, a plain one, a socket's or a TLS bufferevent's: the file is mapped in pieces, and a piece
 * takes memory until it is sent. false: out of memory.
 */
MUST_CHECK bool spool_send(struct spool *spool, struct evbuffer *out);

#endif
