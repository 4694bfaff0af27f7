/*
 * Whole lives of jobs in core, with fake time and no sockets (STYLE B6.8). lives.c and
 * lives_events.c play relay, front and Ollama: they apply events to core as relay does;
 * lives_check.c looks at I1 to I7 and at the scheduler's promises after each step; lives_script.c
 * makes scripts of events from seeds, runs and shrinks them. All numbers of an event are
 * interpreted against the world as it is, so any part of a script is a script.
 */
#ifndef SO_TESTS_UNIT_CORE_LIVES_H
#define SO_TESTS_UNIT_CORE_LIVES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/settings.h"
#include "core/admission.h"
#include "core/job.h"
#include "core/places.h"
#include "core/scheduler.h"

enum {
	LIVES_AT_ONCE = 256, /* more than any script's limits let in */
	MODELS = 4,
};

/* X(symbol, name) */
#define EVENTS(X)                                                           \
	X(ARRIVE, "ARRIVE")	/* a complete head */                       \
	X(GO_ON, "GO_ON")	/* what a job waits for happens */          \
	X(LEAVE, "LEAVE")	/* a client goes, in any state */           \
	X(CANCEL, "CANCEL")	/* by an operator, in any state */          \
	X(GATE, "GATE")		/* pause or resume */                       \
	X(UPSTREAM, "UPSTREAM") /* Ollama answers a probe, or is gone */    \
	X(PASS, "PASS")		/* a pass ends */                           \
	X(SNAPSHOT, "SNAPSHOT") /* of /api/ps, or nothing is known */       \
	X(UNLOAD, "UNLOAD")	/* a model is unloaded by a passing call */ \
	X(LOADER, "LOADER")	/* our own request to Ollama goes on */     \
	X(DRAIN, "DRAIN")	/* no new jobs */                           \
	X(WAIT, "WAIT")		/* only time passes */

enum event_kind {
#define X(symbol, name) EVENT_##symbol,
	EVENTS(X)
#undef X
		EVENT_KIND_COUNT
};
const char *event_kind_name(enum event_kind kind);

struct event {
	enum event_kind kind;
	uint32_t which;	   /* which job, where there are several */
	uint32_t how;	   /* its sizes and variants */
	uint32_t after_us; /* time that passes before it */
};

/*
 * Bugs that lives.c can be told to have: each must be found, or the checks are worth nothing.
 * X(symbol, name, beginning of the message)
 */
#define FAULTS(X)                                                                  \
	X(STATE_WRITTEN, "state written past job_set_state()", "I1")               \
	X(LEFT_IN_RING, "left in the ring", "I2")                                  \
	X(SLOT_LEAKED, "slot leaked", "I3")                                        \
	X(TIMER_FORGOTTEN, "timer forgotten", "I4")                                \
	X(REPLIED_TWICE, "replied twice", "I5")                                    \
	X(OBSERVED_TWICE, "observed twice", "I6")                                  \
	X(END_NOT_COUNTED, "end not counted", "I7")                                \
	X(PASS_NOT_COUNTED, "pass not counted", "I7")                              \
	X(CHANGE_NOT_ALLOWED, "retry after the head", "assertion")                 \
	X(OVERTAKEN, "later arrival dispatched first", "order")                    \
	X(SENT_LATE, "dispatched past its deadline", "deadline")                   \
	X(TOO_MANY, "one more dispatched than may run", "slots")                   \
	X(IDLE, "scheduler not asked after an end", "idle")                        \
	X(GATE_IGNORED, "dispatched while paused", "gate")                         \
	X(WAIT_RENEWED, "a retry waits its whole time again", "wait")              \
	X(SENT_FOREVER, "sent again after each end before the head", "sent again") \
	X(BODY_KEPT, "body kept after the end", "bodies")                          \
	X(UNLOAD_MISSED, "model listed after its unload", "residency")             \
	X(SENT_TO_DRAINED, "sent to a runner that is unloaded", "1:")              \
	X(RUNNING_NOT_COUNTED, "a running job is not its runner's", "keys")        \
	X(UNLOAD_FORGOTTEN, "an unload is asked for while one is under way", "2:") \
	X(CUT_TOO_EARLY, "a turn is cut at once", "4:")                            \
	X(RUNNER_IDLE, "a loaded runner is not served", "6:")                      \
	X(PLACE_LOST, "a kept place is not honoured", "8:")                        \
	X(OVERDUE_IGNORED, "a turn goes on although another is overdue", "9:")     \
	X(CLASS_IGNORED, "a lower class goes first", "class:")                     \
	X(CAP_IGNORED, "more of a project dispatched than may run", "caps:")       \
	X(PLACES_IGNORED, "more of a project wait than may", "places:")            \
	X(CAUSE_FORGOTTEN, "a load that nobody caused", "loads:")                  \
	X(PRELOAD_FIRST, "a model is preloaded while jobs wait", "preload:")       \
	X(TOLD_IN_USE, "a runner in use is told its keep_alive", "keep_alive:")

