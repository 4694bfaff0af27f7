/*
 * Sets a libevent timer by microseconds. Called by whoever has a time limit: front, relay,
 * conductor, proxy.
 */
#ifndef SO_BASE_DELAY_H
#define SO_BASE_DELAY_H

#include <stdint.h>

struct event;

/* `timer` fires once after `wait_us`; a moment that is past already means at once. A pending timer
 * is moved. */
void delay_start(struct event *timer, int64_t wait_us);

#endif
