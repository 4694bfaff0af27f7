/*
 * Which job next, and may it go now? (PRODUCT 3.3.) Asked once in each turn's tail by proxy.c until
 * it answers "nothing". No clock, no sockets: time, gates and residency are handed in. Two
 * rules, chosen by the setting `scheduler`: FIFO, and turns (core/turns.h). How many run is
 * core/lane's: one lane for each runner, one for all with FIFO, which chooses by none.
 */
#ifndef SO_CORE_SCHEDULER_H
#define SO_CORE_SCHEDULER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/lane.h"
#include "core/runner.h"

struct job;
struct job_group;
struct list;
struct places;
struct residency;
struct ring;
struct scheduler;
struct settings;
struct shares;

/* Another process of ours at the same Ollama, during an upgrade (docs/decisions/0003). */
enum scheduler_company {
	COMPANY_NONE,
	COMPANY_BEFORE, /* it has jobs that came first: with `paused`, nothing is sent */
	COMPANY_BESIDE, /* both send, to what is loaded only; nothing is loaded or unloaded */
	COMPANY_AFTER,	/* it waits: we finish, without preloads and keep_alive */
};

struct scheduler_view {
	int64_t now_us;
	bool upstream_usable; /* it answers, and no probe is owed (PRODUCT 3.10) */
	bool paused;
	const struct residency *residency;
	const struct ring *ring;
	const struct settings *settings;
	uint64_t in_progress; /* slots held, by the other process too */
	enum scheduler_company company;
	uint64_t others; /* of these, by the other process: each may be on any runner */
	/* For forecasts; NULL: not known. */
	const struct list *living; /* struct job.link: those that run are among them */
	const struct places *places;
	bool all_are_back; /* their clients count as present */
};

enum scheduler_verdict {
	SCHEDULER_NOTHING,  /* ask again at the next event, or at look_again_us */
	SCHEDULER_DISPATCH, /* send `job` now */
	/* turns only; the caller begins it and tells the result, other verdicts go on meanwhile */
	SCHEDULER_LOOK,	  /* ask Ollama about `runner`'s model; then scheduler_looked() */
	SCHEDULER_UNLOAD, /* unload `runner`; then scheduler_unloaded() */
	SCHEDULER_LOAD,	  /* load `runner`; then scheduler_loaded() or _load_failed() */
	SCHEDULER_FREE,	  /* unload `runner`: the load under way is stuck behind it; no result */
};

struct scheduler_answer {
	enum scheduler_verdict verdict;
	struct job *job;
	struct runner *runner;
	int64_t look_again_us; /* 0: only events matter */
};

#define TURN_STATES(X)                                                            \
	X(SERVING, "serving")	  /* the loaded ones */                           \
	X(HOLDING, "holding")	  /* an idle one, for a client that comes back */ \
	X(DRAINING, "draining")	  /* one gives way: what runs on it ends */       \
	X(UNLOADING, "unloading") /* we asked Ollama to */                        \
	X(LOADING, "loading")

enum turn_state {
#define X(symbol, name) TURN_##symbol,
	TURN_STATES(X)
#undef X
};
const char *turn_state_name(enum turn_state state);

/* For people: what the turn is doing. Texts are valid until the scheduler is used again. */
struct scheduler_report {
	bool has_turns;
	enum turn_state state;
	const char *runner;	 /* that is served, drained, unloaded or loaded; NULL: none */
	const char *next;	 /* NULL: nobody waits for a turn */
	int64_t since_us;	 /* of the state */
	uint64_t served;	 /* in the turn of `runner` */
	uint64_t left;		 /* jobs that wait for it */
	struct lane_report lane; /* of the busiest runner that is loaded; FIFO's of all */
};

enum { SCHEDULER_REASON_BYTES = 320 };

struct scheduler *scheduler_create(void);
void scheduler_destroy(struct scheduler *scheduler);
/* A job with its body is about to enter the queue (state, counters and place are the caller's).
 * `seen` tells its runner options; its policy has the caps of the rules in force. */
void scheduler_enter(struct scheduler *scheduler, const struct settings *settings, struct job *job,
	const struct peek_result *seen, int64_t now_us);
/* How many of the project and of the model of a job that has not entered yet wait and run; NULL:
 * none. For admission_at_groups(). */
void scheduler_groups(const struct scheduler *scheduler, const struct job *job,
	const struct job_group **ret_project, const struct job_group **ret_model);
struct scheduler_answer scheduler_next(
	struct scheduler *scheduler, const struct scheduler_view *view);
/* The oldest waiting job that may go, if fewer than `most` run: FIFO's rule. Looks at no gate but
 * the caps of projects and models. */
struct scheduler_answer scheduler_first(const struct scheduler_view *view, int64_t most);
/* The job that was answered is sent now. */
void scheduler_sent(struct scheduler *scheduler, struct job *job);
/* It holds its slot no longer, however it ended; before its state changes. */
void scheduler_released(
	struct scheduler *scheduler, struct job *job, int64_t held_us, int64_t now_us);
/* Ollama's whole answer came; before scheduler_released(). */
void scheduler_answered(
	struct scheduler *scheduler, const struct job *job, const struct lane_answer *answer);
