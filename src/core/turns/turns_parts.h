/* The inside of turns, seen only by turns.c (the decision), turns_survey.c (who waits),
 * turns_send.c (who is sent), turns_residency.c (what is loaded), turns_plan.c (what has to give
 * way), turns_own.c and turns_fifo.c (what no job waits for), turns_forecast.c, turns_rank.c
 * (places), turns_report.c (the words). */
#ifndef SO_CORE_TURNS_PARTS_H
#define SO_CORE_TURNS_PARTS_H

#include "core/fits.h"
#include "core/job.h"
#include "core/share.h"
#include "core/turns/turns.h"

/* The floor under a turn, in loads of the next one (FACTS: 4, grown by 2 up to 4 times that). */
#define TURNS_FLOOR_LOADS 4.0
#define TURNS_GROW_MOST 4.0
#define TURNS_GROWTH 2.0
/* The floor of a turn of lower classes against an interactive job. */
#define TURNS_FLOOR_LOADS_INTERACTIVE 1.0

/* A job that may go, as far as it depends on itself. */
struct turns_ready {
	struct job *job;
	enum job_class job_class; /* age included */
};

/* Who waits, made anew for each decision. */
struct turns_survey {
	struct turns_ready *ready; /* in order of arrival */
	size_t count;
	size_t places;
	struct job *loose; /* the one without a runner that goes first */
	enum job_class loose_class;
	struct runner *unlooked; /* one that waits and was not asked about */
	/* the least project counter of those that wait in this class or a higher one */
	double least_us[CLASSES];
	uint64_t number; /* of this survey */
	bool is_kept;	 /* a slot of some project or model, see struct job_group */
};

struct turns {
	struct runners runners;
	struct shares *shares;
	struct fits fits;
	enum turn_state state; /* never HOLDING: see is_holding */
	bool is_holding;
	int64_t held_until_us; /* HOLDING: at the latest */
	struct runner *target; /* what is loaded next: latched by a cut, an unload or a load */
	struct runner *victim; /* UNLOADING */
	struct runner *looking;
	struct job_group nameless; /* jobs that name no model have no runner */
	bool has_moved;		   /* jobs may wait for a name that proved to be a copy */
	struct share *cause;	   /* LOADING: for whose job; kept */
	struct turns_survey survey;
	bool is_trial; /* LOADING: whether the set fits is tried, residents are not served */
	struct fits_set before; /* LOADING: who was there */
	bool is_blurred;	/* one of them went by itself since: its absence says nothing */
	bool owes_verdict;	/* a load is over, and whether the set fits is not looked at yet */
	int64_t loaded_us;	/* when the last load was over */
	uint64_t residency_version;
	char *everybodys_keep_alive; /* NULL: none is wanted */
	uint64_t residency_epoch;
	int64_t freed_us;	/* when a load was last freed from what held it up */
	int64_t blind_since_us; /* nothing is known of what is loaded; 0: it is */
	int64_t since_us;	/* of the state */
	/* by turns_rank(), for turns_explain() only */
	const struct runner *told_subject;
	const struct runner *told_next;
};

/* What has to happen before the target is loaded. */
struct turns_plan {
	bool is_possible; /* else: wait */
	bool is_trial;
	struct runner *drain[FITS_RUNNERS_MOST];
	size_t count;
	bool fits_in; /* nothing has to go */
};

/* turns_survey.c */
/* What a job of this class is worth beside a normal one, for the choice of the next key. */
extern const double turns_class_weight[CLASSES];
/* A job that waits so long rises by one class; 0: none does, all that wait are of one. Else the old
 * ones of a flood would outrank whoever comes, and no share would be fair. */
int64_t turns_ageing_us(const struct scheduler_view *view);
void turns_survey(struct turns *turns, const struct scheduler_view *view);
/* Its own, and one more for each max_turn_wait that it waits (PRODUCT 3.4). */
enum job_class turns_class(const struct job *job, const struct scheduler_view *view);
/* The last slot of its project or model is kept for an older job, which is overdue for a turn. */
bool turns_is_held_back(const struct turns_survey *survey, const struct job *job);
/* It has no runner: it goes out at once. */
bool turns_is_loose(const struct job *job);
/* Class, then fair share, then arrival. */
bool turns_goes_before(const struct job *one, enum job_class one_class, const struct job *other,
	enum job_class other_class);

