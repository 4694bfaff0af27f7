/* The inside of forecast, seen only by forecast.c (what is told) and forecast_replay.c (the rule).
 */
#ifndef SO_CORE_FORECAST_PARTS_H
#define SO_CORE_FORECAST_PARTS_H

#include "core/forecast.h"

enum { FORECAST_NONE = -1 };

struct forecast_run_key {
	struct forecast_key is;
	uint64_t running;
	uint64_t waiting;   /* present ones */
	double ages_us;	    /* their sum, at the time 0 */
	double load_end_us; /* while it is the one that is loaded */
	double waited_us;   /* its waiting jobs' time stood still so long: loads of its own */
	double oldest_us;   /* scratch: the oldest present job's age */
};

/* Jobs of one key, class and project in order of first arrival. */
struct forecast_lane {
	size_t key;
	int rank;
	size_t project; /* in projects */
	long head;	/* in jobs; FORECAST_NONE: empty */
	long tail;
	uint64_t present;
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
	bool is_present;
};

struct forecast_slot {
	size_t key;
	double end_us;
};

struct forecast {
	struct forecast_box box;
	struct forecast_run_key *keys;
	size_t keys_count, keys_room;
	struct forecast_lane *lanes;
	size_t lanes_count, lanes_room;
	struct forecast_project *projects;
	size_t projects_count, projects_room;
	struct forecast_entry *jobs;
	size_t jobs_count, jobs_room;
	struct forecast_slot *slots; /* that are taken */
	size_t slots_count, slots_room;
	size_t *absent; /* jobs that will come, the first one first */
	size_t absent_count, absent_room;
	size_t absent_next;

	double now_us;
	uint64_t left; /* jobs without a start */
	long loading;
	long target;
};

void *forecast_grow(void *items, size_t count, size_t *room, size_t bytes);
/* forecast_replay.c */
void forecast_replay(struct forecast *forecast);

#endif
