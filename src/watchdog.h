/*
 * Tells systemd's watchdog (WatchdogSec of the unit) that the loop still turns, twice in each of
 * its intervals: a loop that hangs tells nothing and is started anew. Made by proxy.c. Without a
 * watchdog it does nothing.
 */
#ifndef SO_WATCHDOG_H
#define SO_WATCHDOG_H

struct event_base;
struct watchdog;

/* NULL: nobody watches. */
struct watchdog *watchdog_create(struct event_base *base);
/* NULL is fine. */
void watchdog_destroy(struct watchdog *watchdog);

#endif
