/*
 * Runner keys: the unit of scheduling (PRODUCT 3.3). Ollama reloads a model when one of six options
 * differs, so a key is the canonical model name and those options; all names that mean the same
 * runner are one key. Each carries what the rule of core/turns wants to know of it. Made and used
 * by the scheduler; jobs point at theirs; a runner lives as long as it has jobs or is loaded.
 */
#ifndef SO_CORE_RUNNER_H
#define SO_CORE_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "core/job.h"
#include "core/keep_alive.h"
#include "json/peek.h"

/* What Ollama says of the model (/api/show). */
enum runner_kind {
	RUNNER_UNKNOWN,	  /* not asked yet */
	RUNNER_GENERATES, /* loaded by an empty /api/generate */
	RUNNER_EMBEDS,	  /* loaded by an empty /api/embed */
	RUNNER_NOT_LOCAL, /* not there, or elsewhere: its jobs have no turn */
};

enum { RUNNER_RETURNS = 16 };

/* Filled anew by each survey of the ring, see core/turns. */
struct runner_survey {
	uint64_t waiting;	  /* jobs that may still go, and are not capped */
	bool counts;		  /* one of them, at least, counts for fairness */
	bool is_interactive;	  /* one of them is, whatever its age */
	enum job_class job_class; /* the highest of them, age included */
	double weight;	   /* sum over those that count of 1 s + age, by class, microseconds */
	int64_t oldest_us; /* when the oldest of them came */
	struct job *next;  /* the one that goes first */
	enum job_class next_class;
	struct job *cause; /* the first that counts, else the first */
	bool is_cause_counted;
	/* scratch of turns_rank() */
	uint64_t ahead;	 /* waiting jobs of keys that are served before it */
	uint64_t passed; /* of its own, those that were counted */
};

struct runner {
	struct list link;
	uint32_t id;
	char *key;	   /* "llama3:latest" or "llama3:latest num_ctx=8192" */
	char *model;	   /* canonical */
	uint64_t key_hash; /* of base/hash64 */
	char *spelling;	   /* of its first client: what Ollama is asked for */
	bool has_option[PEEK_OPTION_COUNT];
	int64_t option[PEEK_OPTION_COUNT];
	enum runner_kind kind;
	int64_t looked_us;  /* when `kind` was told */
	bool was_elsewhere; /* NOT_LOCAL, when it was told last: what runs takes no room here */
	struct job_group jobs;
	struct lane *lane; /* how many of them may run */
	struct job_group classes[CLASSES];

	/* statistics; 0: nothing measured */
	double load_us;
	double service_us;
	double arrivals; /* a decaying count, see runner_arrivals() */
	int64_t arrived_us;
	int64_t returns_us[RUNNER_RETURNS]; /* from its last job's end to the next arrival */
	size_t returns_count;		    /* ever */
	double grow;			    /* of the floor, after cuts */
	int broken_loads;		    /* in a row, without an answer */

	/* the turn */
	bool is_resident;
	bool is_known_key; /* loaded by us, or fifo and answered: it is sure which key is loaded */
	struct keep_alive keep_alive;
	int64_t expires_us;    /* as the last snapshot that listed it said; 0: it did not */
	bool is_seen;	       /* a snapshot has listed it in this turn */
	int unseen_loads;      /* in a row: answered well, and the next snapshot did not list it */
	bool owes_preload;     /* it is to be loaded without a job */
	bool is_busy_with_us;  /* it is to be loaded, or being unloaded or loaded */
	bool is_looked_at;     /* Ollama is being asked about it */
	bool was_overdue;      /* it was cut for one that had waited too long */
	bool is_cut;	       /* it is drained although jobs wait for it */
	int64_t changed_us;    /* our own last load or unload of it was over */
	int64_t began_us;      /* the turn: since it is loaded */
	int64_t idle_since_us; /* its last job ended */
	uint64_t served;       /* jobs sent in this turn */
	enum job_class last;   /* of the last job sent in this turn; UNSET: none was */
	struct runner_survey survey;
	/* scratch of turns_forecast() */
	size_t forecast_key; /* its number there */
	struct job *first;   /* that waits, by first arrival */
};

/* A copy of a model (`ollama cp`) has the runner of the other one. */
struct runner_alias {
	char *name; /* canonical, both */
	char *other;
};

/* What num_ctx is where no request says it. */
struct runner_context {
	char *model;
	int64_t length;
};

struct runners {
	struct list all;
	size_t count;
	uint32_t next_id;
	double load_us; /* means over all, for those that have none of their own */
	double service_us;
	struct runner_alias *aliases;
	size_t aliases_count;
	char **pinned; /* canonical names of models that stay loaded */
	size_t pinned_count;
	struct runner_context *contexts;
	size_t contexts_count;
};

void runners_init(struct runners *runners);
void runners_finish(struct runners *runners);
/* The key of `model`, made if new. `seen` gives the options, NULL: none. */
struct runner *runners_get(
	struct runners *runners, const char *model, const struct peek_result *seen);
/* `model` is a copy of `other`, or, where they are one, of nothing; canonical. */
void runners_note_same(struct runners *runners, const char *model, const char *other);
void runners_forget_copies(struct runners *runners);
/* The name under which the runner of this canonical name goes; `model` itself if it is no copy. */
const char *runners_name(const struct runners *runners, const char *model);
/* These models, NULL-terminated, stay loaded from now on, and no others. */
void runners_pin(struct runners *runners, char *const *models);
bool runners_are_pinned(const struct runners *runners, const char *model);
/*
 * /api/ps shows `length` for this one: of a runner without num_ctx it is the model's default from
 * now on, and the same number in a request means no runner of its own (FACTS-ollama 7).
 */
void runners_note_context(struct runners *runners, const struct runner *runner, int64_t length);
/* Ollama was restarted: its defaults may be others. */
void runners_forget_contexts(struct runners *runners);
/* The loaded one of this canonical model name, or NULL. */
struct runner *runners_resident(const struct runners *runners, const char *model);

/* A job arrives (before it is counted in runner->jobs). */
void runner_note_arrival(struct runner *runner, int64_t now_us);
void runner_note_service(struct runners *runners, struct runner *runner, int64_t held_us);
void runner_note_load(struct runners *runners, struct runner *runner, int64_t took_us);

/* Expected times, microseconds; guesses where nothing was measured. */
double runner_load_us(const struct runners *runners, const struct runner *runner);
double runner_service_us(const struct runners *runners, const struct runner *runner);
/* Arrivals expected in `span_us`. */
double runner_arrivals(const struct runner *runner, int64_t now_us, double span_us);
/* W(k, n): the time to clear `jobs` with `parallel` at once. */
double runner_clear_us(
	const struct runners *runners, const struct runner *runner, double jobs, double parallel);
double runner_clear_time_us(double service_us, double jobs, double parallel);
/* How long to hold it, at most `most_us`, for a client that comes back at once: the delay d that
 * maximises P(X <= d) * gain - others * E[min(X, d)]; 0: not at all. */
int64_t runner_hold_us(const struct runner *runner, double most_us, double gain_us, double others);

#endif
