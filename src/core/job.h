/*
 * A job: an inference request from its complete head to its end (STYLE B4, docs/job-states.md).
 * relay owns jobs and embeds them; ring and scheduler point at them. job_set_state() is the only
 * writer of the state and of the counters.
 */
#ifndef SO_CORE_JOB_H
#define SO_CORE_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "core/policy.h"
#include "core/record.h"
#include "core/tally.h"

/* What the job waits for. */
#define JOB_STATES(X)                                                                \
	X(READING, "reading")	    /* its body */                                   \
	X(QUEUED, "queued")	    /* its turn */                                   \
	X(CONNECTING, "connecting") /* a connection to Ollama */                     \
	X(AWAITING, "awaiting")	    /* sent; the response head */                    \
	X(STREAMING, "streaming")   /* the rest of the response */                   \
	X(FLUSHING, "flushing")	    /* upstream done; the client to take the rest */ \
	X(DONE, "done")

enum job_state {
#define X(symbol, name) JOB_##symbol,
	JOB_STATES(X)
#undef X
		JOB_STATE_COUNT
};
const char *job_state_name(enum job_state state);

/* How far the reply to the client is. */
enum reply_state {
	REPLY_NONE,
	REPLY_INTERIM,	 /* 102 was sent: no status yet */
	REPLY_COMMITTED, /* 200 by a heartbeat */
	REPLY_HEAD,	 /* Ollama's head or an error's was sent */
	REPLY_ENDED,
};

/* How many jobs of a runner, a project or a model wait and run. */
struct job_group {
	uint64_t waiting;      /* QUEUED */
	uint64_t running;      /* slots held */
	uint64_t running_most; /* its cap (PRODUCT 5), of the rule in force; 0: none */
	/* Its last slot is kept, in this survey of turns, for the job that came then. */
	uint64_t kept_in;
	int64_t kept_since_us;
};

struct runner;
struct share;

/* What a job is counted in, see job->groups. */
enum {
	GROUP_PROJECT,
	GROUP_RUNNER,
	GROUP_MODEL, /* all runners of it */
	GROUP_PROJECT_CLASS,
	GROUP_RUNNER_CLASS,
	JOB_GROUPS,
};

enum { CLASSES = CLASS_INTERACTIVE + 1 };

struct job {
	/* Side by side, since the scheduler looks at them in every waiting job for each decision:
	   what it set by scheduler_enter() (NULL: it has none), and its policy's class. */
	enum job_state state;
	enum reply_state reply;
	int64_t came_us;	 /* its body was complete, or that of the try whose place it has */
	int64_t deadline_us;	 /* the wait's bound; 0: none */
	int64_t load_since_us;	 /* its runner is being loaded since; 0: it is not */
	int64_t patience_due_us; /* started later it is answered too late; 0: never (core/patience)
				  */
	struct runner *runner;
	struct share *share;
	struct job_group *groups[JOB_GROUPS]; /* of these and its model */
	struct policy policy;		      /* of the settings that it came under */

	struct record record;
	struct tally *tally;
	struct list link; /* in relay's list of living jobs */
	bool in_ring;
	int64_t queued_since_us; /* this stay in the queue began */
	int64_t start_us;	 /* from the last forecast's now; -1: not told */
	uint64_t before; /* how many go first of those that wait for the same; scheduler_rank() */
	bool is_late;	 /* it will be answered too late: to be refused */
	uint64_t body_hash;   /* of base/hash64, as the client sent it */
	int refused;	      /* dispatches that ended at a refused connection */
	int broken;	      /* sendings that ended before the response head */
	double charged_us;    /* what its project was charged for this sending */
	bool says_keep_alive; /* its body has a keep_alive that Ollama obeys */
	bool unloads;	      /* ... that makes Ollama unload when it is done */
};

/* The job begins READING and is counted as received. record.is_job is set. */
void job_init(struct job *job, struct tally *tally);
void job_finish(struct job *job);

/*
 * The only writer of job->state (I1); asserts that the change is allowed, moves the counters, and
 * for DONE needs record.outcome set (I6).
 */
void job_set_state(struct job *job, enum job_state state);
bool job_may_become(enum job_state from, enum job_state to);
/* I3: it holds a slot: CONNECTING, AWAITING or STREAMING. */
bool job_holds_slot(const struct job *job);
/* As many of its project or its model run as may. */
bool job_is_capped(const struct job *job);
/* I2: it belongs into the ring: QUEUED, CONNECTING or AWAITING. */
bool job_belongs_in_ring(const struct job *job);
/*
 * Its own runner is being loaded by us from now on, or no longer (PRODUCT 3.2, 3.6): the deadline
 * stands still in between, and record.load_wait_us grows. Both may be told when it is so already.
 */
void job_load_begun(struct job *job, int64_t now_us);
void job_load_ended(struct job *job, int64_t now_us);
/* It goes back to the queue: its bound goes on with what is left of it. `timeout_us` 0: none. */
void job_queue_again(struct job *job, int64_t now_us, int64_t timeout_us);
/* QUEUED: when its wait ends at the latest, 0: never. The client's patience goes on while its
 * runner is being loaded, the queue's bound stands still. */
int64_t job_wait_end_us(const struct job *job);
/* QUEUED, and its wait has ended: it is not to be dispatched. */
bool job_is_over(const struct job *job, int64_t now_us);
/* READING only: it proved to be a pass (a mere unload): received is taken back. The job must not be
 * used afterwards but to finish it. */
void job_leave_as_pass(struct job *job);

#endif
