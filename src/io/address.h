/*
 * Addresses: parses what a person writes after --listen, prints what the kernel says, and resolves the upstream's name by evdns
 * (never getaddrinfo in the loop). Called by front/listener (parse, print) and back/pool (resolve).
 */
#ifndef SO_IO_ADDRESS_H
#define SO_IO_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/compiler.h"

enum { ADDRESS_TEXT_BYTES = 64 };

struct event_base;
struct sockaddr;

struct address {
	struct sockaddr_storage storage;
	socklen_t length;
};

/*
 * "127.0.0.1:8000", "[::1]:8000", "localhost:8000", "*:8000" or ":8000" (all IPv4 and IPv6 addresses). A name may stand for several addresses: up to
 * `most` are written, the count is returned; 0: wrong, `ret_error` (static text) says why. Uses getaddrinfo: only at start.
 */
MUST_CHECK size_t address_parse_listen(
	const char *text, struct address *ret_addresses, size_t most, const char **ret_error);
/* "127.0.0.1:8000" or "[::1]:8000". */
void address_print(const struct sockaddr *address, char text[ADDRESS_TEXT_BYTES]);
/* Without port and brackets; a v4-mapped v6 address is printed as v4; a unix socket as "unix". */
void address_print_ip(const struct sockaddr *address, char text[ADDRESS_TEXT_BYTES]);
bool address_is_loopback(const struct sockaddr *address);

/* Resolves one name for ever: at start and again when asked after a failed connect. */
struct resolver;

struct resolver_events {
	/* The list changed or was confirmed (count > 0), or the name cannot be resolved (count 0). May be called before resolver_refresh() returns. */
	void (*on_resolved)(void *arg, const struct address *addresses, size_t count);
	void *arg;
};

/* `host` may be a numeric address: then no query is ever made. IPv4 addresses come first, then IPv6, each in the answer's order. */
struct resolver *resolver_create(struct event_base *base, const char *host, uint16_t port,
	const struct resolver_events *events);
void resolver_destroy(struct resolver *resolver);
/* Starts a query unless one is under way; its answer comes by on_resolved. */
void resolver_refresh(struct resolver *resolver);

#endif
