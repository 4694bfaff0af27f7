/*
 * Addresses: parses what a person writes after --listen and prints what the kernel says. Called by
 * front/listener, front/client and the banner. Names of the upstream: io/resolver.
 */
#ifndef SO_IO_ADDRESS_H
#define SO_IO_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/compiler.h"

enum { ADDRESS_TEXT_BYTES = 64 };

struct address {
	struct sockaddr_storage storage;
	socklen_t length;
};

/*
 * "127.0.0.1:8000", "[::1]:8000", "localhost:8000", "*:8000" or ":8000" (0.0.0.0 and [::], so the
 * IPv6 socket has to be IPV6_V6ONLY), "unix:PATH". A name may stand for several addresses: up to
 * `most` are written, the count is returned; 0: wrong, `ret_error` (static text) says why. Uses
 * getaddrinfo: only at start.
 */
MUST_CHECK size_t address_parse_listen(
	const char *text, struct address *ret_addresses, size_t most, const char **ret_error);
/* "127.0.0.1:8000" or "[::1]:8000". */
void address_print(const struct sockaddr *address, char text[ADDRESS_TEXT_BYTES]);
/* Without port and brackets; a v4-mapped v6 address is printed as v4; a unix socket as "unix". */
void address_print_ip(const struct sockaddr *address, char text[ADDRESS_TEXT_BYTES]);
bool address_is_loopback(const struct sockaddr *address);

/* back/pool includes this header for both. */
#include "io/resolver.h"

#endif
