/* The rule itself, replayed event by event: ends of jobs and of a load, places whose clients come
 * back, moments at which a turn may be cut. Approximate where that is cheap: no turn is held or cut
 * for fairness, and a set that was not tried yet does not fit. */
#include <string.h>

#include "core/fits.h"
#include "core/forecast/forecast_parts.h"
#include "core/job.h"
#include "core/runner.h"

#define SECOND_US 1e6

enum {
	/* A job has three events (it comes, starts, ends) and a load of its own at worst; what goes
	   on beyond that goes round in circles. */
	EVENTS_PER_JOB = 8,
	EVENTS_LEAST = 64,
	DECISION_LOOKS = 4, /* at each key: who is next, what its turn is, who gives way */
};

/* Who starts. */

static bool is_served(const struct forecast_run_key *key)
{
	return key->is.is_resident && !key->is.is_cut && key->running < key->is.parallel;
}

static struct forecast_entry *first_of(struct forecast *forecast, const struct forecast_lane *lane)
{
	long at = lane->head;

	while (!forecast->jobs[at].is_present)
		at = forecast->jobs[at].next;
	return &forecast->jobs[at];
}

/* As a job's class rises with its age. */
static int rank_now(const struct forecast *forecast, const struct forecast_entry *entry)
{
	return forecast_rank(
		forecast, forecast->lanes[entry->lane].rank, entry->is.age_us + forecast->now_us);
}

static bool goes_before(const struct forecast *forecast, const struct forecast_entry *one,
	const struct forecast_entry *other)
{
	const struct forecast_lane *a = &forecast->lanes[one->lane];
	const struct forecast_lane *b = &forecast->lanes[other->lane];
	bool a_first = forecast->keys[a->key].is.goes_first;
	bool b_first = forecast->keys[b->key].is.goes_first;
	int a_rank = rank_now(forecast, one);
	int b_rank = rank_now(forecast, other);
	double a_served_us = forecast->projects[a->project].served_us;
	double b_served_us = forecast->projects[b->project].served_us;

	if (a_first != b_first)
		return a_first;
	if (a_rank != b_rank)
		return a_rank > b_rank;
	if (a_served_us < b_served_us || a_served_us > b_served_us)
		return a_served_us < b_served_us;
	return one < other; /* they are sorted by first arrival */
}

/* As many of its project or its model run as may. */
static bool is_capped(const struct forecast *forecast, const struct forecast_lane *lane)
{
	for (int i = 0; i < FORECAST_CAPS; i++) {
		const struct forecast_cap *cap;

		if (lane->caps[i] == FORECAST_NONE)
			continue;
		cap = &forecast->caps[lane->caps[i]];
		if (cap->running >= cap->group->running_most)
			return true;
	}
	return false;
}

static struct forecast_entry *next_job(struct forecast *forecast)
{
	struct forecast_entry *best = NULL;

	if (forecast->slots_count >= forecast->box.slots)
		return NULL;
	forecast->steps += forecast->lanes_count;
	for (size_t i = 0; i < forecast->lanes_count; i++) {
		const struct forecast_lane *lane = &forecast->lanes[i];
		struct forecast_entry *entry;

		if (lane->present == 0 || !is_served(&forecast->keys[lane->key]) ||
			is_capped(forecast, lane))
			continue;
		entry = first_of(forecast, lane);
		if (!best || goes_before(forecast, entry, best))
			best = entry;
	}
	return best;
}

static void take_out_of_lane(struct forecast *forecast, struct forecast_entry *entry)
{
	struct forecast_lane *lane = &forecast->lanes[entry->lane];
	long at = entry - forecast->jobs;
	long *link = &lane->head;

	while (*link != at)
		link = &forecast->jobs[*link].next;
	*link = entry->next;
	lane->present--;
	lane->worth -= entry->worth;
	lane->ages_us -= entry->worth * entry->is.age_us;
}

static bool is_over(const struct forecast *forecast, const struct forecast_entry *entry)
{
	const struct forecast_run_key *key = &forecast->keys[entry->is.key];

	return entry->is.ends_us >= 0 && forecast->now_us > entry->is.ends_us + key->waited_us;
}

/* Its turn has come; one whose wait was over takes no slot. */
static void start(struct forecast *forecast, struct forecast_entry *entry)
{
	struct forecast_lane *lane = &forecast->lanes[entry->lane];
	struct forecast_run_key *key = &forecast->keys[lane->key];
	struct forecast_slot slot = {
		.key = lane->key,
		.rank = lane->rank,
		.end_us = forecast->now_us + key->is.service_us,
	};

	if (entry->is.ret_start_us)
		*entry->is.ret_start_us = (int64_t)forecast->now_us;
	take_out_of_lane(forecast, entry);
	entry->has_started = true;
	forecast->left--;
	if (is_over(forecast, entry))
		return;
	forecast->projects[lane->project].served_us += key->is.service_us / entry->is.weight;
	memcpy(slot.caps, lane->caps, sizeof(slot.caps));
	forecast_take_slot(forecast, &slot);
	key->is.served++;
	key->is.last_rank = lane->rank;
}

