/*
 * The upstream's name as addresses, by evdns (never getaddrinfo in the loop). /etc/hosts and
 * /etc/resolv.conf are read anew for each query: a container's name server may change. "localhost"
 * and "*.localhost" are 127.0.0.1 and ::1 whatever those say (RFC 6761 section 6.3). Called by
 * back/pool.
 */
#ifndef SO_IO_RESOLVER_H
#define SO_IO_RESOLVER_H

#include <stddef.h>
#include <stdint.h>

#include "io/address.h"

struct event_base;

/* Resolves one name for ever: at start and again when asked after a failed connect. */
struct resolver;

struct resolver_events {
	/*
	 * The list changed or was confirmed (count > 0), or the name cannot be resolved (count 0).
	 * May be called before resolver_create() or resolver_refresh() returns; resolver_refresh()
	 * called from inside does nothing.
	 */
	void (*on_resolved)(void *arg, const struct address *addresses, size_t count);
	void *arg;
};

/* Further addresses of one name are left out. */
enum { RESOLVER_ADDRESSES_MOST = 16 };

/*
 * Starts the first query; `events` is copied. `host` may be a numeric address: then no query is
 * ever made. IPv4 addresses come first, then IPv6, each in the answer's order; what the name server
 * says of IPv6 may come as a second, longer list.
 */
struct resolver *resolver_create(struct event_base *base, const char *host, uint16_t port,
	const struct resolver_events *events);
/* The same with other files than /etc/resolv.conf and /etc/hosts (tests). They must outlive the
 * resolver. */
struct resolver *resolver_create_with_files(struct event_base *base, const char *host,
	uint16_t port, const struct resolver_events *events, const char *resolv_conf,
	const char *hosts);
/* Not from inside a callback of the loop: an answer that evdns has queued would find nobody. NULL
 * is fine. */
void resolver_destroy(struct resolver *resolver);
/* Starts a query unless one is under way; its answer comes by on_resolved. */
void resolver_refresh(struct resolver *resolver);

#endif
