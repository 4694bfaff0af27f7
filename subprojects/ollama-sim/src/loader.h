/*
 * Ollama's scheduler (server/sched.go): which runners are loaded. A request for a resident runner
 * that fits is granted at once; any other becomes a pending load, and these go strictly in order,
 * one load at a time. The pending one in work marks a runner for eviction and waits until some
 * runner is unloaded. What follows from that, wanted or not, is kept: requests for resident runners
 * overtake; one with a keep_alive of its own takes the mark back, and the pending load then waits
 * as long as that lasts (issue 17408; the setting evict_revival = false cures it); a pending
 * request whose client has left keeps its place until it comes up.
 */
#ifndef SIM_LOADER_H
#define SIM_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "mem.h"

struct job;
struct model;
struct runner;
struct sim;

TAILQ_HEAD(job_list, job);
TAILQ_HEAD(runner_list, runner);

struct loader {
	struct sim *sim;
	struct runner_list runners; /* loading, ready, being unloaded */
	struct job_list pending;
	size_t pending_count;
	struct job *current; /* the pending request in work */
	bool waits_for_unload;
	bool is_turning;
	uint64_t refused; /* 503 */
};

void loader_init(struct loader *loader, struct sim *sim);
/* Ends all runners; the jobs are gone already. */
void loader_finish(struct loader *loader);
void loader_submit(struct loader *loader, struct job *job);
/* An empty request with keep_alive 0. A model that is being loaded is not touched: it gets lost, as
 * in Ollama. */
void loader_unload(struct loader *loader, struct model *model);
/* The client of a job in JOB_PENDING or JOB_JOINING has left. */
void loader_abandon(struct loader *loader, struct job *job);
/* For runner.c: a load is over (or failed, or was aborted), a runner was unloaded. */
void loader_load_ended(struct loader *loader, struct runner *runner, bool is_good);
void loader_unloaded(struct loader *loader, struct runner *runner);
/* The runner of this model that is loading or ready, or NULL. */
struct runner *loader_find(const struct loader *loader, const struct model *model);
/* Unloads what is idle and forgets evictions (POST /sim/reset). */
void loader_reset(struct loader *loader);

#endif
