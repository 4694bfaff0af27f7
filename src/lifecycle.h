/*
 * Signals, and how the program ends (PRODUCT 7). SIGTERM or SIGINT: drain, what runs and waits is
 * served, new requests are refused on an open listener, within drain_timeout; a second one stops at
 * once. SIGHUP, SIGUSR1, SIGUSR2: a reload, the log opened again, an upgrade; many of one kind in a
 * turn are one. Made by proxy.c, which asks it in the turn's tail.
 */
#ifndef SO_LIFECYCLE_H
#define SO_LIFECYCLE_H

#include <stdbool.h>
#include <stdint.h>

struct clients;
struct event_base;
struct events;
struct lifecycle;
struct pass_tally;
struct passes;
struct relay;
struct tally;

/* proxy.c owns it all, it outlives the lifecycle. */
struct lifecycle_parts {
	struct event_base *base;
	struct clients *clients;
	struct passes *passes;
	struct relay *relay;
	struct events *events;
	const struct tally *tally;
	const struct pass_tally *pass_tally;
	/* Called by lifecycle_turn(), once however many signals came. */
	void (*on_reload)(void *arg);
	void (*on_reopen)(void *arg);
	void (*on_upgrade)(void *arg);
	void *arg;
};

struct lifecycle *lifecycle_create(const struct lifecycle_parts *parts);
/* NULL is fine. */
void lifecycle_destroy(struct lifecycle *lifecycle);
/* In the turn's tail: what the signals of this turn ask for. `drain_timeout_ms` 0: no limit. */
void lifecycle_turn(struct lifecycle *lifecycle, int64_t drain_timeout_ms);
/* New requests are refused. */
bool lifecycle_is_draining(const struct lifecycle *lifecycle);
/* Nothing holds the process any longer. */
bool lifecycle_has_ended(const struct lifecycle *lifecycle);

/*
 * A new process has taken over the listening sockets and accepts: what came here is still served,
 * however long it takes, each connection up to its next answer. Idle ones are closed after a moment
 * in which a request that is on its way arrives.
 */
void lifecycle_leave(struct lifecycle *lifecycle);
/* After that: no new request can come any more. */
bool lifecycle_is_closed(const struct lifecycle *lifecycle);

#endif
