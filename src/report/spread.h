/*
 * How durations are spread: count, mean, standard deviation, extremes exactly; quantiles within 5 %
 * (base/histogram). Constant memory. Called by report/usage and report/analysis; milliseconds in,
 * seconds out.
 */
#ifndef SO_REPORT_SPREAD_H
#define SO_REPORT_SPREAD_H

#include "base/histogram.h"

struct spread {
	struct histogram us;
	double sum_ms;
	double mean_ms;
	double squares_ms; /* of the distances to the mean (Welford) */
	double least_ms;
	double most_ms;
};

/* A zeroed one is empty. NAN is not added. */
void spread_add(struct spread *spread, double ms);

/* All in seconds, NAN where there are too few values. */
double spread_mean(const struct spread *spread);
double spread_deviation(const struct spread *spread); /* of a sample: n - 1 */
double spread_least(const struct spread *spread);
double spread_most(const struct spread *spread);
double spread_quantile(const struct spread *spread, double fraction);

#endif
