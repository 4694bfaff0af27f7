/*
 * Reads HTTP/1.1 answers as they come, and tells where the chunks end: whether a proxy merged two
 * of them is one of the things measured. Called by the load generator only; it believes what it is
 * sent as far as it needs to.
 */
#ifndef SO_BENCH_RESPONSE_H
#define SO_BENCH_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RESPONSE_HEAD_BYTES = 8192 };

enum response_state {
	RESPONSE_HEAD,
	RESPONSE_BODY,
	RESPONSE_CHUNK_SIZE,
	RESPONSE_CHUNK,
	RESPONSE_CHUNK_END,
	RESPONSE_LAST_LINE, /* after the last chunk */
	RESPONSE_DONE,
	RESPONSE_WRONG,
};

struct response_events {
	/* Body bytes. */
	void (*on_data)(void *arg, const char *bytes, size_t length);
	/* A chunk is complete. */
	void (*on_chunk_end)(void *arg);
};

struct response {
	enum response_state state;
	int status;
	bool closes; /* the connection ends with it */
	bool is_until_close;
	int64_t left; /* of the body or chunk */
	size_t head_length;
	char head[RESPONSE_HEAD_BYTES];
};

/* A zeroed struct waits for a head; so does one that was DONE, after this. */
void response_begin(struct response *response);
/* Returns how many bytes it took: all but those behind a complete answer. `events` may be NULL. */
size_t response_feed(struct response *response, const char *bytes, size_t length,
	const struct response_events *events, void *arg);

#endif
