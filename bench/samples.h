/*
 * Numbers that were measured, all of them kept, so that quantiles are exact. Called by the modes of
 * the load generator. Whatever unit the owner says.
 */
#ifndef SO_BENCH_SAMPLES_H
#define SO_BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

struct samples {
	int64_t *values;
	size_t count;
	size_t capacity;
};

/* A zeroed struct is empty. */
void samples_add(struct samples *samples, int64_t value);
void samples_finish(struct samples *samples);
/* `"key":{"p50":…,"p90":…,"p99":…,"p999":…,"max":…}` in 1/`divisor` units; null where empty. Sorts.
 */
void samples_print(struct samples *samples, const char *key, double divisor);

#endif
