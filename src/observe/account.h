/*
 * What the ended jobs of one project or one model amount to (PRODUCT 6.2): counters, waits,
 * latencies, tokens, loads. Part of struct stats, which says to whom a job belongs.
 */
#ifndef SO_OBSERVE_ACCOUNT_H
#define SO_OBSERVE_ACCOUNT_H

#include <stdint.h>

#include "base/histogram.h"
#include "core/record.h"
#include "observe/ladder.h"

/* Tokens of one kind, of answers that told them. */
struct account_tokens {
	int64_t count;
	/* of these, where the time that they took was told too (`/v1` tells none) */
	int64_t timed;
	int64_t ns;
};

/* Zeroed: empty. */
struct account {
	uint64_t ended[COUNTER_COUNT];
	struct histogram wait_us;    /* of dispatched jobs */
	struct histogram latency_us; /* of jobs that ended in success */
	uint64_t warm;		     /* of these, as cold */
	uint64_t cold;
	int64_t slot_us;      /* slots held */
	uint64_t loads;	      /* that its jobs waited for, and our own for them */
	uint64_t timed_loads; /* of these, whose time is known */
	int64_t loads_us;
	uint64_t cut_prompts;
	uint64_t patience_doubted; /* less was announced than such a job takes */
	struct account_tokens prompt;
	struct account_tokens generated;
	int64_t upstream_wait_ns; /* inside Ollama, where the answers told it */
};

/* For Prometheus; of one model. */
struct account_ladders {
	struct ladder wait;		      /* of dispatched jobs */
	struct ladder first_token;	      /* of streamed successes: head to first byte */
	struct ladder gap;		      /* account_gap_us() */
	struct ladder load;		      /* as account.loads, where its time is known */
	struct ladder latency[COUNTER_COUNT]; /* of all jobs, by how they ended */
};

void account_add(struct account *account, const struct record *record);
/* What `other` amounts to counts here too. */
void account_merge(struct account *account, const struct account *other);
void account_ladders_merge(struct account_ladders *ladders, const struct account_ladders *other);
/* took_us -1: not known. */
void account_add_load(struct account *account, int64_t took_us);
void account_ladders_add(struct account_ladders *ladders, const struct record *record);
/*
 * The mean time between two tokens of one answer, so that nothing is to be done at each token:
 * Ollama's own measure where it told one, else (`/v1`) from the first byte of a stream to its end.
 * -1: unknown, or fewer than two tokens.
 */
int64_t account_gap_us(const struct record *record);
/* Of a load that the answer told; -1: it did not. */
int64_t account_load_us(const struct record *record);

#endif
