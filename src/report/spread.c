#include "report/spread.h"

#include <math.h>

#define US_PER_MS 1e3
#define MS_PER_S 1e3
#define US_PER_S 1e6
/* The histogram's last bucket has no end: a value beyond is as good as this one. */
#define US_MOST 9e15

void spread_add(struct spread *spread, double ms)
{
	double distance, us = ms * US_PER_MS;

	if (isnan(ms))
		return;
	histogram_add(&spread->us, us < US_MOST ? (int64_t)(us + 0.5) : (int64_t)US_MOST);
	distance = ms - spread->mean_ms;
	spread->mean_ms += distance / (double)spread->us.count;
	spread->squares_ms += distance * (ms - spread->mean_ms);
	spread->sum_ms += ms;
	if (spread->us.count == 1 || ms < spread->least_ms)
		spread->least_ms = ms;
	if (spread->us.count == 1 || ms > spread->most_ms)
		spread->most_ms = ms;
}

double spread_mean(const struct spread *spread)
{
	return spread->us.count ? spread->sum_ms / (double)spread->us.count / MS_PER_S : NAN;
}

double spread_deviation(const struct spread *spread)
{
	if (spread->us.count < 2)
		return NAN;
	return sqrt(spread->squares_ms / (double)(spread->us.count - 1)) / MS_PER_S;
}

double spread_least(const struct spread *spread)
{
	return spread->us.count ? spread->least_ms / MS_PER_S : NAN;
}

double spread_most(const struct spread *spread)
{
	return spread->us.count ? spread->most_ms / MS_PER_S : NAN;
}

double spread_quantile(const struct spread *spread, double fraction)
{
	if (spread->us.count == 0)
		return NAN;
	return (double)histogram_quantile(&spread->us, fraction) / US_PER_S;
}
