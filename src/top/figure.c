#include "top/figure.h"

#include <math.h>
#include <stdio.h>

#include "base/compiler.h"

enum { MS_PER_S = 1000, S_PER_MIN = 60, S_PER_H = 3600, S_PER_DAY = 24 * 3600, H_PER_DAY = 24 };

/* Of a number that is not known, and what it has otherwise. */
#define UNKNOWN_OR(value, ...)                                         \
	do {                                                           \
		if (isnan(value))                                      \
			snprintf(ret_text, FIGURE_BYTES, "-");         \
		else                                                   \
			snprintf(ret_text, FIGURE_BYTES, __VA_ARGS__); \
	} while (0)

const char *figure_time(double ms, char ret_text[FIGURE_BYTES])
{
	/* From here on seconds are enough. */
	static const double minute_ms = 60e3;
	/* 30,000 years: no time, and no long long after some more. */
	static const double most_ms = 1e15;
	long long s;

	if (!(fabs(ms) < most_ms))
		ms = NAN;
	s = isnan(ms) ? 0 : (long long)(ms / MS_PER_S);

	if (isnan(ms) || ms < MS_PER_S)
		UNKNOWN_OR(ms, "%.0f ms", ms);
	else if (ms < minute_ms)
		snprintf(ret_text, FIGURE_BYTES, "%.1f s", ms / MS_PER_S);
	else if (s < S_PER_H)
		snprintf(ret_text, FIGURE_BYTES, "%lld:%02lld", s / S_PER_MIN, s % S_PER_MIN);
	else if (s < S_PER_DAY)
		snprintf(ret_text, FIGURE_BYTES, "%lld:%02lld:%02lld", s / S_PER_H,
			s % S_PER_H / S_PER_MIN, s % S_PER_MIN);
	else
		snprintf(ret_text, FIGURE_BYTES, "%lld d %lld h", s / S_PER_DAY,
			s / S_PER_H % H_PER_DAY);
	return ret_text;
}

const char *figure_count(double count, char ret_text[FIGURE_BYTES])
{
	UNKNOWN_OR(count, "%.0f", count);
	return ret_text;
}

const char *figure_rate(double rate, char ret_text[FIGURE_BYTES])
{
	UNKNOWN_OR(rate, "%.1f", rate);
	return ret_text;
}

const char *figure_share(double share, char ret_text[FIGURE_BYTES])
{
	static const double percent = 100;

	UNKNOWN_OR(share, "%.0f %%", share * percent);
	return ret_text;
}

const char *figure_bytes(double bytes, char ret_text[FIGURE_BYTES])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	static const double step = 1024;
	size_t unit = 0;

	while (bytes >= step && unit + 1 < ARRAY_LENGTH(units)) {
		bytes /= step;
		unit++;
	}
	UNKNOWN_OR(bytes, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
	return ret_text;
}
