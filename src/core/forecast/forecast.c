#include "core/forecast/forecast.h"

#include <stdlib.h>

#include "base/memory.h"
#include "core/forecast/forecast_parts.h"
#include "core/job.h"

/* What has taken longer than expected is expected to go on for a part of what it has taken. */
#define OVERTIME 0.25

enum { ROOM_FIRST = 16 };

/* What a hash begins with. */
enum { INDEX_LANE = 1, INDEX_PROJECT, INDEX_CAP };

struct forecast *forecast_create(void)
{
	return mem_zalloc(sizeof(struct forecast));
}

void forecast_destroy(struct forecast *forecast)
{
	if (!forecast)
		return;
	free(forecast->keys);
	free(forecast->lanes);
	free(forecast->projects);
	free(forecast->caps);
	free(forecast->jobs);
	free(forecast->slots);
	free(forecast->absent);
	forecast_index_finish(&forecast->index);
	free(forecast);
}

double forecast_left_us(double mean_us, double held_us)
{
	double left_us = mean_us - held_us;
	double overtime_us = held_us * OVERTIME;

	return left_us > overtime_us ? left_us : overtime_us;
}

static void *grow(void *items, size_t count, size_t *room, size_t bytes)
{
	if (count < *room)
		return items;
	*room = *room ? 2 * *room : ROOM_FIRST;
	return mem_grow_array(items, *room, bytes);
}

void forecast_begin(struct forecast *forecast, const struct forecast_box *box)
{
	forecast->box = *box;
	forecast->keys_count = 0;
	forecast->lanes_count = 0;
	forecast->projects_count = 0;
	forecast->caps_count = 0;
	forecast->jobs_count = 0;
	forecast->slots_count = 0;
	forecast->absent_count = 0;
	forecast->absent_next = 0;
	forecast_index_clear(&forecast->index);
	forecast->now_us = 0;
	forecast->steps = 0;
	forecast->left = 0;
	forecast->loading = FORECAST_NONE;
	forecast->target = FORECAST_NONE;
}

size_t forecast_add_key(struct forecast *forecast, const struct forecast_key *key)
{
	forecast->keys = grow(forecast->keys, forecast->keys_count, &forecast->keys_room,
		sizeof(forecast->keys[0]));
	forecast->keys[forecast->keys_count] = (struct forecast_run_key){.is = *key};
	return forecast->keys_count++;
}

static long cap_of(struct forecast *forecast, const struct job_group *group)
{
	size_t at;

	if (!group || group->running_most == 0)
		return FORECAST_NONE;
	at = forecast_index_get(&forecast->index,
		forecast_index_mix(INDEX_CAP, (uint64_t)(uintptr_t)group), forecast->caps_count);
	if (at < forecast->caps_count)
		return (long)at;
	forecast->caps = grow(forecast->caps, forecast->caps_count, &forecast->caps_room,
		sizeof(forecast->caps[0]));
	forecast->caps[forecast->caps_count] = (struct forecast_cap){.group = group};
	return (long)forecast->caps_count++;
}

void forecast_add_running(struct forecast *forecast, const struct forecast_running *running)
{
	struct forecast_run_key *key = &forecast->keys[running->key];
	struct forecast_slot slot = {
		.key = running->key,
		.rank = running->rank,
		.end_us = forecast_left_us(key->is.service_us, running->held_us),
	};

	for (int i = 0; i < FORECAST_CAPS; i++)
		slot.caps[i] = cap_of(forecast, running->caps[i]);
	forecast_take_slot(forecast, &slot);
}

void forecast_take_slot(struct forecast *forecast, const struct forecast_slot *slot)
{
	struct forecast_run_key *key = &forecast->keys[slot->key];

	forecast->slots = grow(forecast->slots, forecast->slots_count, &forecast->slots_room,
		sizeof(forecast->slots[0]));
	forecast->slots[forecast->slots_count++] = *slot;
	key->running++;
	key->running_high += slot->rank >= forecast->box.rank_most;
	for (int i = 0; i < FORECAST_CAPS; i++) {
		if (slot->caps[i] != FORECAST_NONE)
			forecast->caps[slot->caps[i]].running++;
	}
}

static size_t project_of(struct forecast *forecast, const struct forecast_job *job)
{
	size_t at = forecast_index_get(&forecast->index,
		forecast_index_mix(INDEX_PROJECT, job->project), forecast->projects_count);

	if (at < forecast->projects_count)
		return at;
	forecast->projects = grow(forecast->projects, forecast->projects_count,
		&forecast->projects_room, sizeof(forecast->projects[0]));
	forecast->projects[forecast->projects_count] =
		(struct forecast_project){job->project, job->served_us};
	return forecast->projects_count++;
}

static uint64_t hash_of(const struct forecast_job *job)
{
	uint64_t hash = forecast_index_mix(INDEX_LANE, job->key);

	hash = forecast_index_mix(hash, (uint64_t)job->rank);
	hash = forecast_index_mix(hash, job->project);
	for (int i = 0; i < FORECAST_CAPS; i++)
		hash = forecast_index_mix(hash, (uint64_t)(uintptr_t)job->caps[i]);
	return hash;
}

