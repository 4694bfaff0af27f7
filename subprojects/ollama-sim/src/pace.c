#include "pace.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define STAMP_SECONDS_LENGTH 19 /* 2026-11-23T22:26:39 */
#define NANO_DIGITS 9
#define NS_PER_US 1000
#define US_PER_S 1000000

static double scale = 1;

void pace_set_scale(double factor)
{
	scale = factor;
}

int64_t pace_scaled(double simulated_ns)
{
	double real_ns = simulated_ns / scale;

	return simulated_ns >= (double)PACE_FOREVER || real_ns >= (double)PACE_FOREVER
		       ? PACE_FOREVER
		       : (int64_t)real_ns;
}

static int64_t read_clock(clockid_t clock_id)
{
	struct timespec now;

	clock_gettime(clock_id, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t pace_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t pace_wall(void)
{
	return read_clock(CLOCK_REALTIME);
}

struct timeval pace_timeval(int64_t real_ns)
{
	/* Rounded up, so that a timer never fires before what it waits for. */
	int64_t us = real_ns <= 0 ? 0 : (real_ns - 1) / NS_PER_US + 1;

	return (struct timeval){.tv_sec = us / US_PER_S, .tv_usec = us % US_PER_S};
}

static void format_seconds(int64_t seconds, char *text)
{
	/* Streams stamp each line: the text of a second is made once. */
	static int64_t cached = -1;
	static char cached_text[64];

	if (seconds != cached) {
		time_t when = (time_t)seconds;
		struct tm broken_down;

		gmtime_r(&when, &broken_down);
		strftime(cached_text, sizeof(cached_text), "%Y-%m-%dT%H:%M:%S", &broken_down);
		cached = seconds;
	}
	memcpy(text, cached_text, STAMP_SECONDS_LENGTH);
}

static void add_stamp(struct bytes *bytes, int64_t seconds, uint32_t nanos)
{
	char *text = bytes_reserve(bytes, STAMP_SECONDS_LENGTH + NANO_DIGITS + 2);
	size_t length = STAMP_SECONDS_LENGTH;

	format_seconds(seconds, text);
	if (nanos != 0) {
		text[length] = '.';
		for (size_t i = NANO_DIGITS; i > 0; i--, nanos /= 10)
			text[length + i] = (char)('0' + nanos % 10);
		length += NANO_DIGITS + 1;
		while (text[length - 1] == '0')
			length--;
	}
	text[length++] = 'Z';
	bytes->end += length;
}

void pace_add_stamp(struct bytes *bytes, int64_t wall_ns)
{
	add_stamp(bytes, wall_ns / NS_PER_S, (uint32_t)(wall_ns % NS_PER_S));
}

void pace_add_stamp_after(struct bytes *bytes, int64_t wall_ns, int64_t after_ns)
{
	/* In two parts: nanoseconds since 1970 in 64 bits end in 2262. */
	int64_t nanos = wall_ns % NS_PER_S + after_ns % NS_PER_S;
	int64_t seconds = wall_ns / NS_PER_S + after_ns / NS_PER_S + nanos / NS_PER_S;

	add_stamp(bytes, seconds, (uint32_t)(nanos % NS_PER_S));
}

const char *pace_http_date(void)
{
	static time_t cached = -1;
	static char text[64];
	time_t now = (time_t)(pace_wall() / NS_PER_S);

	if (now != cached) {
		struct tm broken_down;

		gmtime_r(&now, &broken_down);
		strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &broken_down);
		cached = now;
	}
	return text;
}

uint32_t pace_random(uint32_t below)
{
	/* xorshift32, Marsaglia 2003 */
	static uint32_t state = 2463534242U;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return below == 0 ? 0 : state % below;
}
