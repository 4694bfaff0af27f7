#include "conductor.h"

#include <stdlib.h>

#include <event2/event.h>

#include "back/loader.h"
#include "back/probe.h"
#include "base/delay.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "core/tally.h"
#include "observe/stats.h"
#include "pause.h"
#include "relay/relay.h"
#include "watch.h"

struct conductor {
	struct conductor_parts parts;
	struct settings *settings;
	struct loader *loader;
	struct event *wake; /* the scheduler's look_again */
	const struct runner *loading;
	struct pause pause;
};

static void mark_changed(struct conductor *conductor)
{
	conductor->parts.on_changed(conductor->parts.arg);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	mark_changed(arg);
}

static void on_looked(void *arg, enum runner_kind kind)
{
	struct conductor *conductor = arg;

	scheduler_looked(conductor->parts.scheduler, kind, ticker_now_us());
	mark_changed(conductor);
}

static void on_unloaded(void *arg)
{
	struct conductor *conductor = arg;

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

	stats_add_load(conductor->parts.stats, took_us);
	relay_load_ended(conductor->parts.relay, conductor->loading);
	conductor->loading = NULL;
	scheduler_loaded(conductor->parts.scheduler, took_us, loaded_us, ticker_now_us());
	mark_changed(conductor);
}

static void on_load_failed(void *arg, const struct loader_failure *failure)
{
	struct conductor *conductor = arg;
	const struct runner *runner = conductor->loading;
	bool is_final = scheduler_load_failed(
		conductor->parts.scheduler, !failure->is_broken, ticker_now_us());

	conductor->loading = NULL;
	if (failure->outcome == OUTCOME_UPSTREAM_TIMEOUT)
		watch_silence(conductor->parts.watch, runner->model, runner->key,
			probe_is_usable(conductor->parts.probe) ? LIVENESS_LOADING : LIVENESS_DEAD);
	relay_load_ended(conductor->parts.relay, runner);
	if (is_final)
		relay_load_failed(conductor->parts.relay, runner, failure->outcome, failure->status,
			failure->text);
	mark_changed(conductor);
}

struct conductor *conductor_create(const struct conductor_parts *parts, struct settings *settings)
{
	struct conductor *conductor = mem_zalloc(sizeof(*conductor));
	const struct loader_events events = {
		.on_looked = on_looked,
		.on_unloaded = on_unloaded,
		.on_loaded = on_loaded,
		.on_load_failed = on_load_failed,
		.arg = conductor,
	};

	conductor->parts = *parts;
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

struct scheduler_view conductor_view(const struct conductor *conductor)
{
	return (struct scheduler_view){
		.now_us = ticker_now_us(),
		.upstream_usable = probe_is_usable(conductor->parts.probe),
		.paused = pause_holds(&conductor->pause),
		.residency = conductor->parts.residency,
		.ring = conductor->parts.ring,
		.settings = conductor->settings,
		.in_progress = conductor->parts.tally->in_progress,
	};
}

static void look_again(struct conductor *conductor, int64_t wait_us)
{

	delay_start(conductor->wake, wait_us);
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
		loader_look(conductor->loader, answer->runner);
		return true;
	case SCHEDULER_UNLOAD:
		loader_unload(conductor->loader, answer->runner);
		return true;
	case SCHEDULER_LOAD:
		conductor->loading = answer->runner;
		relay_load_begun(conductor->parts.relay, answer->runner);
		loader_load(conductor->loader, answer->runner);
		return true;
	}
	return false;
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
		loader_unload(conductor->loader, &runner);
}

void conductor_run(struct conductor *conductor)
{
	struct scheduler_answer answer;

	do {
		struct scheduler_view view = conductor_view(conductor);

		answer = scheduler_next(conductor->parts.scheduler, &view);
		if (answer.look_again_us)
			look_again(conductor, answer.look_again_us - view.now_us);
	} while (carry_out(conductor, &answer));
	unload_next(conductor);
	probe_set_busy(conductor->parts.probe,
		conductor->parts.tally->in_progress + conductor->parts.tally->queued > 0);
}