/* turns.c */
/* Nobody gives way any more, and nothing is to be loaded. */
void turns_rest(struct turns *turns, int64_t now_us);
/* The first step of a plan that is ready. */
struct scheduler_answer turns_carry_out(
	struct turns *turns, const struct turns_plan *plan, struct runner *target, int64_t now_us);

/* turns_send.c */
/* `at_us` becomes the next moment to look again, if it is to come and earlier. */
void turns_look_again(int64_t *look_again_us, int64_t at_us, int64_t now_us);
/* After turns_survey(); NULL: none may go. */
struct job *turns_choose_job(
	const struct turns *turns, const struct scheduler_view *view, int64_t *look_again_us);
/* All that wait do so for runners that are being served and are full: without a look at each of the
 * jobs it is plain that none of them goes, and that nothing is to be loaded. */
bool turns_are_all_full(
	const struct turns *turns, const struct scheduler_view *view, int64_t *look_again_us);

/* turns_residency.c */
/* What is known by now: turns begin and end. */
void turns_sync_residency(struct turns *turns, const struct scheduler_view *view);
void turns_begin_turn(struct runner *runner, int64_t now_us);
void turns_forget_turn(struct runner *runner);

/* turns_own.c */
/* The models of `preload` are to be loaded: at the start, and when Ollama was restarted. */
void turns_owe_preloads(struct turns *turns);
/* true: Ollama has to be asked what one of them is, or one that is to be told its keep_alive. */
bool turns_look_for_own(struct turns *turns, struct scheduler_answer *ret_answer);
/* true: one can be loaded now; nobody waits for a turn. */
bool turns_plan_preload(struct turns *turns, const struct scheduler_view *view,
	struct turns_plan *ret_plan, struct runner **ret_target);
/* Jobs that wait for a name that proved to be a copy get the key of the other. */
void turns_move_copies(struct turns *turns, const struct scheduler_view *view);
/* turns_touch() of those that this says; NULL: of all. */
const char *turns_touch_where(struct turns *turns, const struct scheduler_view *view,
	bool (*may_touch)(const struct turns *turns, const struct runner *runner),
	struct runner **ret_runner);
/* The job is sent. */
void turns_note_keep_alive(struct turns *turns, struct job *job);
/* true: the load under way does not come because of a runner that is to be unloaded. */
bool turns_free_load(struct turns *turns, const struct scheduler_view *view,
	struct scheduler_answer *ret_answer);

/* turns_rank.c */
/* After turns_survey(): survey.ahead of all runners, job->before of all that wait. */
void turns_rank_all(struct turns *turns, const struct scheduler_view *view);

/* turns_plan.c */
bool turns_is_overdue(const struct runner *runner, const struct scheduler_view *view);
/* It is loaded, or has requests in flight and may be. */
bool turns_is_there(const struct runner *runner);
/* Ollama said that it loads it, and does not pass it on. */
bool turns_runs_here(const struct runner *runner);
bool turns_waits_for_turn(const struct runner *runner);
/* The turn of one, at least, that is there may be cut for an interactive job. */
bool turns_is_any_lower(const struct turns *turns);
/* It goes before all that are not, whatever their index. */
bool turns_is_urgent(
	const struct runner *runner, const struct scheduler_view *view, bool is_any_lower);
bool turns_is_more_urgent(const struct runner *one, const struct runner *other);
/* Among those that wait for a turn; NULL: nobody does. */
struct runner *turns_choose(const struct turns *turns, const struct scheduler_view *view);
struct turns_plan turns_make_plan(
	const struct turns *turns, const struct runner *target, const struct scheduler_view *view);
double turns_floor_us(
	const struct turns *turns, const struct runner *victim, const struct runner *target);
double turns_index(
	const struct turns *turns, const struct runner *runner, const struct scheduler_view *view);
/* Until when a victim that fell idle is held for a client that comes back; 0: it is not. */
int64_t turns_held_until(const struct turns *turns, const struct runner *victim,
	const struct runner *target, const struct scheduler_view *view);

#endif
