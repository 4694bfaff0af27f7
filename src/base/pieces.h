/*
 * Looks at the bytes of an evbuffer piece by piece, in place. Called by relay to feed request and
 * response bodies to json/, by back/witness, by http and front to wipe what may hold a key.
 */
#ifndef SO_BASE_PIECES_H
#define SO_BASE_PIECES_H

#include <stddef.h>

struct evbuffer;

/* `feed` is called for each piece in order; the buffer is not changed and must not be changed by
 * `feed`. */
void pieces_feed(struct evbuffer *buffer,
	void (*feed)(void *object, const void *bytes, size_t length), void *object);
/* The same, but for the first `from` bytes. */
void pieces_feed_from(struct evbuffer *buffer, size_t from,
	void (*feed)(void *object, const void *bytes, size_t length), void *object);
/* Overwrites the first `length` bytes (at most all) in place: freed memory keeps what it held. */
void pieces_wipe(struct evbuffer *buffer, size_t length);

#endif
