#include "base/moment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	US_PER_S = 1000 * 1000,
	S_PER_MINUTE = 60,
	S_PER_HOUR = 3600,
	S_PER_DAY = 86400,
	FIRST_YEAR = 1970,
	LAST_MONTH = 12,
	LAST_DAY = 31,
	LAST_HOUR = 23,
	LAST_MINUTE = 59,
	LAST_SECOND = 60, /* a leap second */
	DATE_BYTES = 10,  /* 2026-11-24 */
	FRACTION_DIGITS = 6,
	/* Of "7d": 30 years; more is a mistake. */
	AGO_DAYS_MOST = 11000,
};

struct reading {
	const char *at;
	const char *end;
};

/* Exactly `digits` of them, at most `most`; -1: not so. */
static int take_number(struct reading *reading, int digits, int most)
{
	int value = 0;

	if (reading->end - reading->at < digits)
		return -1;
	for (int i = 0; i < digits; i++) {
		char c = reading->at[i];

		if (c < '0' || c > '9')
			return -1;
		value = value * 10 + (c - '0');
	}
	reading->at += digits;
	return value <= most ? value : -1;
}

static bool take(struct reading *reading, char c)
{
	if (reading->at == reading->end || *reading->at != c)
		return false;
	reading->at++;
	return true;
}

/* Days since 1970-01-01 in the Gregorian calendar; years begin in March, so that the leap day is
 * the last of a year. */
static int64_t days_of(int year, int month, int day)
{
	enum { DAYS_PER_ERA = 146097, YEARS_PER_ERA = 400, DAYS_TO_1970 = 719468 };
	int shifted = month > 2 ? month - 3 : month + 9;
	int64_t y = month > 2 ? year : year - 1;
	int64_t era = y / YEARS_PER_ERA;
	int64_t year_of_era = y - era * YEARS_PER_ERA;
	int64_t day_of_year = (153 * shifted + 2) / 5 + day - 1;

	return era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - DAYS_TO_1970;
}

static bool take_date(struct reading *reading, int64_t *ret_seconds)
{
	int year = take_number(reading, 4, 9999);
	int month = take(reading, '-') ? take_number(reading, 2, LAST_MONTH) : -1;
	int day = take(reading, '-') ? take_number(reading, 2, LAST_DAY) : -1;

	if (year < FIRST_YEAR || month < 1 || day < 1)
		return false;
	*ret_seconds = days_of(year, month, day) * S_PER_DAY;
	return true;
}

static bool take_fraction(struct reading *reading, int64_t *ret_us)
{
	int64_t us = 0;
	int digits = 0;

	for (; reading->at < reading->end && *reading->at >= '0' && *reading->at <= '9';
		reading->at++) {
		if (digits < FRACTION_DIGITS) {
			us = us * 10 + (*reading->at - '0');
			digits++;
		}
	}
	if (digits == 0)
		return false;
	for (; digits < FRACTION_DIGITS; digits++)
		us *= 10;
	*ret_us = us;
	return true;
}

/* Z, +01:00, +0100, or nothing, which is UTC too. */
static bool take_zone(struct reading *reading, int64_t *ret_seconds)
{
	int sign = take(reading, '+') ? 1 : take(reading, '-') ? -1 : 0;
	int hours, minutes;

	*ret_seconds = 0;
	if (sign == 0) {
		take(reading, 'Z');
		return true;
	}
	hours = take_number(reading, 2, LAST_HOUR);
	take(reading, ':');
	minutes = take_number(reading, 2, LAST_MINUTE);
	if (hours < 0 || minutes < 0)
		return false;
	*ret_seconds = sign * ((int64_t)hours * S_PER_HOUR + (int64_t)minutes * S_PER_MINUTE);
	return true;
}

static bool take_time(struct reading *reading, int64_t *ret_seconds, int64_t *ret_us)
{
	int hour = take_number(reading, 2, LAST_HOUR);
	int minute = take(reading, ':') ? take_number(reading, 2, LAST_MINUTE) : -1;
	int second = 0;

	if (hour < 0 || minute < 0)
		return false;
	if (take(reading, ':')) {
		second = take_number(reading, 2, LAST_SECOND);
		if (second < 0)
			return false;
		if (take(reading, '.') && !take_fraction(reading, ret_us))
			return false;
	}
	*ret_seconds = (int64_t)hour * S_PER_HOUR + (int64_t)minute * S_PER_MINUTE + second;
	return true;
}

bool moment_read(const char *text, size_t length, int64_t *ret_us)
{
	struct reading reading = {.at = text, .end = text + length};
	int64_t date = 0, time_of_day = 0, zone = 0, us = 0;

	if (!take_date(&reading, &date))
		return false;
	if (length > DATE_BYTES) {
		if (!take(&reading, 'T') && !take(&reading, ' '))
			return false;
		if (!take_time(&reading, &time_of_day, &us) || !take_zone(&reading, &zone))
			return false;
	}
	if (reading.at != reading.end || date + time_of_day < zone)
		return false;
	*ret_us = (date + time_of_day - zone) * US_PER_S + us;
	return true;
}

bool moment_read_argument(const char *text, int64_t now_us, int64_t *ret_us)
{
	static const struct {
		const char *unit;
		int64_t seconds;
	} units[] = {{"s", 1}, {"m", S_PER_MINUTE}, {"h", S_PER_HOUR}, {"d", S_PER_DAY}};
	char *end;
	double value;

	if (moment_read(text, strlen(text), ret_us))
		return true;
	if (*text < '0' || *text > '9')
		return false;
	value = strtod(text, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		double seconds = value * (double)units[i].seconds;

		if (strcmp(end, units[i].unit) != 0)
			continue;
		if (!(seconds <= (double)AGO_DAYS_MOST * S_PER_DAY))
			return false;
		*ret_us = now_us - (int64_t)(seconds * US_PER_S);
		return true;
	}
	return false;
}

void moment_write(int64_t us, char ret_text[MOMENT_BYTES])
{
	time_t seconds = (time_t)(us / US_PER_S);
	struct tm parts = {0};

	gmtime_r(&seconds, &parts);
	if (strftime(ret_text, MOMENT_BYTES, "%Y-%m-%d %H:%M:%S", &parts) == 0)
		ret_text[0] = '\0';
}
