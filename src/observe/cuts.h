/*
 * Counts of prompts that Ollama cut to fit its context (PRODUCT 4.2), by project and by model, for
 * GET /api/v1/queue/stats. Part of struct stats. Names come from clients, so only so many are kept;
 * what comes beyond is in the sum alone.
 */
#ifndef SO_OBSERVE_CUTS_H
#define SO_OBSERVE_CUTS_H

#include <stddef.h>
#include <stdint.h>

#include "core/record.h"

enum { CUTS_NAMES = 64, CUTS_NAME_BYTES = 256 };

struct cuts_of {
	char name[CUTS_NAME_BYTES]; /* cut where it is longer */
	uint64_t count;
};

struct cuts_by {
	struct cuts_of items[CUTS_NAMES]; /* in the order in which they came first */
	size_t count;
};

/* Zeroed: empty. */
struct cuts {
	uint64_t count;
	struct cuts_by projects;
	struct cuts_by models; /* by their canonical names */
};

/* Counts it if its prompt was cut for sure. */
void cuts_add(struct cuts *cuts, const struct record *record);

#endif