/* Who is loaded. */

/* Who waits, those left out that caps keep back: they make no key wait for a turn. */
static void survey(struct forecast *forecast)
{
	forecast->steps += forecast->keys_count + forecast->lanes_count;
	for (size_t i = 0; i < forecast->keys_count; i++) {
		struct forecast_run_key *key = &forecast->keys[i];

		key->waiting = 0;
		key->worth = key->ages_us = key->oldest_us = 0;
		key->rank = 0;
		key->is_high = false;
	}
	for (size_t i = 0; i < forecast->lanes_count; i++) {
		const struct forecast_lane *lane = &forecast->lanes[i];
		struct forecast_run_key *key = &forecast->keys[lane->key];
		double age_us;
		int rank;

		if (lane->present == 0 || is_capped(forecast, lane))
			continue;
		age_us = first_of(forecast, lane)->is.age_us + forecast->now_us;
		rank = forecast_rank(forecast, lane->rank, age_us);
		key->waiting += lane->present;
		key->worth += lane->worth;
		key->ages_us += lane->ages_us;
		if (age_us > key->oldest_us)
			key->oldest_us = age_us;
		if (rank > key->rank)
			key->rank = rank;
		key->is_high |=
			forecast->box.rank_most > 0 && lane->rank == forecast->box.rank_most;
	}
}

static bool is_overdue(const struct forecast *forecast, const struct forecast_run_key *key)
{
	return forecast->box.max_turn_wait_us > 0 && key->waiting > 0 &&
	       key->oldest_us >= forecast->box.max_turn_wait_us;
}

static double index_of(const struct forecast *forecast, const struct forecast_run_key *key)
{
	double waiting = (double)key->waiting;
	double reward = key->worth * (SECOND_US + forecast->now_us) + key->ages_us +
			key->is.coming * (SECOND_US + key->is.load_us / 2);

	return reward /
	       (key->is.load_us + runner_clear_time_us(key->is.service_us, waiting + key->is.coming,
					  (double)key->is.parallel));
}

static bool waits_for_turn(const struct forecast *forecast, size_t at)
{
	return forecast->keys[at].waiting > 0 && !forecast->keys[at].is.is_resident &&
	       forecast->loading != (long)at;
}

static bool has_turn(const struct forecast_run_key *key)
{
	return key->is.model != NULL;
}

static bool is_there(const struct forecast_run_key *key)
{
	return has_turn(key) && (key->is.is_resident || key->running > 0);
}

/* What its turn is made of; one that fell idle is as what it was. */
static bool is_turn_high(const struct forecast *forecast, const struct forecast_run_key *key)
{
	if (key->is_high || key->running_high > 0)
		return true;
	return key->waiting + key->running == 0 && key->is.last_rank == forecast->box.rank_most;
}

static bool outranks(const struct forecast *forecast, const struct forecast_run_key *one,
	const struct forecast_run_key *other)
{
	return one->is_high && !is_turn_high(forecast, other);
}

static bool is_any_turn_lower(const struct forecast *forecast)
{
	for (size_t i = 0; i < forecast->keys_count; i++) {
		const struct forecast_run_key *key = &forecast->keys[i];

		if (is_there(key) && !is_turn_high(forecast, key))
			return true;
	}
	return false;
}

static bool is_more_urgent(const struct forecast_run_key *one, const struct forecast_run_key *other)
{
	if (one->rank != other->rank)
		return one->rank > other->rank;
	return one->oldest_us > other->oldest_us;
}

static long choose(const struct forecast *forecast)
{
	bool is_any_lower = is_any_turn_lower(forecast);
	long urgent = FORECAST_NONE;
	long best = FORECAST_NONE;
	double best_index = -1;

	for (size_t i = 0; i < forecast->keys_count; i++) {
		const struct forecast_run_key *key = &forecast->keys[i];
		double index;

		if (!waits_for_turn(forecast, i))
			continue;
		if ((is_overdue(forecast, key) || (key->is_high && is_any_lower)) &&
			(urgent == FORECAST_NONE || is_more_urgent(key, &forecast->keys[urgent])))
			urgent = (long)i;
		index = index_of(forecast, key);
		if (index > best_index) {
			best_index = index;
			best = (long)i;
		}
	}
	return urgent != FORECAST_NONE ? urgent : best;
}

