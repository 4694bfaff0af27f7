/* The inside of forecast, seen only by forecast.c (what is told), forecast_replay.c (the rule) and
 * forecast_rest.c (where the rule costs too much). */
#ifndef SO_CORE_FORECAST_PARTS_H
#define SO_CORE_FORECAST_PARTS_H

#include "core/forecast/forecast.h"
#include "core/forecast/forecast_index.h"

enum { FORECAST_NONE = -1 };

struct forecast_run_key {
	struct forecast_key is;
	uint64_t running;
	uint64_t running_high; /* of the highest rank */
	double load_end_us;    /* while it is the one that is loaded */
	double waited_us;      /* its waiting jobs' time stood still so long: loads of its own */

	/* scratch: of its present jobs, those left out that caps keep back */
	uint64_t waiting;
	double worth;	  /* their sum */
	double ages_us;	  /* the sum of worth * age, at the time 0 */
	double oldest_us; /* the oldest one's age */
	int rank;	  /* the highest one, age included */
	bool is_high;	  /* one has the highest rank without its age */

	/* scratch of forecast_rest(): its jobs that have no start yet */
	uint64_t rest;
	uint64_t rest_started;
	double rest_begin_us; /* it is loaded then; below 0: not told yet */
	bool is_rest_alone;   /* it shares the slots with nobody */
};

/* What bounds the running of a project or a model. */
struct forecast_cap {
	const struct job_group *group;
	uint64_t running;
};

/* Jobs of one key, class, project and caps in order of first arrival. */
struct forecast_lane {
	size_t key;
	int rank;
	size_t project; /* in projects */
	long head;	/* in jobs; FORECAST_NONE: empty */
	long tail;
	uint64_t present;
	double worth;		  /* of the present ones: their sum */
	double ages_us;		  /* the sum of worth * age, at the time 0 */
	long caps[FORECAST_CAPS]; /* FORECAST_NONE: none */
};

struct forecast_project {
	uint64_t name;
	double served_us;
};

struct forecast_entry {
	struct forecast_job is;
	size_t lane;
	size_t order; /* in which it was told */
	long next;
	double worth;
	bool is_present;
	bool has_started;
};

struct forecast_slot {
	size_t key;
	int rank;
	double end_us;
	long caps[FORECAST_CAPS];
};

struct forecast {
	struct forecast_box box;
	struct forecast_run_key *keys;
	size_t keys_count, keys_room;
	struct forecast_lane *lanes;
	size_t lanes_count, lanes_room;
	struct forecast_project *projects;
	size_t projects_count, projects_room;
	struct forecast_cap *caps;
	size_t caps_count, caps_room;
	struct forecast_entry *jobs;
	size_t jobs_count, jobs_room;
	struct forecast_slot *slots; /* that are taken */
	size_t slots_count, slots_room;
	size_t *absent; /* jobs that will come, the first one first */
	size_t absent_count, absent_room;
	size_t absent_next;
	struct forecast_index index; /* of lanes, projects and caps */

	double now_us;
	uint64_t steps; /* lanes, keys and slots that the replay has looked at */
	uint64_t left;	/* jobs without a start */
	long loading;
	long target;
};

/* It is there from now on. */
void forecast_come(struct forecast *forecast, struct forecast_entry *entry);
void forecast_take_slot(struct forecast *forecast, const struct forecast_slot *slot);
/* The rank of one of this age. */
int forecast_rank(const struct forecast *forecast, int rank, double age_us);
/* forecast_replay.c */
void forecast_replay(struct forecast *forecast);
/* forecast_rest.c: all that have no start yet get one. */
void forecast_rest(struct forecast *forecast);

#endif
