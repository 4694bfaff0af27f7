/*
 * PAUSE (PRODUCT 3.8): whether an operator holds the queue, and which models are still to be
 * unloaded for it, each once. Part of the conductor, which carries it out. No I/O.
 */
#ifndef SO_PAUSE_H
#define SO_PAUSE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/residency.h"
#include "core/runner.h"

struct pause {
	bool is_on;
	bool wants_unload; /* asked for; what is loaded is not listed yet */
	bool is_unloading; /* one of ours is under way */
	char **models;	   /* what is left to unload, the last one being next */
	size_t count;
	char *model; /* the one that is being unloaded */
};

/* A zeroed struct is off. */
void pause_finish(struct pause *pause);
void pause_begin(struct pause *pause, bool unload);
/* Models that are left stay loaded. */
void pause_end(struct pause *pause);
/* Nothing may be sent: also while an unload of ours is under way after the end. */
bool pause_holds(const struct pause *pause);
/* Something is left to unload, or being unloaded. */
bool pause_is_unloading(const struct pause *pause);
/*
 * Nothing runs: what is to be unloaded next, as a runner that is valid until pause_unloaded(). The
 * first call takes from `residency` what is loaded. false: nothing.
 */
bool pause_next(struct pause *pause, const struct residency *residency, struct runner *ret_runner);
/* true: it was ours. */
bool pause_unloaded(struct pause *pause);

#endif
