/*
 * The connections to Ollama: which addresses it has now, evhttp connections that are idle and may be used again, and an own
 * count of what is open. Made by proxy.c; used by back/exchange, back/tunnel (addresses only) and back/probe.
 */
#ifndef SO_BACK_POOL_H
#define SO_BACK_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct graveyard;
struct settings;
struct pool;

/* The name is resolved at once; until the first answer nothing can connect (numeric addresses: at once). */
struct pool *pool_create(
	struct event_base *base, struct graveyard *graveyard, const struct settings *settings);
/* All exchanges and tunnels must have ended. */
void pool_destroy(struct pool *pool);
/* "127.0.0.1:11434": what Host says upstream and messages name. */
const char *pool_host(const struct pool *pool);
size_t pool_open_connections(const struct pool *pool);
size_t pool_idle_connections(const struct pool *pool);

#endif
