#include "conductor.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "back/loader.h"
#include "back/probe.h"
#include "base/delay.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "core/residency.h"
#include "core/tally.h"
#include "observe/stats.h"
#include "pause.h"
#include "relay/pass.h"
#include "relay/relay.h"
#include "watch.h"

struct conductor {
	struct conductor_parts parts;
	struct settings *settings;
	struct loader *loader;
	struct event *wake; /* the scheduler's look_again */
	const struct runner *looking;
	const struct runner *unloading;
	const struct runner *loading;
	struct pause pause;
	enum scheduler_company company;
	uint64_t others; /* slots that the other process holds */
};

static void mark_changed(struct conductor *conductor)
{
	conductor->parts.on_changed(conductor->parts.arg);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	mark_changed(arg);
}

static void on_looked(void *arg, enum runner_kind kind, const char *same)
{
	struct conductor *conductor = arg;

	if (conductor->looking->owes_preload && kind == RUNNER_NOT_LOCAL)
		LOG(WARN, "cannot preload: Ollama does not have this model",
			LOG_TEXT("model", conductor->looking->spelling));
	conductor->looking = NULL;
	if (same)
		scheduler_note_same(conductor->parts.scheduler, same);
	scheduler_looked(conductor->parts.scheduler, kind, ticker_now_us());
	mark_changed(conductor);
}

static bool is_being_unloaded(void *arg, const char *model)
{
	const struct conductor *conductor = arg;

	return scheduler_means(conductor->parts.scheduler, model, conductor->unloading);
}

/* Clients that asked for the same have been waiting for it. */
static void on_unload_answered(void *arg)
{
	struct conductor *conductor = arg;

	passes_unload_answered(conductor->parts.passes, is_being_unloaded, conductor);
}

static void on_touched(void *arg)
{
	mark_changed(arg);
}

static void on_unloaded(void *arg)
{
	struct conductor *conductor = arg;

	conductor->unloading = NULL;
	if (pause_unloaded(&conductor->pause)) {
		mark_changed(conductor);
		return;
	}
	scheduler_unloaded(conductor->parts.scheduler, ticker_now_us());
	mark_changed(conductor);
}

static void on_loaded(void *arg, int64_t took_us, int64_t loaded_us)
{
	struct conductor *conductor = arg;

	const struct stats_load load = {
		.model = conductor->loading->model,
		.project = scheduler_load_project(conductor->parts.scheduler),
		.took_us = took_us,
	};

	stats_add_load(conductor->parts.stats, &load);
	relay_load_ended(conductor->parts.relay, conductor->loading);
	conductor->loading = NULL;
	scheduler_loaded(conductor->parts.scheduler, took_us, loaded_us, ticker_now_us());
	mark_changed(conductor);
}

static void on_load_failed(void *arg, const struct loader_failure *failure)
{
	struct conductor *conductor = arg;
	const struct runner *runner = conductor->loading;
	bool was_preload = runner->owes_preload;
	bool is_final = false;

	if (failure->outcome == OUTCOME_UPSTREAM_REFUSED)
		scheduler_load_refused(conductor->parts.scheduler, ticker_now_us());
	else
		is_final = scheduler_load_failed(
			conductor->parts.scheduler, !failure->is_broken, ticker_now_us());
	conductor->loading = NULL;
	if (failure->outcome == OUTCOME_UPSTREAM_TIMEOUT)
		watch_silence(conductor->parts.watch, runner->model, runner->key,
			probe_is_usable(conductor->parts.probe) ? LIVENESS_LOADING : LIVENESS_DEAD);
	relay_load_ended(conductor->parts.relay, runner);
	if (is_final && was_preload)
		LOG(WARN, "cannot preload: the load failed", LOG_TEXT("model", runner->key));
	/* With fifo the model's jobs wait for a slot, and go out when one is free. */
	if (is_final && conductor->settings->scheduler == SCHEDULER_TURNS)
		relay_load_failed(conductor->parts.relay, runner, failure->outcome, failure->status,
			failure->text);
	mark_changed(conductor);
}

static void prepare(struct conductor *conductor, const struct settings *settings)
{
	scheduler_prepare(conductor->parts.scheduler, settings);
	stats_prepare(conductor->parts.stats, settings);
}

struct conductor *conductor_create(const struct conductor_parts *parts, struct settings *settings)
{
	struct conductor *conductor = mem_zalloc(sizeof(*conductor));
	const struct loader_events events = {
		.on_looked = on_looked,
		.on_unload_answered = on_unload_answered,
		.on_unloaded = on_unloaded,
		.on_loaded = on_loaded,
		.on_load_failed = on_load_failed,
		.on_touched = on_touched,
		.arg = conductor,
	};

	conductor->parts = *parts;
	prepare(conductor, settings);
	conductor->settings = settings_take(settings);
	conductor->wake = evtimer_new(parts->base, on_wake, conductor);
	if (!conductor->wake)
		mem_out(sizeof(*conductor));
	conductor->loader = loader_create(
		parts->base, parts->pool, parts->probe, parts->residency, settings, &events);
	return conductor;
}

void conductor_destroy(struct conductor *conductor)
{
	if (!conductor)
		return;
	loader_destroy(conductor->loader);
	event_free(conductor->wake);
	pause_finish(&conductor->pause);
	settings_return(conductor->settings);
	free(conductor);
}

void conductor_set_settings(struct conductor *conductor, struct settings *settings)
{
	prepare(conductor, settings);
	loader_set_settings(conductor->loader, settings);
	settings_take(settings);
	settings_return(conductor->settings);
	conductor->settings = settings;
	mark_changed(conductor);
}

