/*
 * Which job next, and may it go now? (PRODUCT 3.3.) Asked once in each turn's tail by proxy.c until
 * it answers "nothing". No clock, no sockets: time, gates and residency are handed in. Today's rule
 * is FIFO with a fixed number of slots.
 */
#ifndef SO_CORE_SCHEDULER_H
#define SO_CORE_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

struct job;
struct residency;
struct ring;
struct scheduler;
struct settings;

struct scheduler_view {
	int64_t now_us;
	bool upstream_usable; /* it answers, and no probe is owed (PRODUCT 3.10) */
	bool paused;
	const struct residency *residency;
	const struct ring *ring;
	const struct settings *settings;
	uint64_t in_progress; /* slots held */
};

enum scheduler_verdict {
	SCHEDULER_NOTHING,  /* ask again at the next event, or at look_again_us */
	SCHEDULER_DISPATCH, /* send `job` now */
};

struct scheduler_answer {
	enum scheduler_verdict verdict;
	struct job *job;
	int64_t look_again_us; /* 0: only events matter */
};

struct scheduler *scheduler_create(void);
void scheduler_destroy(struct scheduler *scheduler);
struct scheduler_answer scheduler_next(
	struct scheduler *scheduler, const struct scheduler_view *view);
/* A job that Ollama had begun to answer holds its slot no longer; `held_us` since its dispatch.
 * Refused and broken sendings say nothing of how long a job takes and are not told. */
void scheduler_slot_freed(struct scheduler *scheduler, const struct job *job, int64_t held_us);
/* How many jobs more may hold a slot now, when the gates are open. */
uint64_t scheduler_free_slots(
	const struct scheduler *scheduler, const struct settings *settings, uint64_t in_progress);
/* Mean time that a job holds its slot, 0: none has ended yet (for Retry-After). */
int64_t scheduler_service_us(const struct scheduler *scheduler);

#endif
