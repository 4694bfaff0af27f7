/*
 * One loaded model: its load and unload, how many requests refer to it, when it expires, and its
 * slots with the inner queue before them. Tokens of all its slots come in common steps; a step
 * takes (1 + alpha (b - 1)) / tokens_per_s with b busy slots. loader.c decides about its life.
 */
#ifndef SIM_RUNNER_H
#define SIM_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event_struct.h>

#include "ask.h"
#include "bytes.h"
#include "loader.h"

enum runner_state { RUNNER_LOADING, RUNNER_READY, RUNNER_UNLOADING };

struct runner {
	TAILQ_ENTRY(runner) link;
	struct sim *sim;
	struct model *model; /* the name it was first loaded under */
	struct runner_key key;
	enum runner_state state;
	size_t references;
	size_t parallel;
	size_t busy_slots;
	size_t waiting_count;
	int64_t keep_alive;   /* real ns; 0: unload when idle */
	int64_t expires_wall; /* 0: in its first use since the load, Ollama then reports now +
				 keep_alive */
	int64_t expires_keep; /* the keep_alive that expires_wall stands for */
	bool is_evicted;      /* a pending load wants its memory */
	bool is_dead;  /* its process was killed: still listed, the next request reloads it */
	bool is_dying; /* … and will be, with the next step */
	bool fails_load;
	bool is_filling;
	struct job_list joining; /* wait for the load */
	struct job_list waiting; /* the inner queue */
	struct job_list active;	 /* have a slot */
	struct event life;	 /* end of the load, expiry, end of the unload */
	struct event step;
	int64_t next_step;
	bool is_stepping;
};

struct runner *runner_create(struct sim *sim, struct model *model, const struct runner_key *key);
/* Frees it with the ghosts in its slots. */
void runner_free(struct runner *runner);
void runner_load(struct runner *runner);
/* Unload as soon as nobody refers to it. */
void runner_evict(struct runner *runner);
/* A slot, now or later: job_take_slot() is called for it. */
void runner_enter(struct runner *runner, struct job *job);
/* The job has read its prompt: tokens from now on. The job may be gone when it returns. */
void runner_generate(struct runner *runner, struct job *job);
/* Its client left or it is done: gives back slot, place in the queue and list membership. */
void runner_leave(struct runner *runner, struct job *job);
void runner_release(struct runner *runner);
/* A job that waited for its client to read goes on. */
void runner_wake(struct runner *runner);
/* Real ns that reading so many tokens takes with the batch as it is. */
int64_t runner_prefill_ns(const struct runner *runner, size_t tokens);
/* All its requests fail, with the next step (a fault). */
void runner_kill(struct runner *runner);
/* expires_at of /api/ps. */
void runner_add_expiry(const struct runner *runner, struct bytes *json);

#endif
