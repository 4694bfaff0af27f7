#include "watchdog.h"

#include <stdlib.h>

#include <event2/event.h>

#include "base/memory.h"
#include "io/systemd.h"

enum { US_PER_S = 1000 * 1000, PINGS_PER_INTERVAL = 2 };

struct watchdog {
	struct event *timer;
};

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	systemd_notify(SYSTEMD_WATCHDOG);
}

struct watchdog *watchdog_create(struct event_base *base)
{
	int64_t between_us = systemd_watchdog_us() / PINGS_PER_INTERVAL;
	struct timeval between = {
		.tv_sec = between_us / US_PER_S, .tv_usec = between_us % US_PER_S};
	struct watchdog *watchdog;

	if (between_us <= 0)
		return NULL;
	watchdog = mem_zalloc(sizeof(*watchdog));
	watchdog->timer = event_new(base, -1, EV_PERSIST, on_timer, watchdog);
	event_add(watchdog->timer, &between);
	return watchdog;
}

void watchdog_destroy(struct watchdog *watchdog)
{
	if (!watchdog)
		return;
	event_free(watchdog->timer);
	free(watchdog);
}
