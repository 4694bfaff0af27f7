/*
 * GET /api/v1/events (PRODUCT 1.3): what /api/v1/queue/stats and /api/v1/queue/requests would
 * answer, as server-sent events (`event: stats`, `event: requests`), for the live page. Made by
 * proxy.c, which says when something changed. Written once for all subscribers: at most one pair in
 * EVENTS_PAUSE_US, one in EVENTS_BUSY_US while jobs live (their ages move), and a comment after
 * EVENTS_QUIET_US of silence.
 *
 * At most EVENTS_MOST subscribers (503 for more). One whose last events are not taken yet misses
 * the next ones, so a slow reader costs one pair of events.
 */
#ifndef SO_ADMIN_EVENTS_H
#define SO_ADMIN_EVENTS_H

#include <stddef.h>

struct admin_view;
struct client;
struct event_base;
struct events;

enum {
	/* Four a second: faster than one reads. */
	EVENTS_PAUSE_US = 250 * 1000,
	EVENTS_BUSY_US = 1000 * 1000,
	/* Below the 30 s and 60 s after which proxies in between give up a silent stream. */
	EVENTS_QUIET_US = 15 * 1000 * 1000,
	/* A page each; more are not people. */
	EVENTS_MOST = 32,
};

/* `view` is asked for each pair. */
struct events *events_create(
	struct event_base *base, struct admin_view (*view)(void *arg), void *arg);
/* Subscribers are cut. NULL is fine. */
void events_destroy(struct events *events);
/* Takes the request of `client` and answers it: the first pair at once. */
void events_answer(struct events *events, struct client *client);
/* Something that the stats or the list show changed. Cheap. */
void events_changed(struct events *events);
/* The last pair, then every stream ends; new ones are refused. */
void events_drain(struct events *events);
size_t events_count(const struct events *events);

#endif