enum fault {
	FAULT_NONE,
#define X(symbol, name, message) FAULT_##symbol,
	FAULTS(X)
#undef X
		FAULT_COUNT
};

struct carried {
	struct job job;
	enum job_state expected; /* by every change that lives.c made */
	size_t index;		 /* in world.in_state[expected] */
	uint64_t place;		 /* order of arrival in the ring */
	int64_t first_us;	 /* of its first arrival, as the lives know it */
	uint64_t announced;	 /* body bytes in the head; 0: chunked */
	uint64_t body_bytes;
	uint64_t kept_bytes; /* counted in admission.bodies_bytes */
	int64_t state_since_us;
	int64_t timer_due_us; /* 0: not pending */
	int answers;	      /* heads and error answers sent to the client */
	int observed;
	unsigned model;
	unsigned project;
	uint32_t priority; /* what its class is drawn from */
};

/* The longest batch by core's guess of a speed that nobody tells. */
enum { LEFT_US = 512 * 2000 };

/* Its client left while Ollama may have been at its prompt. */
struct left {
	const struct runner *runner; /* NULL: without turns */
	int64_t until_us;
};

enum { BOX_MOST = 8, KEYS_MOST = 64, PROJECTS = 3 };

/* What is said of projects and models (PRODUCT 5); zeroed: nothing. */
struct lives_rules {
	struct policy projects[PROJECTS]; /* weight 0: no rule */
	bool has_priorities;		  /* each job tells its class */
	int64_t model_running_most[MODELS];
	int64_t model_waiting_most[MODELS];
};

/* How many wait and run, by lives.c's own count. */
struct crowd {
	uint64_t waiting;
	uint64_t running;
};

/* What Ollama holds, and what the conductor asked of it (scheduler = turns). */
struct box {
	unsigned capacity;
	struct runner *loaded[BOX_MOST];
	size_t count;
	bool is_told;		 /* the last snapshot is how it is */
	struct runner *looked;	 /* being asked about */
	struct runner *unloaded; /* being unloaded */
	struct runner *loading;
	int64_t load_since_us;
	bool evicts; /* LOADING: somebody will have to go */
};

/* The turn of a runner as the lives saw it; indexed by its id. */
struct seen_turn {
	bool is_resident;
	int64_t began_us;
	int64_t told_us; /* when core says that it began */
	uint64_t served;
	bool is_cut;
	bool is_outranked; /* IS_CUT: it may have been for an interactive job */
};

/* What happened in all worlds together. */
struct seen {
	uint64_t lives;
	uint64_t steps;
	uint64_t scripts;
	uint64_t changes[JOB_STATE_COUNT][JOB_STATE_COUNT];
	uint64_t outcomes[OUTCOME_COUNT];
	uint64_t passes;
	uint64_t loads;
	uint64_t unloads;
	uint64_t cuts;
	uint64_t trials;
	uint64_t holds;
	uint64_t left;
	uint64_t limits_moved;
	uint64_t overdue;
	uint64_t came_back; /* to a place that was kept */
	uint64_t outranked; /* cuts before the usual floor */
	uint64_t capped;    /* sendings while one that came earlier was kept back */
	uint64_t promoted;  /* sendings of one whose class has aged */
	uint64_t crowded;   /* refused: too many of the project or model wait */
	uint64_t retry_after_least;
	uint64_t retry_after_most;
	uint64_t preloads; /* loads for nobody, with fifo too */
	uint64_t told;	   /* a keep_alive */
};

struct world {
	struct settings settings;
	struct tally tally;
	struct pass_tally passes;
	struct admission admission;
	struct ring *ring;
	struct ring *no_ring; /* an empty one, for the faults */
	struct scheduler *scheduler;
	struct residency *residency;
	int64_t now_us;
	bool paused;
	bool upstream_usable;
	struct places places;
	bool has_patience; /* some clients have */
	bool is_patience_due;
	bool refuse_at_once; /* the next dispatch of this turn finds the connection refused */

	/* What lives.c knows by itself, to compare core with. */
	struct carried *in_state[JOB_STATE_COUNT][LIVES_AT_ONCE]; /* DONE: until the turn's end */
	size_t in_state_count[JOB_STATE_COUNT];
	struct carried *unused[LIVES_AT_ONCE];
	size_t unused_count;
	uint64_t received;
	uint64_t ended[COUNTER_COUNT];
	uint64_t passes_received;
	uint64_t passes_ended;
	uint64_t next_place;
	bool loaded[MODELS];
	int64_t snapshot_us; /* 0: nothing is known */
	int64_t held_least_us;
	int64_t held_most_us;
	struct box box;
	struct left left[LIVES_AT_ONCE]; /* a ring: the oldest is written over */
	size_t left_count;		 /* ever */
	struct seen_turn turns[KEYS_MOST];
	struct lives_rules rules;
	uint64_t interactive_keys; /* bits of ids: an interactive job waited when the step began */
	uint64_t loads_done;

