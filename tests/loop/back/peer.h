/*
 * Ollama's place in loop tests: a TCP listener on a loopback port of the kernel's choice, in the
 * test's own event loop. Each accepted connection plays a script of steps; the n-th connection
 * plays the n-th script, the last script goes on for all later ones.
 */
#ifndef SO_TEST_PEER_H
#define SO_TEST_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct evbuffer;
struct peer;

enum peer_step_kind {
	PEER_END,   /* no more steps; the connection stays open */
	PEER_AWAIT, /* `text` was received since the last step that waited; takes it and all before
		     */
	PEER_AWAIT_BYTES, /* takes `bytes` bytes, without looking at them */
	PEER_AWAIT_GO,	  /* waits for peer_go() */
	PEER_SEND,	  /* `text`, with bytes as its length, or 0 for strlen */
	PEER_SEND_FILL,	  /* `bytes` bytes */
	PEER_SEND_CHUNKS, /* `bytes` bytes as chunks of 32 KiB, without the last chunk */
	PEER_STOP_READING,
	PEER_READ_ON,
	PEER_CLOSE, /* after what was sent has left; unread input makes it a reset */
	PEER_RESET, /* RST at once */
	PEER_AGAIN, /* from the script's first step on */
};

struct peer_step {
	enum peer_step_kind kind;
	const char *text;
	uint64_t bytes;
};

/* Scripts are arrays that end with {PEER_END}; the list of scripts ends with NULL. `host`
 * "127.0.0.1" or "::1". */
struct peer *peer_create(struct event_base *base, const char *host, uint16_t port,
	const struct peer_step *const *scripts);
void peer_destroy(struct peer *peer);
uint16_t peer_port(const struct peer *peer);
/* Lets all connections that wait go on. */
void peer_go(struct peer *peer);
size_t peer_accepted(const struct peer *peer);
/* Connections whose other side closed or reset. */
size_t peer_closed(const struct peer *peer);
/* All bytes that were received, by all connections, the first 1 MiB; NUL-terminated. */
const char *peer_received(const struct peer *peer);
uint64_t peer_received_bytes(const struct peer *peer);
/* Steps that were played, by all connections. */
size_t peer_steps(const struct peer *peer);

#endif
