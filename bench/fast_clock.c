/*
 * Preloaded by what_if.py into the proxy and the simulated Ollama: their time passes FAST_CLOCK
 * times as fast, so that days are played in minutes and every limit and constant of the real
 * program keeps its meaning. Time spent on the CPU stays what it is. What libevent 2.1 and both
 * programs ask the system for is covered: the clocks, epoll's and poll's time-outs, timerfd.
 *
 *   FAST_CLOCK        how many times as fast
 *   FAST_CLOCK_SINCE  CLOCK_MONOTONIC when that began, ns: the same in all processes
 *   FAST_CLOCK_WALL   what the wall clock showed then, ns since 1970
 */
#include <dlfcn.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
	NS_PER_S = 1000000000,
	NS_PER_MS = 1000000,
	NS_PER_US = 1000,
	DECIMAL = 10,
};

static struct {
	double speed; /* 0: as ever */
	int64_t since_ns;
	int64_t wall_ns;
	int (*clock_gettime)(clockid_t, struct timespec *);
	int (*poll)(struct pollfd *, nfds_t, int);
	int (*timerfd_settime)(int, int, const struct itimerspec *, struct itimerspec *);
} state;

static int64_t number_of(const char *name)
{
	const char *text = getenv(name);

	return text ? strtoll(text, NULL, DECIMAL) : 0;
}

__attribute__((constructor)) static void begin(void)
{
	const char *speed = getenv("FAST_CLOCK");

	*(void **)&state.clock_gettime = dlsym(RTLD_NEXT, "clock_gettime");
	*(void **)&state.poll = dlsym(RTLD_NEXT, "poll");
	*(void **)&state.timerfd_settime = dlsym(RTLD_NEXT, "timerfd_settime");
	state.since_ns = number_of("FAST_CLOCK_SINCE");
	state.wall_ns = number_of("FAST_CLOCK_WALL");
	state.speed = speed ? strtod(speed, NULL) : 0;
}

static int64_t ns_of(const struct timespec *time)
{
	return (int64_t)time->tv_sec * NS_PER_S + time->tv_nsec;
}

static struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){.tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S};
}

/* A library's constructor may ask for the time before ours was run. */
static int real_clock(clockid_t which, struct timespec *ret_time)
{
	return state.clock_gettime ? state.clock_gettime(which, ret_time)
				   : (int)syscall(SYS_clock_gettime, which, ret_time);
}

/* Never 0, which would mean "not at all". */
static struct timespec real_span(int64_t fast_ns)
{
	int64_t ns = state.speed > 0 ? (int64_t)((double)fast_ns / state.speed) : fast_ns;

	return timespec_of(ns > 0 ? ns : 1);
}

int clock_gettime(clockid_t which, struct timespec *ret_time)
{
	struct timespec now;

	switch (which) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
		break;
	default:
		return real_clock(which, ret_time);
	}
	if (state.speed <= 0)
		return real_clock(which, ret_time);
	/* a coarse clock's 4 ms would be a tenth of a second */
	if (real_clock(CLOCK_MONOTONIC, &now) != 0)
		return -1;
	int64_t passed_ns = (int64_t)((double)(ns_of(&now) - state.since_ns) * state.speed);
	int is_wall = which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE;
	*ret_time = timespec_of((is_wall ? state.wall_ns : state.since_ns) + passed_ns);
	return 0;
}

int gettimeofday(struct timeval *ret_time, void *zone)
{
	struct timespec now;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return -1;
	*ret_time = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / NS_PER_US};
	return 0;
}

time_t time(time_t *ret_time)
{
	struct timespec now;

	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		return -1;
	if (ret_time)
		*ret_time = now.tv_sec;
	return now.tv_sec;
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout_ms)
{
	struct timespec span = {0};

	if (timeout_ms > 0)
		span = real_span((int64_t)timeout_ms * NS_PER_MS);
	return epoll_pwait2(epoll, events, most, timeout_ms < 0 ? NULL : &span, NULL);
}

int poll(struct pollfd *targets, nfds_t count, int timeout_ms)
{
	struct timespec span;

	if (state.speed <= 0 || timeout_ms <= 0)
		return state.poll(targets, count, timeout_ms);
	span = real_span((int64_t)timeout_ms * NS_PER_MS);
	return ppoll(targets, count, &span, NULL);
}

int timerfd_settime(
	int timer, int flags, const struct itimerspec *when, struct itimerspec *ret_before)
{
	struct itimerspec real = *when;

	/* libevent's are relative; none of the programs asks for what was set before */
	if (state.speed > 0 && !(flags & TFD_TIMER_ABSTIME) && ns_of(&when->it_value) > 0) {
		real.it_value = real_span(ns_of(&when->it_value));
		if (ns_of(&when->it_interval) > 0)
			real.it_interval = real_span(ns_of(&when->it_interval));
	}
	return state.timerfd_settime(timer, flags, &real, ret_before);
}