static double floor_end_us(const struct forecast *forecast, const struct forecast_run_key *victim)
{
	const struct forecast_run_key *target = &forecast->keys[forecast->target];
	double loads = outranks(forecast, target, victim)
			       ? forecast->box.floor_loads_outranked
			       : forecast->box.floor_loads * victim->is.grow;

	return loads * target->is.load_us - victim->is.age_us;
}

static bool may_release(const struct forecast *forecast, const struct forecast_run_key *victim)
{
	const struct forecast_run_key *target = &forecast->keys[forecast->target];

	if (victim->waiting == 0 || victim->is.is_cut)
		return true;
	return victim->is.served >= victim->is.parallel &&
	       forecast->now_us >= floor_end_us(forecast, victim) &&
	       (is_overdue(forecast, target) || outranks(forecast, target, victim));
}

/* Smaller is the better victim: one that is not preloaded; drained already, idle, dry, any. */
static int fitness_of(const struct forecast_run_key *key)
{
	if (key->is.is_pinned)
		return 4;
	if (key->is.is_cut)
		return 0;
	if (key->waiting > 0)
		return 3;
	return key->running > 0 ? 2 : 1;
}

static bool fits_in(const struct forecast *forecast)
{
	const struct forecast_run_key *target = &forecast->keys[forecast->target];
	struct fits_set set = {.ids = {target->is.id}, .count = 1};
	bool is_alone = true;

	for (size_t i = 0; i < forecast->keys_count; i++) {
		const struct forecast_run_key *key = &forecast->keys[i];

		if (key == target || !is_there(key))
			continue;
		is_alone = false;
		if (strcmp(key->is.model, target->is.model) == 0 || !fits_set_add(&set, key->is.id))
			return false;
	}
	return is_alone ||
	       (forecast->box.fits && fits_ask(forecast->box.fits, &set, 0) == FITS_YES);
}

/* NULL: none may go yet. */
static struct forecast_run_key *choose_victim(struct forecast *forecast)
{
	const struct forecast_run_key *target = &forecast->keys[forecast->target];
	struct forecast_run_key *best = NULL;

	for (size_t i = 0; i < forecast->keys_count; i++) {
		struct forecast_run_key *key = &forecast->keys[i];

		if (key == target || !is_there(key))
			continue;
		if (strcmp(key->is.model, target->is.model) == 0)
			return may_release(forecast, key) ? key : NULL;
		if (may_release(forecast, key) && (!best || fitness_of(key) < fitness_of(best)))
			best = key;
	}
	return best;
}

static void undo_cuts(struct forecast *forecast)
{
	for (size_t i = 0; i < forecast->keys_count; i++)
		forecast->keys[i].is.is_cut = false;
}

static void begin_load(struct forecast *forecast)
{
	struct forecast_run_key *key = &forecast->keys[forecast->target];

	forecast->loading = forecast->target;
	key->load_end_us = forecast->now_us + key->is.load_us;
	key->waited_us += key->is.load_us;
}

static void evict(struct forecast *forecast, struct forecast_run_key *victim)
{
	double grow = victim->is.grow * forecast->box.growth;

	victim->is.grow = !victim->is.is_cut		     ? 1
			  : grow < forecast->box.growth_most ? grow
							     : forecast->box.growth_most;
	victim->is.is_resident = false;
	victim->is.is_cut = false;
}

static void decide(struct forecast *forecast)
{
	struct forecast_run_key *victim;

	forecast->steps += DECISION_LOOKS * forecast->keys_count;
	if (forecast->target == FORECAST_NONE ||
		!waits_for_turn(forecast, (size_t)forecast->target)) {
		undo_cuts(forecast);
		forecast->target = choose(forecast);
	}
	if (forecast->target == FORECAST_NONE)
		return;
	if (fits_in(forecast)) {
		begin_load(forecast);
		return;
	}
	victim = choose_victim(forecast);
	if (victim && victim->waiting > 0)
		victim->is.is_cut = true;
	else if (forecast->now_us < forecast->box.held_until_us)
		return;
	if (victim && victim->running == 0) {
		evict(forecast, victim);
		begin_load(forecast);
	}
}

/* Time goes on. */

static void sooner(double *next_us, double at_us, double now_us)
{
	if (at_us > now_us && (*next_us < 0 || at_us < *next_us))
		*next_us = at_us;
}

/* Who waits does not matter before the load is over, or where nobody waits for one. */
static bool is_no_turn_at_stake(const struct forecast *forecast)
{
	return forecast->loading != FORECAST_NONE || forecast->target == FORECAST_NONE;
}

