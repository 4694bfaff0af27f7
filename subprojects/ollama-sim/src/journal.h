/*
 * What was asked, for GET /sim/state: the last heads as received, how often each X-Request-Id came,
 * and totals. Bounded: the oldest is forgotten.
 */
#ifndef SIM_JOURNAL_H
#define SIM_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "head.h"

/* Heads that are kept. */
#define JOURNAL_HEADS 64
/* Request ids that are counted; slots of a hash table without chains, the newer of two ids in one
 * slot stays. */
#define JOURNAL_IDS 16384

struct journal_id {
	char *id;
	uint64_t count;
};

struct journal {
	struct bytes heads[JOURNAL_HEADS]; /* a ring */
	uint64_t requests;
	uint64_t clients_aborted;
	struct journal_id *ids;
};

void journal_init(struct journal *journal);
void journal_finish(struct journal *journal);
void journal_reset(struct journal *journal);
void journal_note(struct journal *journal, const struct request *request);
/* An array of objects {"target", "method", "lines": [...]}, oldest first. */
void journal_add_heads(struct journal *journal, struct bytes *json);
/* An object {"<id>": times, ...}. */
void journal_add_ids(struct journal *journal, struct bytes *json);
/* The members of a head as received: "method":…,"target":…,"lines":[…] without braces. */
void journal_add_head(struct bytes *json, const struct bytes *raw);

#endif
