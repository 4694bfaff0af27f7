/*
 * When will each waiting job start? The rule of core/turns (or arrival order, which is the rule
 * with one key) replayed from now without arrivals (FACTS-scheduling: median error 0 to 5 s). The
 * scheduler owns one, fills it with what it knows and asks; nobody else sees it. Times are
 * microseconds from now, no clock. O((jobs + loads) * (projects * keys + slots)), bounded by steps.
 */
#ifndef SO_CORE_FORECAST_H
#define SO_CORE_FORECAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fits;
struct forecast;
struct job_group;

/* What bounds how many of a job's kind run: its project and its model. */
enum {
	FORECAST_CAPS = 2,
	/* One step looks at a runner, a project's jobs for it or a slot, and takes 1 to 2 ns. After
	   so many, some 0.5 ms, a coarser rule tells the starts that are left: the loop serves
	   others too, and what is so far away is a guess anyway. */
	FORECAST_STEPS_MOST = 400 * 1000,
};

/* A runner. What has no turn (no runner, or arrival order) is a resident one that goes first. */
struct forecast_key {
	uint32_t id;	   /* as core/fits knows it */
	const char *model; /* canonical; of one model one key is loaded at a time; NULL: no turn */
	double load_us;
	double service_us;
	double coming; /* arrivals expected while it is loaded: they count in the choice only */
	uint64_t parallel;
	bool goes_first;
	bool is_resident;
	bool is_pinned;	 /* of the models that are preloaded: it gives way last */
	bool is_cut;	 /* it is drained for the target */
	double grow;	 /* of the floor under its turn */
	double age_us;	 /* of its turn */
	uint64_t served; /* in its turn */
	int last_rank;	 /* of the last one that was */
};

/* A job that runs, since `held_us`. */
struct forecast_running {
	size_t key;
	int rank;
	double held_us;
	const struct job_group *caps[FORECAST_CAPS];
};

/* A waiting job, or a place that is kept for one. */
struct forecast_job {
	size_t key;	  /* as forecast_add_key() said */
	int rank;	  /* of its class, without its age: the higher goes first */
	uint64_t project; /* any number that tells projects apart */
	double served_us; /* what its project has had, by its weight */
	double weight;
	const struct job_group *caps[FORECAST_CAPS]; /* NULL: none */
	int64_t first_us;			     /* orders jobs of a key, class and project */
	double age_us;				     /* since its first arrival */
	double comes_us;			     /* it comes then; not over 0: it is there */
	double ends_us;	       /* its wait ends then, started or not; below 0: never */
	int64_t *ret_start_us; /* when it starts, or would have; NULL: nobody asks */
};

struct forecast_box {
	uint64_t slots;		 /* jobs that may run at once */
	double max_turn_wait_us; /* 0: none */
	double floor_loads;
	double floor_loads_outranked; /* of a turn of lower ranks against the highest one */
	double growth;
	double growth_most;
	int rank_most;		 /* the highest one */
	double ageing_us;	 /* a job that waits so long rises by one rank; 0: never */
	const double *worth;	 /* by rank: what a job counts in the choice; NULL: all the same */
	const struct fits *fits; /* NULL: nothing is known */
	double held_until_us;	 /* one that fell idle is held for its client until then; 0: none */
};

struct forecast *forecast_create(void);
void forecast_destroy(struct forecast *forecast);

/* Forgets what was told before. */
void forecast_begin(struct forecast *forecast, const struct forecast_box *box);
/* Returns its number: 0, 1, 2, … */
size_t forecast_add_key(struct forecast *forecast, const struct forecast_key *key);
void forecast_add_running(struct forecast *forecast, const struct forecast_running *running);
void forecast_add_job(struct forecast *forecast, const struct forecast_job *job);
/* It is being loaded since so long (below 0: it will be, first thing). */
void forecast_set_loading(struct forecast *forecast, size_t key, double since_us);
/* It is decided that it is loaded next. */
void forecast_set_target(struct forecast *forecast, size_t key);
/* Sets all ret_start_us. */
void forecast_run(struct forecast *forecast);
/* That the last run took, for tests. */
uint64_t forecast_steps(const struct forecast *forecast);

/* What is expected to be left of something that takes `mean_us` and has taken `held_us`. */
double forecast_left_us(double mean_us, double held_us);

#endif
