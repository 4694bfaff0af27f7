/*
 * One listening socket: libevhtp accepts on it and hands each connection over
 * (docs/decisions/0001). Stops accepting at a limit or without descriptors and goes on by itself.
 * Made by listeners.c for each address.
 */
#ifndef SO_FRONT_LISTENER_H
#define SO_FRONT_LISTENER_H

#include <stdbool.h>

#include "base/compiler.h"

struct address;
struct clients;
struct event_base;
struct listener;
struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

/*
 * `listen`: what the configuration says, of which `address` is one; `is_admin`: of admin_listen.
 * NULL: `ret_error`, a new string that the caller frees, says what
 * is wrong and names the flag; errno is the reason. A local socket gets the mode 0660; a file that
 * an ended program left behind is replaced, and it is removed with the listener.
 */
MUST_CHECK struct listener *listener_create(struct event_base *base, struct clients *clients,
	const struct address *address, const char *listen, bool is_admin, char **ret_error);
/* A socket that listens already and is taken over, with its end too. Its address, after https://
 * where `is_tls`, is what `listen` would say of it. NULL: as above. */
MUST_CHECK struct listener *listener_adopt(
	struct event_base *base, struct clients *clients, int fd, bool is_tls, char **ret_error);
/* The same of a socket of ours that the process before this one had: its file is ours to remove.
 * `listen` and `is_admin` as in listener_create(). */
MUST_CHECK struct listener *listener_take_over(struct event_base *base, struct clients *clients,
	int fd, const char *listen, bool is_admin, char **ret_error);
/* Another process accepts from now on, and its file is that one's. */
void listener_leave(struct listener *listener);
void listener_destroy(struct listener *listener);
/* For handing over; the listener keeps the descriptor. */
int listener_fd(const struct listener *listener);
const char *listener_listen(const struct listener *listener);
bool listener_is_admin(const struct listener *listener);
/* Connections that come from now on speak TLS. `context` is borrowed and must live until the next
 * call or listener_destroy(). */
void listener_set_tls(struct listener *listener, struct ssl_ctx_st *context);
bool listener_is_tls(const struct listener *listener);
/* "127.0.0.1:8000", with the port that the kernel chose, or "unix:/run/x.sock". */
const char *listener_name(const struct listener *listener);
/* A connection went: accept again if a limit had stopped it. */
void listener_resume(struct listener *listener);

#endif
