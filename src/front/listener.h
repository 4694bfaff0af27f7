/*
 * One listening socket: libevhtp accepts on it and hands each connection over
 * (docs/decisions/0001). Stops accepting at a limit or without descriptors and goes on by itself.
 * Made by proxy.c for each address.
 */
#ifndef SO_FRONT_LISTENER_H
#define SO_FRONT_LISTENER_H

#include <stdbool.h>

#include "base/compiler.h"

struct address;
struct clients;
struct event_base;
struct listener;

/* `is_admin`: one of admin_listen. NULL: `ret_error`, a new string that the caller frees, says what
 * is wrong and names the flag. */
MUST_CHECK struct listener *listener_create(struct event_base *base, struct clients *clients,
	const struct address *address, bool is_admin, char **ret_error);
void listener_destroy(struct listener *listener);
/* "127.0.0.1:8000", with the port that the kernel chose. */
const char *listener_name(const struct listener *listener);
/* A connection went: accept again if a limit had stopped it. */
void listener_resume(struct listener *listener);

#endif
