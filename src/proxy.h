/*
 * The serving program: builds every module in the order in which it may use the others, owns the
 * event base and its turns, and tears down in reverse. Called by main.c.
 */
#ifndef SO_PROXY_H
#define SO_PROXY_H

#include "base/compiler.h"

struct handover;
struct proxy;
struct reload_source;
struct settings;

/*
 * Listens on all addresses of `settings`, or on the sockets that systemd passes, and says so on
 * stderr ("listening on ADDR:PORT"). NULL: `ret_error`, a new string, says what is wrong; the
 * caller frees it. `source` is what a reload reads again; what it points to is kept.
 * `handover` (NULL: none) is taken over, whatever happens. The settings'
 * max_connections is lowered to what the descriptors allow.
 */
MUST_CHECK struct proxy *proxy_create(struct settings *settings, const struct reload_source *source,
	struct handover *handover, char **ret_error);
/* Serves until it is told to end (lifecycle.h). */
void proxy_run(struct proxy *proxy);
/* Frees everything. */
void proxy_destroy(struct proxy *proxy);

#endif
