/*
 * systemd's side: listening sockets that it passes (sd_listen_fds(3)) and what it is told about our
 * state (sd_notify(3)). Called by listeners.c and proxy.c. Built without libsystemd, or started by
 * something else, there are no sockets and the notes go nowhere.
 */
#ifndef SO_IO_SYSTEMD_H
#define SO_IO_SYSTEMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"

struct systemd_socket {
	int fd;	     /* close-on-exec; the caller owns it */
	bool is_tls; /* its unit says FileDescriptorName=https */
};

/* X(symbol, as sd_notify wants it) */
#define SYSTEMD_NOTES(X)            \
	X(READY, "READY=1")         \
	X(RELOADING, "RELOADING=1") \
	X(STOPPING, "STOPPING=1")   \
	X(WATCHDOG, "WATCHDOG=1")

enum systemd_note {
#define X(symbol, text) SYSTEMD_##symbol,
	SYSTEMD_NOTES(X)
#undef X
};

/*
 * The passed sockets as a new array, which the caller frees, NULL for none; once, since the
 * environment that tells of them is cleared for children. false: one is no listening stream socket;
 * `ret_error`, a new string, says so.
 */
MUST_CHECK bool systemd_sockets(
	struct systemd_socket **ret_sockets, size_t *ret_count, char **ret_error);
void systemd_notify(enum systemd_note note);
/* Told by the process that systemd knows: this one is the service from now on. */
void systemd_notify_successor(pid_t pid);
/* Within this time systemd wants to hear SYSTEMD_WATCHDOG, again and again (WATCHDOG_USEC); 0: it
 * does not. */
int64_t systemd_watchdog_us(void);

#endif
