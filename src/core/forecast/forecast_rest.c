/* What the replay had no steps left for, by a coarser rule that looks at each job once: who is
 * loaded is served until nobody waits for it, in order of arrival; then one key is loaded after the
 * other, each once, in the order of their oldest jobs. */
#include "core/forecast/forecast_parts.h"

struct rest {
	struct forecast *forecast;
	double free_us;	  /* when what was given its time so far is served */
	double shared_us; /* work for those that are loaded, which share the slots */
};

static double at_once(const struct forecast *forecast, const struct forecast_run_key *key)
{
	uint64_t most =
		key->is.parallel < forecast->box.slots ? key->is.parallel : forecast->box.slots;

	return most > 0 ? (double)most : 1;
}

static double clear_us(const struct forecast *forecast, const struct forecast_run_key *key)
{
	return (double)key->rest * key->is.service_us / at_once(forecast, key);
}

static void count(struct forecast *forecast)
{
	for (size_t i = 0; i < forecast->keys_count; i++) {
		forecast->keys[i].rest = forecast->keys[i].rest_started = 0;
		forecast->keys[i].rest_begin_us = -1;
		forecast->keys[i].is_rest_alone = false;
	}
	for (size_t i = 0; i < forecast->jobs_count; i++) {
		const struct forecast_entry *entry = &forecast->jobs[i];

		if (!entry->has_started)
			forecast->keys[entry->is.key].rest++;
	}
}

/* The loaded ones begin at once, and the one that is being loaded when it is up. */
static void begin_loaded(struct rest *rest)
{
	struct forecast *forecast = rest->forecast;
	double work_us = 0;

	rest->free_us = forecast->now_us;
	for (size_t i = 0; i < forecast->keys_count; i++) {
		struct forecast_run_key *key = &forecast->keys[i];
		double end_us;

		if (forecast->loading == (long)i)
			key->rest_begin_us = key->load_end_us;
		else if (key->is.is_resident)
			key->rest_begin_us = forecast->now_us;
		else
			continue;
		work_us += (double)key->rest * key->is.service_us;
		end_us = key->rest_begin_us + clear_us(forecast, key);
		if (end_us > rest->free_us)
			rest->free_us = end_us;
	}
	if (forecast->box.slots > 0)
		work_us /= (double)forecast->box.slots;
	if (forecast->now_us + work_us > rest->free_us)
		rest->free_us = forecast->now_us + work_us;
}

static void begin_next(struct rest *rest, struct forecast_run_key *key)
{
	key->rest_begin_us = rest->free_us + key->is.load_us;
	rest->free_us = key->rest_begin_us + clear_us(rest->forecast, key);
	key->is_rest_alone = true;
}

static double start_us(struct rest *rest, const struct forecast_entry *entry)
{
	struct forecast *forecast = rest->forecast;
	struct forecast_run_key *key = &forecast->keys[entry->is.key];
	double own_us, shared_us;

	if (key->rest_begin_us < 0)
		begin_next(rest, key);
	own_us = key->rest_begin_us +
		 (double)key->rest_started++ * key->is.service_us / at_once(forecast, key);
	if (!key->is_rest_alone) {
		shared_us = forecast->now_us + rest->shared_us;
		rest->shared_us += key->is.service_us /
				   (double)(forecast->box.slots ? forecast->box.slots : 1);
		if (shared_us > own_us)
			own_us = shared_us;
	}
	return entry->is.comes_us > own_us ? entry->is.comes_us : own_us;
}

void forecast_rest(struct forecast *forecast)
{
	struct rest rest = {.forecast = forecast};

	count(forecast);
	begin_loaded(&rest);
	for (size_t i = 0; i < forecast->jobs_count; i++) {
		const struct forecast_entry *entry = &forecast->jobs[i];
		double at_us;

		if (entry->has_started)
			continue;
		at_us = start_us(&rest, entry);
		if (entry->is.ret_start_us)
			*entry->is.ret_start_us = (int64_t)at_us;
	}
}
