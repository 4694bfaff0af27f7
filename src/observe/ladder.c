#include "observe/ladder.h"

#include <stddef.h>

#define MS INT64_C(1000)
#define S (1000 * MS)

/* 1 s, 3 s (2.5, 5) and 10 s are PRODUCT's targets; 20 s and 60 s Docling's patience. */
const struct ladder_bounds ladder_waits = {{5 * MS, 25 * MS, 100 * MS, 250 * MS, 500 * MS, 1 * S,
	2500 * MS, 5 * S, 10 * S, 15 * S, 20 * S, 30 * S, 60 * S, 120 * S, 300 * S, 600 * S}};

const struct ladder_bounds ladder_gaps = {{1 * MS, 2 * MS, 5 * MS, 10 * MS, 15 * MS, 20 * MS,
	30 * MS, 40 * MS, 50 * MS, 75 * MS, 100 * MS, 200 * MS, 500 * MS, 1 * S, 2 * S, 5 * S}};

void ladder_add(struct ladder *ladder, const struct ladder_bounds *bounds, int64_t us)
{
	size_t step = 0;

	if (us < 0)
		us = 0;
	while (step < LADDER_STEPS && us > bounds->us[step])
		step++;
	ladder->counts[step]++;
	ladder->count++;
	ladder->sum_us += (double)us;
}

void ladder_merge(struct ladder *ladder, const struct ladder *other)
{
	for (int i = 0; i <= LADDER_STEPS; i++)
		ladder->counts[i] += other->counts[i];
	ladder->count += other->count;
	ladder->sum_us += other->sum_us;
}