static size_t lane_of(struct forecast *forecast, const struct forecast_job *job)
{
	size_t at = forecast_index_get(&forecast->index, hash_of(job), forecast->lanes_count);
	struct forecast_lane made = {
		.key = job->key,
		.rank = job->rank,
		.head = FORECAST_NONE,
		.tail = FORECAST_NONE,
	};

	if (at < forecast->lanes_count)
		return at;
	made.project = project_of(forecast, job);
	for (int i = 0; i < FORECAST_CAPS; i++)
		made.caps[i] = cap_of(forecast, job->caps[i]);
	forecast->lanes = grow(forecast->lanes, forecast->lanes_count, &forecast->lanes_room,
		sizeof(forecast->lanes[0]));
	forecast->lanes[forecast->lanes_count] = made;
	return forecast->lanes_count++;
}

void forecast_add_job(struct forecast *forecast, const struct forecast_job *job)
{
	size_t lane = lane_of(forecast, job);

	forecast->jobs = grow(forecast->jobs, forecast->jobs_count, &forecast->jobs_room,
		sizeof(forecast->jobs[0]));
	forecast->jobs[forecast->jobs_count] = (struct forecast_entry){
		.is = *job, .lane = lane, .order = forecast->jobs_count, .next = FORECAST_NONE};
	forecast->jobs_count++;
	forecast->left++;
}

void forecast_set_loading(struct forecast *forecast, size_t key, double since_us)
{
	struct forecast_run_key *loading = &forecast->keys[key];

	forecast->loading = (long)key;
	loading->load_end_us = since_us < 0 ? loading->is.load_us
					    : forecast_left_us(loading->is.load_us, since_us);
}

void forecast_set_target(struct forecast *forecast, size_t key)
{
	forecast->target = (long)key;
}

static int by_first_arrival(const void *one, const void *other)
{
	const struct forecast_entry *a = one;
	const struct forecast_entry *b = other;

	if (a->is.first_us != b->is.first_us)
		return a->is.first_us < b->is.first_us ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

static void put_in_lane(struct forecast *forecast, size_t at)
{
	struct forecast_entry *entry = &forecast->jobs[at];
	struct forecast_lane *lane = &forecast->lanes[entry->lane];

	if (lane->tail == FORECAST_NONE)
		lane->head = (long)at;
	else
		forecast->jobs[lane->tail].next = (long)at;
	lane->tail = (long)at;
}

/* Few: the places that are kept. Sorted by insertion: they come nearly in order. */
static void note_absent(struct forecast *forecast, size_t at)
{
	size_t place = forecast->absent_count;

	forecast->absent = grow(forecast->absent, forecast->absent_count, &forecast->absent_room,
		sizeof(forecast->absent[0]));
	for (; place > 0 && forecast->jobs[forecast->absent[place - 1]].is.comes_us >
				    forecast->jobs[at].is.comes_us;
		place--)
		forecast->absent[place] = forecast->absent[place - 1];
	forecast->absent[place] = at;
	forecast->absent_count++;
}

/* What it counts in the choice of the next key: its class as it is now, its age included. */
static double worth_of(const struct forecast *forecast, const struct forecast_entry *entry)
{
	if (!forecast->box.worth)
		return 1;
	return forecast->box.worth[forecast_rank(forecast, entry->is.rank, entry->is.age_us)];
}

int forecast_rank(const struct forecast *forecast, int rank, double age_us)
{
	const struct forecast_box *box = &forecast->box;

	if (box->ageing_us <= 0 || age_us < box->ageing_us)
		return rank;
	if (age_us >= box->ageing_us * (box->rank_most - rank))
		return box->rank_most;
	return rank + (int)(age_us / box->ageing_us);
}

void forecast_come(struct forecast *forecast, struct forecast_entry *entry)
{
	struct forecast_lane *lane = &forecast->lanes[entry->lane];

	entry->is_present = true;
	entry->worth = worth_of(forecast, entry);
	lane->present++;
	lane->worth += entry->worth;
	lane->ages_us += entry->worth * entry->is.age_us;
}

uint64_t forecast_steps(const struct forecast *forecast)
{
	return forecast->steps;
}

void forecast_run(struct forecast *forecast)
{
	if (forecast->jobs_count == 0)
		return;
	qsort(forecast->jobs, forecast->jobs_count, sizeof(forecast->jobs[0]), by_first_arrival);
	for (size_t i = 0; i < forecast->jobs_count; i++) {
		struct forecast_entry *entry = &forecast->jobs[i];

		put_in_lane(forecast, i);
		if (entry->is.comes_us > 0) {
			note_absent(forecast, i);
			continue;
		}
		forecast_come(forecast, entry);
	}
	forecast_replay(forecast);
}
