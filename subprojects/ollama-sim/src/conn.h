/*
 * One client connection: reads heads and bodies, hands complete requests to route.c, writes answers
 * in order, notices a client that leaves. As in Ollama an end of the client's sending (also a
 * half-close) while it is being answered counts as leaving. Owned by server.c; closed by
 * conn_close() at any time, freed at the end of the turn.
 */
#ifndef SIM_CONN_H
#define SIM_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event_struct.h>

#include "body.h"
#include "bytes.h"
#include "faults.h"
#include "head.h"

struct route;
struct sim;

enum conn_state {
	CONN_HEAD,   /* between requests, or in the middle of a head */
	CONN_BODY,   /* reading a body */
	CONN_BUSY,   /* a complete request is being answered */
	CONN_DRAIN,  /* answered early: the rest of the body goes by */
	CONN_FLUSH,  /* the last answer is being written, then it closes */
	CONN_LINGER, /* our side is shut down; reads on, so that the client can read the answer */
	CONN_CLOSED,
};

/* Who is working on the answer. Cleared before each call of on_gone, and when the answer has ended.
 */
struct conn_user {
	/* The client has left. What is written from inside still goes out (a half-closed client
	 * reads it). */
	void (*on_gone)(void *arg);
	/* What was written has gone out after conn_is_clogged() was true. May be NULL. */
	void (*on_drained)(void *arg);
	void *arg;
};

enum reply_framing { REPLY_NONE, REPLY_LENGTH, REPLY_CHUNKED, REPLY_RAW };

/* How far the answer is; reply.c writes it. */
struct reply {
	enum reply_framing framing;
	bool has_head;
	bool closes; /* the connection ends with this answer */
	unsigned chunks;
};

enum conn_doom { DOOM_NONE, DOOM_CLOSE, DOOM_RESET };
enum conn_timer { TIMER_NONE, TIMER_HANDLE, TIMER_UNSTALL, TIMER_CLOSE };

struct conn {
	TAILQ_ENTRY(conn) link;
	struct sim *sim;
	int fd;
	enum conn_state state;
	struct event readable;
	struct event writable;
	struct event timer;
	enum conn_timer timer_use;
	struct bytes in;
	struct bytes out;
	size_t free_bytes;
	size_t scanned; /* of in, without an end of a head */
	struct request request;
	struct body body;
	struct reply reply;
	const struct route *route;
	bool echoes_origin;
	struct fault fault;
	struct conn_user user;
	int64_t started; /* pace_now() at the end of the head: Ollama's handler starts then */
	enum conn_doom doom;
	bool is_dirty;
	bool is_stalled;   /* a fault holds the output back, all but the first free_bytes */
	bool is_advancing; /* conn_advance() is on the stack */
	bool wants_drained;
	bool reads;
};

struct conn *conn_create(struct sim *sim, int fd);
void conn_free(struct conn *conn);
/* Tells the user that the client is gone and closes. */
void conn_close(struct conn *conn);
/* Something was appended to out: it is written at the end of the turn. */
void conn_mark_dirty(struct conn *conn);
/* For server.c's tail. */
void conn_flush(struct conn *conn);
/* A fault: at the end of the turn what is in out is written, then the connection ends badly. */
void conn_doom(struct conn *conn, enum conn_doom doom);
/* For reply.c: the answer is complete. */
void conn_end_exchange(struct conn *conn);
/* More than a sensible amount waits to be written: pause until on_drained. */
bool conn_is_clogged(struct conn *conn);
void conn_set_user(
	struct conn *conn, void (*on_gone)(void *), void (*on_drained)(void *), void *arg);
/* One timer a connection; the new use replaces the old one. */
void conn_start_timer(struct conn *conn, enum conn_timer use, int64_t ms);

#endif
