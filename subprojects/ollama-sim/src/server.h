/*
 * Listens, accepts, and keeps the connections. At the end of each turn of the loop it writes what
 * the turn has appended to them (so lines of one turn share one write) and frees those that were
 * closed in it.
 */
#ifndef SIM_SERVER_H
#define SIM_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mem.h"

struct conn;
struct event;
struct evconnlistener;
struct sim;

TAILQ_HEAD(conn_list, conn);

struct server {
	struct sim *sim;
	struct evconnlistener *listener;
	struct event *tail;  /* runs last in a turn in which something was marked */
	struct event *retry; /* accepts again after descriptors ran out */
	struct conn_list open;
	struct conn_list dead;
	struct conn **dirty;
	size_t dirty_count;
	size_t dirty_capacity;
	size_t open_count;
	uint64_t accepted;
	bool is_loopback;
};

/* "127.0.0.1:11434", "[::1]:0". False: error text on stderr. Prints the listening line. */
MUST_CHECK bool server_start(struct server *server, struct sim *sim, const char *address);
void server_finish(struct server *server);
/* For conn.c: to be flushed, respectively freed, at the end of this turn. */
void server_mark_dirty(struct server *server, struct conn *conn);
void server_bury(struct server *server, struct conn *conn);

#endif
