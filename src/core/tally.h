/*
 * The counters that always add up (STYLE I7): for jobs received = reading + queued + in_progress +
 * flushing + completed + failed + rejected + timeout + cancelled; passes have a line of their own.
 * Written only by job_set_state() and relay/pass.
 */
#ifndef SO_CORE_TALLY_H
#define SO_CORE_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/outcome.h"

struct tally {
	uint64_t received;
	uint64_t reading;
	uint64_t queued;
	uint64_t in_progress; /* slots held */
	uint64_t flushing;
	uint64_t ended[COUNTER_COUNT];
};

struct pass_tally {
	uint64_t received;
	uint64_t in_progress;
	uint64_t ended[COUNTER_COUNT];
};

bool tally_adds_up(const struct tally *tally);
bool pass_tally_adds_up(const struct pass_tally *tally);

#endif
