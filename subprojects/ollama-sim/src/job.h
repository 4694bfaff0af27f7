/*
 * One request that needs a runner, from its complete body to the end of its answer. An endpoint
 * module fills it and calls job_start(); loader.c grants it a runner, runner.c a slot and its
 * tokens; the endpoint's dialect writes what happens. The job frees itself when it is done, or (if
 * its client leaves) when nothing in loader or runner needs it.
 */
#ifndef SIM_JOB_H
#define SIM_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event_struct.h>

#include "ask.h"
#include "bytes.h"
#include "json.h"
#include "prompt.h"
#include "script.h"

struct conn;
struct job;
struct model;
struct runner;
struct sim;

enum job_kind {
	JOB_LOAD,     /* empty prompt: only the runner is wanted */
	JOB_GENERATE, /* tokens */
	JOB_EMBED,
};

enum job_state {
	JOB_NEW,
	JOB_PENDING,	/* in the loader's queue */
	JOB_JOINING,	/* waits for the load of its runner */
	JOB_WARMING,	/* has a runner, which is about to be granted */
	JOB_WAITING,	/* in the runner's inner queue */
	JOB_PREFILL,	/* its prompt is being read */
	JOB_GENERATING, /* tokens come */
	JOB_GHOST,	/* its client left in prefill: the slot is busy until the batch ends */
	JOB_DONE,
};

/* How an endpoint words its answers. job->conn is set in all of these. */
struct dialect {
	/* JOB_LOAD: the runner is there. */
	void (*loaded)(struct job *job);
	/* One token; called for streams and others. */
	void (*piece)(struct job *job, const struct piece *piece);
	/* All tokens are there (or the embeddings): writes the rest and ends the answer. */
	void (*finish)(struct job *job);
	/* It goes wrong: an error answer, or in a begun stream an error line and its end. */
	void (*fail)(struct job *job, int status, const char *message);
};

/* Nanoseconds, measured; as the final line of a native answer reports them. */
struct job_durations {
	int64_t total;
	int64_t load;
	int64_t prompt_eval;
	int64_t eval;
};

struct job {
	TAILQ_ENTRY(job) link; /* in the list of its state */
	struct sim *sim;
	struct conn *conn; /* NULL: its client has left */
	const struct dialect *dialect;
	struct model *model;
	struct runner *runner; /* set: it holds a reference to it */
	bool has_slot;
	bool owns_load; /* its client's leaving aborts the load */
	enum job_kind kind;
	enum job_state state;
	struct ask ask;
	struct prompt prompt;
	struct event timer;
	size_t prompt_tokens; /* after cutting */
	size_t generated;     /* tokens so far, EOS included */
	size_t place;	      /* in the script */
	const char *done_reason;
	bool has_begun;	     /* the head of a stream is written */
	bool breaks_off;     /* ends without a done line: Ollama's limit of equal tokens */
	bool fails_load;     /* a fault */
	const char *refusal; /* what the runner will say instead of tokens (400); static */
	bool thinks;	     /* thinking is told apart from content */
	int64_t started;
	int64_t granted;
	int64_t slot_taken;
	int64_t first_token;
	struct bytes model_json; /* the name as asked, the inside of a JSON string */
	struct bytes text;	 /* content so far, JSON-escaped, where the dialect needs it */
	struct bytes thinking;
	struct bytes logprobs;
	struct bytes tool_name;	     /* JSON-escaped; empty: no call */
	struct bytes tool_arguments; /* a JSON object */
	struct bytes vectors;	     /* of an embedding: made by embed.c */
	unsigned serial;	     /* of ids in the answer */
	unsigned item_serial;
	unsigned sequence; /* of events in the answer */
	unsigned variant;  /* of a dialect */
};

struct job *job_create(struct conn *conn, struct model *model, const char *model_name,
	const struct dialect *dialect);
/* The body was refused after job_create(). */
void job_discard(struct job *job);
/* The tool that would be called, if the model can and the request brings tools. */
void job_choose_tool(struct job *job, yajl_val tools);
/* Fills prompt_tokens from prompt, and refusal if it does not fit and may not be cut. */
void job_fit_prompt(struct job *job);
/* Ends in a call of the dialect; the job may be gone when it returns. */
void job_start(struct job *job);

/* For loader.c and runner.c. */
void job_granted(struct job *job, struct runner *runner, bool was_loaded);
void job_failed(struct job *job, int status, const char *message);
void job_take_slot(struct job *job);
/* One more token; false: it was the last, the job is gone. */
MUST_CHECK bool job_emit(struct job *job);
/* A job whose client has left and that nobody needs any more. */
void job_free(struct job *job);

struct job_durations job_durations(const struct job *job);
const char *job_state_name(enum job_state state);

#endif