/* It was sent, and before a byte of an answer came our connection was cut: Ollama may be busy with
 * its prompt for a moment more (PRODUCT 3.1). */
void scheduler_left(struct scheduler *scheduler, const struct job *job, int64_t now_us);

/* What is preloaded, how long models stay, and the caps of those that wait already; at the start
 * and when the settings change. */
void scheduler_prepare(struct scheduler *scheduler, const struct settings *settings);
/* The keep_alive that a load carries that was answered just now; NULL: none. */
const char *scheduler_keep_alive_of_load(
	struct scheduler *scheduler, struct runner *runner, const struct ring *ring);
/* When there is nothing more to do: the keep_alive that an idle runner has to be told, which then
 * counts as told; NULL: none. */
const char *scheduler_touch(
	struct scheduler *scheduler, const struct scheduler_view *view, struct runner **ret_runner);
/* The model of this name is drained or unloaded by us: an unload of it is on its way. */
bool scheduler_gives_way(const struct scheduler *scheduler, const char *model);

/* The model of this name, as a client wrote it, has this runner. */
bool scheduler_means(
	const struct scheduler *scheduler, const char *model, const struct runner *runner);
/* Before scheduler_looked(): the model that was asked about is the same as this one (canonical), of
 * which it is a copy, or itself: one key from now on. */
void scheduler_note_same(struct scheduler *scheduler, const char *model);
/* Models came, went or were copied: what was not there may be, and copies may be none. */
void scheduler_models_changed(struct scheduler *scheduler);
/* The results of verdicts. RUNNER_UNKNOWN: it could not be asked, and is asked again. */
void scheduler_looked(struct scheduler *scheduler, enum runner_kind kind, int64_t now_us);
void scheduler_unloaded(struct scheduler *scheduler, int64_t now_us);
/* It was up at `loaded_us`, `took_us` after it was asked for. */
void scheduler_loaded(
	struct scheduler *scheduler, int64_t took_us, int64_t loaded_us, int64_t now_us);
/* It is not up. `is_answered`: Ollama said no, or nothing in time. true: its waiting jobs are to be
 * failed; false: Ollama was gone, the load is tried again when it is back. */
bool scheduler_load_failed(struct scheduler *scheduler, bool is_answered, int64_t now_us);
/* The project for whose job the load under way is; NULL: for none's. */
const char *scheduler_load_project(const struct scheduler *scheduler);
/* It was not even asked for: no connection came about. Tried again any number of times, as refused
 * jobs are (PRODUCT 3.11). */
void scheduler_load_refused(struct scheduler *scheduler, int64_t now_us);
/* The job's own runner is being loaded now, and it waits for that: with fifo it does not. */
bool scheduler_is_loading(const struct scheduler *scheduler, const struct job *job);

/* Ollama said that the job's model is not there or runs elsewhere. */
bool scheduler_runs_elsewhere(const struct job *job);

/* For people. */
void scheduler_report(struct scheduler *scheduler, const struct scheduler_view *view,
	struct scheduler_report *ret_report);
/* Finds out where each waiting job stands: before scheduler_explain(). O(waiting jobs · log). */
void scheduler_rank(struct scheduler *scheduler, const struct scheduler_view *view);
/* Why a waiting job waits, in words; its place among those that wait, 1 being next. After
 * scheduler_rank(), in a time that does not grow with the queue. */
int64_t scheduler_explain(struct scheduler *scheduler, const struct scheduler_view *view,
	const struct job *job, char ret_reason[SCHEDULER_REASON_BYTES]);
/* Sets start_us of all jobs that wait: when each will start by the rule, from now and without
 * further arrivals; gates count as open. */
void scheduler_forecast(struct scheduler *scheduler, const struct scheduler_view *view);
/* After scheduler_forecast(): its runner is not loaded yet, and without this job nobody would load
 * it, or somebody later. */
bool scheduler_loads_for(const struct scheduler *scheduler, const struct job *job);
/* How long the job is expected to hold its slot. */
int64_t scheduler_expected_us(const struct scheduler *scheduler, const struct job *job);
/* All keys, empty without turns. */
const struct runners *scheduler_runners(const struct scheduler *scheduler);
/* All projects that have jobs, and many that had: slots used, loads caused (core/share.h). */
const struct shares *scheduler_shares(const struct scheduler *scheduler);
/* A job that Ollama had begun to answer holds its slot no longer; `held_us` since its dispatch.
 * Refused and broken sendings say nothing of how long a job takes and are not told. */
void scheduler_slot_freed(struct scheduler *scheduler, const struct job *job, int64_t held_us);
/* How many jobs more may hold a slot now, when the gates are open. */
uint64_t scheduler_free_slots(
	const struct scheduler *scheduler, const struct settings *settings, uint64_t in_progress);
/* How many run at once, as things are, for Retry-After. */
int64_t scheduler_slots(const struct scheduler *scheduler, const struct settings *settings);
/* Mean time that a job holds its slot, 0: none has ended yet (for Retry-After). */
int64_t scheduler_service_us(const struct scheduler *scheduler);

#endif
