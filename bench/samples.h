/*
 * Numbers that were measured, counted in a histogram whose buckets are at most 0.8 % wide: memory
 * does not grow with what is measured. Called by the modes of the load generator. Whatever unit the
 * owner says; negative values count as 0.
 */
#ifndef SO_BENCH_SAMPLES_H
#define SO_BENCH_SAMPLES_H

#include <stdint.h>

struct samples {
	uint64_t count;
	double sum;
	int64_t max;
	uint64_t *buckets; /* NULL while empty */
};

/* A zeroed struct is empty. */
void samples_add(struct samples *samples, int64_t value);
void samples_finish(struct samples *samples);
/* The middle of the bucket of the value below which `fraction` of all lie; 1.0 gives the highest,
 * exactly. 0 when empty. */
int64_t samples_quantile(const struct samples *samples, double fraction);
/* `"key":{"count":…,"mean":…,"p10":…,…,"max":…}` in 1/`divisor` units; null where empty. */
void samples_print(const struct samples *samples, const char *key, double divisor);

#endif
