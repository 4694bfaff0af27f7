/*
 * How many connections there are from each address, for max_connections_per_address: a hash table,
 * so that a connection costs the same however many there are. An IPv4 address and the IPv6 one that
 * it is mapped to are one; the scope of a link-local address counts; local sockets have no address
 * and are not counted. Made and asked by clients.
 */
#ifndef SO_FRONT_ADDRESSES_H
#define SO_FRONT_ADDRESSES_H

#include <stddef.h>

struct address_count; /* one address that has connections */
struct addresses;
struct sockaddr;

struct addresses *addresses_create(void);
/* NULL is fine. No connection may be left. */
void addresses_destroy(struct addresses *addresses);
/* One connection more. What it returns is given back when it ends; NULL: it is not counted. */
struct address_count *addresses_enter(struct addresses *addresses, const struct sockaddr *address);
/* `count` may be NULL. */
void addresses_leave(struct addresses *addresses, struct address_count *count);
/* Those from this address now. */
size_t addresses_connections(const struct addresses *addresses, const struct sockaddr *address);

#endif
