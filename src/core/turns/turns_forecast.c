/* What turns knows, told to a forecast. */
#include "config/settings.h"
#include "core/forecast/forecast.h"
#include "core/forecast/forecast_fill.h"
#include "core/lane.h"
#include "core/turns/turns_parts.h"

enum { US_PER_MS = 1000 };

#define SECOND_US 1e6

/* Jobs that have no turn: always served, before others. */
static void add_loose(const struct turns *turns, uint64_t slots, struct forecast *forecast)
{
	const struct forecast_key loose = {
		.service_us = turns->runners.service_us > 0 ? turns->runners.service_us : SECOND_US,
		.parallel = slots,
		.goes_first = true,
		.is_resident = true,
	};

	forecast_add_key(forecast, &loose);
}

static void add_runner(struct turns *turns, const struct scheduler_view *view,
	struct runner *runner, struct forecast *forecast)
{
	double load_us = runner_load_us(&turns->runners, runner);
	const struct forecast_key key = {
		.id = runner->id,
		.model = runner->model,
		.load_us = load_us,
		.service_us = runner_service_us(&turns->runners, runner),
		.coming = runner_arrivals(runner, view->now_us, load_us),
		.parallel = (uint64_t)lane_limit(runner->lane, view->settings),
		.is_resident = runner->is_resident && runner != turns->victim,
		.is_pinned = runner->keep_alive.is_pinned,
		.is_cut = runner->is_cut,
		.grow = runner->grow,
		.age_us = (double)(view->now_us - runner->began_us),
		.served = runner->served,
		.last_rank = (int)runner->last,
	};
	runner->first = NULL;
	runner->forecast_key = forecast_add_key(forecast, &key);
}

bool turns_loads_for(const struct turns *turns, const struct job *job)
{
	const struct runner *runner = job->runner;

	return runner && runner->first == job && !runner->is_resident &&
	       runner->kind != RUNNER_NOT_LOCAL && runner != turns_loading(turns);
}

void turns_forecast(
	struct turns *turns, const struct scheduler_view *view, struct forecast *forecast)
{
	const struct forecast_box box = {
		.slots = (uint64_t)lane_total(view->settings),
		.max_turn_wait_us = (double)view->settings->max_turn_wait_ms * US_PER_MS,
		.floor_loads = TURNS_FLOOR_LOADS,
		.floor_loads_outranked = TURNS_FLOOR_LOADS_INTERACTIVE,
		.growth = TURNS_GROWTH,
		.growth_most = TURNS_GROW_MOST,
		.rank_most = CLASS_INTERACTIVE,
		.ageing_us = (double)turns_ageing_us(view),
		.worth = turns_class_weight,
		.fits = &turns->fits,
		.held_until_us =
			turns->is_holding ? (double)(turns->held_until_us - view->now_us) : 0,
	};
	struct list *node;

	forecast_begin(forecast, &box);
	add_loose(turns, box.slots, forecast);
	LIST_EACH(&turns->runners.all, node)
	add_runner(turns, view, CONTAINER_OF(node, struct runner, link), forecast);
	forecast_fill(forecast, view, &turns->runners);
	if (turns->state == TURN_LOADING)
		forecast_set_loading(forecast, turns->target->forecast_key,
			(double)(view->now_us - turns->since_us));
	else if (turns->state == TURN_UNLOADING)
		forecast_set_loading(forecast, turns->target->forecast_key, -1);
	else if (turns->target)
		forecast_set_target(forecast, turns->target->forecast_key);
	forecast_run(forecast);
}
