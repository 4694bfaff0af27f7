/*
 * Asks the service for its stats and its list of requests once a second, and carries out what the
 * keyboard wants, without ever blocking (ask/enquiry.h). Owned by top, which polls its descriptors.
 * A service that is slow or gone is told as trouble and asked again; the last snapshot stays.
 */
#ifndef SO_TOP_FEED_H
#define SO_TOP_FEED_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "top/snapshot.h"

struct place;
struct feed;

enum { FEED_POLLS_MOST = 2 };

/* `place` and `key` (NULL: none) have to live as long. */
struct feed *feed_create(const struct place *place, const char *key);
void feed_destroy(struct feed *feed);
/* What to wait for; `ret_timeout_ms` is when to come back at the latest. */
size_t feed_polls(
	const struct feed *feed, struct pollfd polls[FEED_POLLS_MOST], int *ret_timeout_ms);
/* Goes on as far as that is possible. true: there is something new to show. */
bool feed_step(struct feed *feed);
const struct snapshot *feed_snapshot(const struct feed *feed);
/* Both halves of the snapshot were read at least once. */
bool feed_is_complete(const struct feed *feed);
/* In words, until it is over; NULL: none. Lives until the next call. */
const char *feed_trouble(struct feed *feed);
/* Does not wait for the second to be over. */
void feed_refresh(struct feed *feed);
/* false: another one is under way. */
bool feed_cancel(struct feed *feed, const char *id);
bool feed_pause(struct feed *feed, bool unload);
bool feed_resume(struct feed *feed);
/* What came of it, once: a new string, or NULL. */
char *feed_take_news(struct feed *feed);

#endif
