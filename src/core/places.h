/*
 * Places that are kept for clients which were told to come back (PRODUCT 3.5): a client that obeys
 * goes on from its first arrival. A place is no entry of the ring, so whoever does not come back
 * holds up nobody; it is forgotten shortly after its client was to come. A fixed number; the one
 * that ends first makes room. Owned by relay; the scheduler's forecast reads.
 */
#ifndef SO_CORE_PLACES_H
#define SO_CORE_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/job.h"

enum { PLACES_MOST = 256 };

struct place {
	/* whose it is: address, key and body */
	uint64_t client;
	uint64_t key; /* of what it waits for, see places_key() */
	uint64_t body;
	/* where it is */
	uint64_t project;
	enum job_class job_class;
	double weight;
	int64_t first_us; /* monotonic: its first arrival */
	int64_t back_us;  /* its client was told to come then */
	int64_t until_us; /* and is waited for until then */
};

struct places {
	struct place all[PLACES_MOST];
	size_t count;	 /* of `all` in use, at the front */
	int64_t last_us; /* the latest first arrival */
};

/* A zeroed struct keeps none. The job is refused and to come back in `retry_after` seconds. */
void places_keep(struct places *places, const struct job *job, int retry_after, int64_t now_us);
/* Gives the job the place that is kept for it, if one is; else one behind all others, also of those
 * that came in the same moment: job->came_us differs between any two. After scheduler_enter(). */
void places_claim(struct places *places, struct job *job, int64_t now_us);
/* One is kept for its client and its body: it gets in though as many wait as may. Before
 * scheduler_enter(), so what it waits for is not compared: the body says it. */
bool places_are_kept_for(const struct places *places, const struct job *job, int64_t now_us);
/* Forgets those whose time is over. */
void places_sweep(struct places *places, int64_t now_us);
/* Until when the last of the places is kept that the job waits behind: same key, class and
 * project, earlier arrival; 0: there is none. */
int64_t places_before(const struct places *places, const struct job *job, int64_t now_us);
/* What a job waits for, as a number: its runner key, without one its model. */
uint64_t places_key(const struct job *job);
uint64_t places_project(const struct job *job);

#endif
