/*
 * Finds what a forecast has been told already by the hash of what it is: lanes, projects and caps
 * are looked for once for each job. Two that share all 64 bits are taken for one: a forecast is a
 * guess. Part of core/forecast.
 */
#ifndef SO_CORE_FORECAST_INDEX_H
#define SO_CORE_FORECAST_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct forecast_index_place {
	uint64_t hash;
	size_t number; /* plus 1; 0: the place is free */
};

/* A zeroed struct is empty. */
struct forecast_index {
	struct forecast_index_place *places;
	size_t room; /* a power of 2 */
	size_t count;
};

void forecast_index_finish(struct forecast_index *index);
void forecast_index_clear(struct forecast_index *index);
/* The number that this hash has; `number`, which it has from now on, if it had none. */
size_t forecast_index_get(struct forecast_index *index, uint64_t hash, size_t number);
/* The hash of one more thing after others. */
uint64_t forecast_index_mix(uint64_t hash, uint64_t value);

#endif
