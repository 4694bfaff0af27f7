/*
 * What scheduler and turns know of jobs, told to a forecast: those that wait, those that run, and
 * the places that are kept. Called by both, after the keys were added.
 */
#ifndef SO_CORE_FORECAST_FILL_H
#define SO_CORE_FORECAST_FILL_H

#include "core/forecast/forecast.h"
#include "core/scheduler.h"

/* `runners` have told their forecast_key; NULL: arrival order, everybody is of key 0. */
void forecast_fill(struct forecast *forecast, const struct scheduler_view *view,
	const struct runners *runners);

#endif