/* Below 0: nothing will happen any more. */
static double next_event_us(struct forecast *forecast)
{
	double now_us = forecast->now_us;
	double next_us = -1;

	/* here, and when it happens */
	forecast->steps += 2 * forecast->slots_count;
	for (size_t i = 0; i < forecast->slots_count; i++)
		sooner(&next_us, forecast->slots[i].end_us, now_us);
	if (forecast->loading != FORECAST_NONE)
		sooner(&next_us, forecast->keys[forecast->loading].load_end_us, now_us);
	if (forecast->absent_next < forecast->absent_count)
		sooner(&next_us,
			forecast->jobs[forecast->absent[forecast->absent_next]].is.comes_us,
			now_us);
	if (is_no_turn_at_stake(forecast))
		return next_us;
	forecast->steps += forecast->keys_count;
	sooner(&next_us, forecast->box.held_until_us, now_us);
	for (size_t i = 0; i < forecast->keys_count; i++) {
		const struct forecast_run_key *key = &forecast->keys[i];

		if (key->is.is_resident && has_turn(key) && key->waiting > 0)
			sooner(&next_us, floor_end_us(forecast, key), now_us);
		if (waits_for_turn(forecast, i) && forecast->box.max_turn_wait_us > 0)
			sooner(&next_us, now_us + forecast->box.max_turn_wait_us - key->oldest_us,
				now_us);
	}
	return next_us;
}

static void end_load(struct forecast *forecast)
{
	struct forecast_run_key *key = &forecast->keys[forecast->loading];

	key->is.is_resident = true;
	key->is.age_us = -forecast->now_us;
	key->is.served = 0;
	key->is.last_rank = 0;
	forecast->loading = FORECAST_NONE;
	forecast->target = FORECAST_NONE;
	undo_cuts(forecast);
}

static void free_slot(struct forecast *forecast, const struct forecast_slot *slot)
{
	struct forecast_run_key *key = &forecast->keys[slot->key];

	key->running--;
	key->running_high -= slot->rank >= forecast->box.rank_most;
	for (int i = 0; i < FORECAST_CAPS; i++) {
		if (slot->caps[i] != FORECAST_NONE)
			forecast->caps[slot->caps[i]].running--;
	}
}

static void happen(struct forecast *forecast)
{
	for (size_t i = forecast->slots_count; i > 0; i--) {
		if (forecast->slots[i - 1].end_us > forecast->now_us)
			continue;
		free_slot(forecast, &forecast->slots[i - 1]);
		forecast->slots[i - 1] = forecast->slots[--forecast->slots_count];
	}
	if (forecast->loading != FORECAST_NONE &&
		forecast->keys[forecast->loading].load_end_us <= forecast->now_us)
		end_load(forecast);
	for (; forecast->absent_next < forecast->absent_count; forecast->absent_next++) {
		struct forecast_entry *entry =
			&forecast->jobs[forecast->absent[forecast->absent_next]];

		if (entry->is.comes_us > forecast->now_us)
			break;
		forecast_come(forecast, entry);
	}
}

/* What has no start by now has none that can be told: the moment reached is the least. */
static void give_up(struct forecast *forecast)
{
	for (size_t i = 0; i < forecast->lanes_count; i++) {
		for (long at = forecast->lanes[i].head; at != FORECAST_NONE;
			at = forecast->jobs[at].next) {
			if (forecast->jobs[at].is.ret_start_us)
				*forecast->jobs[at].is.ret_start_us = (int64_t)forecast->now_us;
		}
	}
}

void forecast_replay(struct forecast *forecast)
{
	size_t most = EVENTS_LEAST + EVENTS_PER_JOB * forecast->jobs_count + forecast->keys_count +
		      forecast->slots_count;

	if (forecast->loading != FORECAST_NONE)
		forecast->keys[forecast->loading].waited_us =
			forecast->keys[forecast->loading].load_end_us;
	for (size_t events = 0; forecast->left > 0 && events < most; events++) {
		struct forecast_entry *entry;
		double next_us;

		if (forecast->steps >= FORECAST_STEPS_MOST) {
			forecast_rest(forecast);
			return;
		}
		happen(forecast);
		if (forecast->loading == FORECAST_NONE) {
			survey(forecast);
			decide(forecast);
		}
		while ((entry = next_job(forecast)))
			start(forecast, entry);
		if (!is_no_turn_at_stake(forecast))
			survey(forecast);
		next_us = next_event_us(forecast);
		if (next_us < 0)
			break;
		forecast->now_us = next_us;
	}
	give_up(forecast);
}