void conductor_probe_changed(struct conductor *conductor)
{
	loader_residency_changed(conductor->loader);
	mark_changed(conductor);
}

void conductor_pause(struct conductor *conductor, bool unload)
{
	pause_begin(&conductor->pause, unload);
	mark_changed(conductor);
}

void conductor_resume(struct conductor *conductor)
{
	pause_end(&conductor->pause);
	mark_changed(conductor);
}

bool conductor_is_paused(const struct conductor *conductor)
{
	return conductor->pause.is_on;
}

bool conductor_is_unloading(const struct conductor *conductor)
{
	return pause_is_unloading(&conductor->pause);
}

void conductor_set_company(
	struct conductor *conductor, enum scheduler_company company, uint64_t others)
{
	conductor->company = company;
	conductor->others = others;
	mark_changed(conductor);
}

bool conductor_has_company(const struct conductor *conductor)
{
	return conductor->company != COMPANY_NONE;
}

bool conductor_is_moving(const struct conductor *conductor)
{
	return conductor->unloading || conductor->loading;
}

struct scheduler_view conductor_view(const struct conductor *conductor)
{
	return (struct scheduler_view){
		.now_us = ticker_now_us(),
		.upstream_usable = probe_is_usable(conductor->parts.probe),
		.paused = pause_holds(&conductor->pause) || conductor->company == COMPANY_BEFORE,
		.residency = conductor->parts.residency,
		.ring = conductor->parts.ring,
		.settings = conductor->settings,
		.in_progress = conductor->parts.tally->in_progress + conductor->others,
		.company = conductor->company,
		.others = conductor->others,
		.living = relay_jobs(conductor->parts.relay),
		.places = relay_places(conductor->parts.relay),
	};
}

static void look_again(struct conductor *conductor, int64_t wait_us)
{

	delay_start(conductor->wake, wait_us);
}

/* A runner is listed under the name that it was loaded under first, perhaps that of a copy. */
static const char *listed_as(const struct conductor *conductor, const struct runner *runner)
{
	const struct runners *runners = scheduler_runners(conductor->parts.scheduler);
	const struct residency *residency = conductor->parts.residency;

	for (size_t i = 0; i < residency_count(residency); i++) {
		const char *name = residency_at(residency, i)->name;

		if (strcmp(runners_name(runners, name), runner->model) == 0)
			return name;
	}
	return runner->model;
}

/* false: there is nothing more to do now. */
static bool carry_out(struct conductor *conductor, const struct scheduler_answer *answer)
{
	switch (answer->verdict) {
	case SCHEDULER_NOTHING:
		break;
	case SCHEDULER_DISPATCH:
		relay_dispatch(conductor->parts.relay, answer->job);
		return true;
	case SCHEDULER_LOOK:
		conductor->looking = answer->runner;
		loader_look(conductor->loader, answer->runner);
		return true;
	case SCHEDULER_UNLOAD:
		conductor->unloading = answer->runner;
		loader_unload(
			conductor->loader, answer->runner, listed_as(conductor, answer->runner));
		return true;
	case SCHEDULER_LOAD:
		conductor->loading = answer->runner;
		relay_load_begun(conductor->parts.relay, answer->runner);
		loader_load(conductor->loader, answer->runner,
			scheduler_keep_alive_of_load(
				conductor->parts.scheduler, answer->runner, conductor->parts.ring));
		return true;
	case SCHEDULER_FREE:
		loader_free(conductor->loader, answer->runner);
		return true;
	}
	return false;
}

static void touch(struct conductor *conductor)
{
	struct scheduler_view view = conductor_view(conductor);
	struct runner *runner = NULL;
	const char *keep_alive;

	if (!loader_may_touch(conductor->loader))
		return;
	keep_alive = scheduler_touch(conductor->parts.scheduler, &view, &runner);
	if (keep_alive)
		loader_touch(conductor->loader, runner, keep_alive);
}

/* Of a paused proxy, one after the other. */
static void unload_next(struct conductor *conductor)
{
	const struct conductor_parts *parts = &conductor->parts;
	struct runner runner = {.kind = RUNNER_GENERATES};

	/* One whose unload cannot begin is over at once. */
	while (parts->tally->in_progress == 0 && probe_is_usable(parts->probe) &&
		!loader_is_busy(conductor->loader) &&
		pause_next(&conductor->pause, parts->residency, &runner))
		loader_unload(conductor->loader, &runner, runner.model);
}

void conductor_send(struct conductor *conductor)
{
	struct scheduler_answer answer;

	do {
		struct scheduler_view view = conductor_view(conductor);

		answer = scheduler_next(conductor->parts.scheduler, &view);
		if (answer.look_again_us)
			look_again(conductor, answer.look_again_us - view.now_us);
	} while (carry_out(conductor, &answer));
}

void conductor_look_after(struct conductor *conductor)
{
	relay_test_patience(conductor->parts.relay);
	/* The other process may be using what is idle here; until this one is settled the next one
	 * only waits. */
	if (conductor->company == COMPANY_NONE || conductor->company == COMPANY_AFTER)
		unload_next(conductor);
	if (conductor->company == COMPANY_NONE)
		touch(conductor);
	passes_look_again(conductor->parts.passes);
	probe_set_busy(conductor->parts.probe,
		conductor->parts.tally->in_progress + conductor->parts.tally->queued > 0);
}
