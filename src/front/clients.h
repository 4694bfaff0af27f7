/*
 * All client connections together: what they share, their number in all and per address, and the
 * list of those with something to write. proxy.c makes one and calls clients_flush() in each turn's
 * tail; front/listener asks it whether one more may come in.
 */
#ifndef SO_FRONT_CLIENTS_H
#define SO_FRONT_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "http/framing.h"

struct bufferevent;
struct client;
struct clients;
struct event_base;
struct graveyard;
struct settings;
struct sockaddr;

struct clients_events {
	/* A whole, sound head stands in client_head(): client_accept() it or answer it with
	 * front/reply. */
	void (*on_request)(void *arg, struct client *client);
	/* What came is no acceptable request: answer with reply_error(); the connection closes
	 * after it. No head stands. */
	void (*on_bad_head)(void *arg, struct client *client, enum http_error error);
	/* A head that began did not become complete in header_timeout: answer with reply_error().
	 */
	void (*on_slow_head)(void *arg, struct client *client);
	/* A connection went: a listener that stopped at a limit may go on. */
	void (*on_closed)(void *arg);
	void *arg;
};

struct clients *clients_create(struct event_base *base, struct graveyard *graveyard,
	struct settings *settings, const struct clients_events *events);
/* Closes all connections; their users are told that the client left. */
void clients_destroy(struct clients *clients);
/* For connections and requests that come from now on. */
void clients_set_settings(struct clients *clients, struct settings *settings);

size_t clients_count(const struct clients *clients);
/* Those that are in a request, or have an answer that was not taken yet (for the drain). */
size_t clients_busy(const struct clients *clients);
/* Bytes of answers that were not taken yet. */
struct clients_unsent {
	uint64_t bytes;
	uint64_t most; /* of one client */
};
struct clients_unsent clients_unsent(const struct clients *clients);
/* One more in all, and from this address (local sockets are not bounded so)? */
MUST_CHECK bool clients_may_add(const struct clients *clients);
MUST_CHECK bool clients_may_add_from(const struct clients *clients, const struct sockaddr *address);

/* Where a connection came in. */
struct clients_way {
	const char *listen; /* as the configuration spells it; copied */
	bool is_tls;
	bool is_admin; /* a listener of admin_listen */
};
/* Takes over a connected bufferevent that has read nothing; a TLS one may be before its handshake,
 * of a plain one only the socket is kept. */
void clients_add(struct clients *clients, struct bufferevent *connection,
	const struct sockaddr *address, const struct clients_way *way);
/* Writes what was added in this turn. true: something is left that needs another turn at once. */
bool clients_flush(struct clients *clients);
/* Those whose first request has not come, or not whole: they must not be closed without a word. */
size_t clients_fresh(const struct clients *clients);
/* Every connection is closed after its next answer. */
void clients_leave(struct clients *clients);
/* All those that are in no request. */
void clients_close_waiting(struct clients *clients);
/* Drain: connections that are idle between two requests are closed, the others after their next
 * answer. */
void clients_close_idle(struct clients *clients);

#endif
