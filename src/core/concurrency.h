/*
 * How many jobs a runner is sent at once (PRODUCT 3.7, `concurrency = adaptive`): finds what Ollama
 * serves at once (OLLAMA_NUM_PARALLEL), for more would only hide the queue inside Ollama. Final
 * lines of /api tell the time inside Ollama; without them the order and times of the ends at
 * several levels tell. Told by the scheduler what is sent and ends; no clock, plain data.
 */
#ifndef SO_CORE_CONCURRENCY_H
#define SO_CORE_CONCURRENCY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/gauge.h"

enum { CONCURRENCY_REASON_BYTES = 160 };

struct concurrency {
	struct gauge gauge;
	int limit; /* 0: nothing was asked or told yet */
	int most;  /* the ceiling */
	int least_seen;
	int most_seen;
	bool is_settled;
	/* The search: so many are served at once at least, and at most (over `most`: unknown). */
	int low;
	int high;
	int calm;		      /* what the limit was before */
	int claim;		      /* what the ends make likely, to be proved at that level; 0 */
	double claimed_rate;	      /* what it should do there */
	bool distrusts_ends;	      /* a claim was wrong: only rates count */
	double rates[GAUGE_MOST + 1]; /* measured at the levels; 0: not yet */
	double errors[GAUGE_MOST + 1]; /* relative, of these */
	uint64_t samples;	       /* since it is settled */
	char reason[CONCURRENCY_REASON_BYTES];
};

/* All zero is a new one. The limit now, 1 to `most`; the first time `start`. `most` over GAUGE_MOST
 * counts as that. */
int concurrency_limit(struct concurrency *concurrency, int64_t start, int64_t most);
/* `who` is the same at sending and end, and no other's in between. */
void concurrency_sent(struct concurrency *concurrency, const void *who, int64_t now_us);
void concurrency_ended(
	struct concurrency *concurrency, const void *who, const struct gauge_end *end);
/* Ollama was restarted, or the runner went by itself: what was found may be wrong. */
void concurrency_forget(struct concurrency *concurrency);
/* Why it is so, in words. */
const char *concurrency_reason(const struct concurrency *concurrency);

#endif
