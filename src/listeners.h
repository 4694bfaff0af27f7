/*
 * All addresses that clients connect to: what --listen names, or the sockets that systemd passes in
 * their stead; and the certificate that those with https:// show, which is read again when told.
 * Made by proxy.c.
 */
#ifndef SO_LISTENERS_H
#define SO_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct clients;
struct event_base;
struct handover;
struct handover_socket;
struct listeners;
struct settings;
struct tls_server;

/* Every address of `settings` accepts; passed sockets beat them. `settings` is borrowed. Those in
 * `handover` (NULL: none) that are for the same addresses are taken out of it. NULL: `ret_error`, a
 * new string, says what is wrong. */
MUST_CHECK struct listeners *listeners_create(struct event_base *base, struct clients *clients,
	const struct settings *settings, struct handover *handover, char **ret_error);
/* NULL is fine. */
void listeners_destroy(struct listeners *listeners);
size_t listeners_count(const struct listeners *listeners);
/* "127.0.0.1:8000", with the port that the kernel chose, or "unix:PATH". */
const char *listeners_name(const struct listeners *listeners, size_t index);
bool listeners_is_tls(const struct listeners *listeners, size_t index);
/* Other machines can reach one of them: of admin_listen, or of the others. */
bool listeners_are_exposed(const struct listeners *listeners, bool is_admin);
/* What another process takes over: HANDOVER_SOCKETS_MOST at most, all borrowed. */
size_t listeners_offer(const struct listeners *listeners, struct handover_socket *ret_sockets);
/* It has: none accepts here any more, and no file is removed. */
void listeners_leave(struct listeners *listeners);
/* A connection went: those that stopped at a limit accept again. */
void listeners_resume(struct listeners *listeners);
/*
 * A reload, in two steps. First certificate and key are read again, into `ret_fresh`; false: they
 * are wrong, or missing where an address speaks TLS, `ret_error`, a new string, says what, and
 * nothing has changed. Then connections that come from now on get them, which takes them over;
 * `settings` is borrowed until the next reload.
 */
MUST_CHECK bool listeners_read_certificate(const struct listeners *listeners,
	const struct settings *settings, struct tls_server **ret_fresh, char **ret_error);
void listeners_set_settings(
	struct listeners *listeners, const struct settings *settings, struct tls_server *fresh);

#endif
