/*
 * A histogram with few, round bounds, as Prometheus wants it: each bucket counts what is at most
 * its bound. Times in microseconds. Part of struct stats; written by observe/exposition. (For
 * quantiles base/histogram is finer.)
 */
#ifndef SO_OBSERVE_LADDER_H
#define SO_OBSERVE_LADDER_H

#include <stdint.h>

enum { LADDER_STEPS = 16 };

/* The bounds of one kind of times, rising. */
struct ladder_bounds {
	int64_t us[LADDER_STEPS];
};

/* From 5 ms to 10 minutes: waits, loads, answers. */
extern const struct ladder_bounds ladder_waits;
/* From 1 ms to 5 s: between two tokens. */
extern const struct ladder_bounds ladder_gaps;

/* Zeroed: empty. */
struct ladder {
	uint64_t counts[LADDER_STEPS + 1]; /* the last: above all bounds */
	uint64_t count;
	double sum_us;
};

void ladder_merge(struct ladder *ladder, const struct ladder *other);
void ladder_add(struct ladder *ladder, const struct ladder_bounds *bounds, int64_t us);

#endif
