#include "base/ticker.h"

#include <stdbool.h>
#include <time.h>

enum { US_PER_S = 1000000, US_PER_MS = 1000, NS_PER_US = 1000 };

/* One of the two mutable globals of the program (STYLE B1.3): time is the same for everybody. */
static struct {
	bool is_read;
	bool is_fixed; /* by a test: the clock is not asked any more */
	int64_t now_us;
	int64_t wall_us;
} ticker;

static int64_t read_clock(clockid_t which)
{
	struct timespec time = {0};

	/* Cannot fail: both clocks always exist on Linux. */
	clock_gettime(which, &time);
	return (int64_t)time.tv_sec * US_PER_S + time.tv_nsec / NS_PER_US;
}

static int64_t never_zero(int64_t now_us)
{
	return now_us ? now_us : 1;
}

static void read_once(void)
{
	if (ticker.is_read)
		return;
	ticker.now_us = never_zero(read_clock(CLOCK_MONOTONIC));
	ticker.wall_us = read_clock(CLOCK_REALTIME);
	ticker.is_read = true;
}

void ticker_new_turn(void)
{
	ticker.is_read = ticker.is_fixed;
}

int64_t ticker_now_us(void)
{
	read_once();
	return ticker.now_us;
}

int64_t ticker_now_ms(void)
{
	return ticker_now_us() / US_PER_MS;
}

int64_t ticker_wall_us(void)
{
	read_once();
	return ticker.wall_us;
}

void ticker_set_for_test(int64_t now_us, int64_t wall_us)
{
	ticker.now_us = never_zero(now_us);
	ticker.wall_us = wall_us;
	ticker.is_fixed = true;
	ticker.is_read = true;
}
