#include "base/delay.h"

#include <event2/event.h>

enum { US_PER_S = 1000 * 1000 };

void delay_start(struct event *timer, int64_t wait_us)
{
	struct timeval wait;

	if (wait_us < 0)
		wait_us = 0;
	wait.tv_sec = (time_t)(wait_us / US_PER_S);
	wait.tv_usec = (suseconds_t)(wait_us % US_PER_S);
	evtimer_add(timer, &wait);
}