	struct seen *seen;
	enum fault fault;
	const char *broken; /* the first promise that did not hold; NULL: none */
	size_t step;
	struct carried lives[LIVES_AT_ONCE];
};

/* lives.c; `settings` is copied, its queue, time and size limits hold. `seen` goes on counting. */
struct world *world_create(const struct settings *settings, enum fault fault, struct seen *seen);
void world_destroy(struct world *world);
/* One turn of the loop: time, the event, timers, the scheduler, checks. */
void world_step(struct world *world, const struct event *event);
/* drain_timeout is over: everybody is told or cut, nothing may be left. */
void world_stop(struct world *world);
/* How many that left may keep a place of this runner busy. */
uint64_t world_left(const struct world *world, const struct runner *runner);
/* When the job's present state must have ended; 0: never. */
int64_t carried_limit_us(const struct world *world, const struct carried *carried);

/* lives_rules.c */
void rules_make(struct lives_rules *rules, uint64_t seed);
/* The policy of a job that has its project, its model and, in `how`, its class. */
struct policy rules_policy(const struct lives_rules *rules, const struct carried *carried,
	const struct settings *settings, uint32_t how);
struct crowd world_project_crowd(const struct world *world, unsigned project);
struct crowd world_model_crowd(const struct world *world, unsigned model);
/* It waits and may not go. */
bool world_is_capped(const struct world *world, const struct carried *carried);
/* Its class with what its age adds. */
enum job_class world_class(const struct world *world, const struct carried *carried);
bool world_may_go(const struct world *world, const struct carried *carried);
/* Before a job goes out. */
void check_rules_dispatch(struct world *world, const struct carried *carried);
/* Before a job takes its place; `refusal` is what core says of its project's and model's places. */
void check_places(struct world *world, const struct carried *carried, enum outcome refusal);
/* For the faults: one that must not go yet; NULL: there is none. */
struct carried *world_capped(const struct world *world);
struct carried *world_outclassed(const struct world *world, const struct carried *by);

/* lives_own.c */
/* In some scripts models are to stay loaded, with fifo too. */
void world_make_own(struct settings *settings, uint64_t seed);
/* Ollama is the box: with turns, and where something is preloaded. */
bool world_has_box(const struct world *world);
void check_preload(struct world *world, const struct runner *runner, bool is_load);
/* The last thing in a turn: the keep_alive that is due. */
void world_touch(struct world *world, const struct scheduler_view *view);
/* What a scheduler is told that does not see who waits and runs. */
struct scheduler_view world_blinded(
	const struct world *world, const struct scheduler_view *view, enum fault fault);

/* lives_turns.c */
bool world_has_turns(const struct world *world);
uint64_t world_in_flight(const struct world *world, const struct runner *runner);
/* The scheduler's verdict but DISPATCH. */
void world_carry_out(struct world *world, const struct scheduler_answer *answer);
/* Our own request goes on, well or not. */
void world_loader_goes_on(struct world *world, uint32_t how);
/* It cannot: Ollama is gone. */
void world_loader_breaks(struct world *world);
/* /api/ps is asked and answers. */
void world_tell_residency(struct world *world);
/* Somebody else, or time, unloads an idle one. */
void world_evict(struct world *world, uint32_t which, bool is_told);
/* Ollama was restarted. */
void world_empty_box(struct world *world);
/* A job is answered: its runner is there. */
void world_note_used(struct world *world, struct runner *runner);
struct carried *world_misled(const struct world *world);
void check_turns(struct world *world);
void check_turn_dispatch(struct world *world, const struct carried *carried);
/* Before anything happens in a step. */
void world_note_interactive(struct world *world);
void world_note_sent(struct world *world, const struct carried *carried);

/* lives_patience.c; the turn's tail, after the scheduler. true: somebody was refused */
bool world_test_patience(struct world *world, const struct scheduler_view *view);

/* lives_check.c; each notes in world->broken what does not hold. */
void check_all(struct world *world);
void check_dispatch(struct world *world, const struct carried *carried);
/* `other` waits too, and of the two it should have gone. */
void check_order(struct world *world, const struct carried *carried, const struct carried *other);
void check_retry_after(struct world *world, int seconds);
void check_nothing_is_left(struct world *world);

/* lives_script.c */
struct script {
	uint64_t seed; /* gives the settings, and the events if they were made */
	struct event *events;
	size_t count;
};

void script_make(struct script *script, uint64_t seed, size_t count);
void script_finish(struct script *script);
/* NULL, or the promise that was broken; `ret_step` is then its event's index. */
const char *script_run(
	const struct script *script, enum fault fault, struct seen *seen, size_t *ret_step);
/* Takes events away as long as the same promise breaks. */
void script_shrink(struct script *script, enum fault fault);
/* To stderr, as lines that can stand in a test. */
void script_print(const struct script *script, const char *broken);

#endif
