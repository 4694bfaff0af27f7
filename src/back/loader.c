#include "back/loader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "back/errand.h"
#include "back/look.h"
#include "back/own_body.h"
#include "back/probe.h"
#include "base/delay.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "core/residency.h"
#include "json/lookup.h"

enum { US_PER_MS = 1000, STATUS_CLIENT_ERROR = 400 };

enum step {
	STEP_NONE,
	STEP_UNLOAD, /* the unload is being sent, or waits for a touch */
	STEP_GONE,   /* wait until /api/ps no longer lists it */
	STEP_LOAD,   /* the same with the load */
	STEP_SEEN,   /* loaded; wait for /api/ps to tell who is left */
};

/* The unload or load that is under way. */
struct turn {
	struct errand errand;
	struct event *timer; /* of STEP_GONE and STEP_SEEN */
	enum step step;
	char *model; /* as /api/ps lists it, canonical */
	char *body;
	const char *target;
	int64_t begun_us;
	int64_t step_us;     /* when the step began */
	int64_t answered_us; /* when Ollama answered the unload or the load */
};

struct loader {
	struct probe *probe;
	const struct residency *residency;
	struct settings *settings;
	struct loader_events events;
	struct look look;
	struct turn turn;
	struct errand side; /* a touch or a freeing */
};

static void set_step(struct turn *turn, enum step step)
{
	turn->step = step;
	turn->step_us = ticker_now_us();
}

/* Nothing is under way any more; the event that follows may begin the next. */
static void rest(struct turn *turn)
{
	set_step(turn, STEP_NONE);
	event_del(turn->timer);
	free(turn->model);
	free(turn->body);
	turn->model = turn->body = NULL;
}

static void end_unload(struct loader *loader)
{
	rest(&loader->turn);
	loader->events.on_unloaded(loader->events.arg);
}

static void end_load(struct loader *loader)
{
	struct turn *turn = &loader->turn;
	int64_t took_us = turn->answered_us - turn->begun_us;
	int64_t loaded_us = turn->answered_us;

	LOG(INFO, "loaded", LOG_TEXT("model", turn->model), LOG_NUMBER("ms", took_us / US_PER_MS));
	rest(turn);
	loader->events.on_loaded(loader->events.arg, took_us, loaded_us);
}

static void fail_load(struct loader *loader, const struct loader_failure *failure)
{
	LOG(WARN, "a load failed", LOG_TEXT("model", loader->turn.model),
		LOG_NUMBER("status", failure->status),
		LOG_TEXT("error", failure->text ? failure->text : outcome_text(failure->outcome)));
	rest(&loader->turn);
	loader->events.on_load_failed(loader->events.arg, failure);
}

/* Waiting for /api/ps. */

static bool is_listed(const struct loader *loader, const char *model)
{
	for (size_t i = 0; i < residency_count(loader->residency); i++) {
		if (strcmp(residency_at(loader->residency, i)->name, model) == 0)
			return true;
	}
	return false;
}

/* A load may take as long as an answer's first byte. */
static void ask(struct loader *loader)
{
	struct turn *turn = &loader->turn;
	int64_t limit_us = turn->step == STEP_LOAD
				   ? loader->settings->upstream_first_byte_timeout_ms * US_PER_MS
				   : LOADER_ANSWER_US;

	errand_ask(&turn->errand, turn->target, mem_strdup(turn->body), limit_us);
}

/* It is still listed, or /api/ps has not answered since. */
static void wait_on(struct loader *loader)
{
	struct turn *turn = &loader->turn;
	int64_t now_us = ticker_now_us();
	bool is_gone_step = turn->step == STEP_GONE;

	if (!probe_is_usable(loader->probe)) {
		loader_residency_changed(loader);
		return;
	}
	if (now_us - turn->begun_us >= LOADER_UNLOAD_US && is_gone_step) {
		LOG(WARN, "a model stays although it was unloaded: others use it",
			LOG_TEXT("model", turn->model));
		end_unload(loader);
		return;
	}
	if (now_us - turn->step_us >= LOADER_SEEN_US && !is_gone_step) {
		end_load(loader);
		return;
	}
	if (is_gone_step && now_us - turn->step_us >= LOADER_AGAIN_US) {
		set_step(turn, STEP_UNLOAD);
		ask(loader);
		return;
	}
	probe_refresh(loader->probe);
	delay_start(turn->timer, LOADER_POLL_US);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	wait_on(arg);
}

void loader_residency_changed(struct loader *loader)
{
	struct turn *turn = &loader->turn;
	bool is_fresh = residency_asked_us(loader->residency) >= turn->answered_us &&
			residency_asked_us(loader->residency) > 0;

	if (turn->step != STEP_GONE && turn->step != STEP_SEEN)
		return;
	/* Gone with Ollama; a model that was just loaded may be. */
	if (!probe_is_usable(loader->probe))
		is_fresh = true;
	if (!is_fresh)
		return;
	if (turn->step == STEP_SEEN)
		end_load(loader);
	else if (!probe_is_usable(loader->probe) || !is_listed(loader, turn->model))
		end_unload(loader);
}

/* Answers. */

static void take_load(struct loader *loader, int status, const char *text, size_t length)
{
	struct lookup error = {.path = "error"};
	struct loader_failure failure = {.status = status};

	if (status < STATUS_CLIENT_ERROR) {
		set_step(&loader->turn, STEP_SEEN);
		probe_refresh(loader->probe);
		delay_start(loader->turn.timer, LOADER_POLL_US);
		return;
	}
	failure.outcome = outcome_of_status(status);
	failure.text = "Ollama could not load the model";
	if (lookup_read(text, length, &error, 1) && error.is_found)
		failure.text = error.text;
	fail_load(loader, &failure);
}

static void on_answered(void *arg, int status, const char *text, size_t length)
{
	struct loader *loader = arg;

	loader->turn.answered_us = ticker_now_us();
	if (loader->turn.step == STEP_LOAD) {
		take_load(loader, status, text, length);
		return;
	}
	set_step(&loader->turn, STEP_GONE);
	if (status < STATUS_CLIENT_ERROR)
		loader->events.on_unload_answered(loader->events.arg);
	wait_on(loader);
}

static void on_failed(void *arg, enum outcome outcome, bool is_broken)
{
	struct loader *loader = arg;
	struct loader_failure failure = {.outcome = outcome, .is_broken = is_broken};

	if (loader->turn.step == STEP_LOAD) {
		if (outcome == OUTCOME_QUEUE_FULL)
			failure.text = outcome_no_means;
		fail_load(loader, &failure);
		return;
	}
	/* With Ollama gone its runners are; else it is told again. */
	if (is_broken) {
		end_unload(loader);
		return;
	}
	set_step(&loader->turn, STEP_GONE);
	delay_start(loader->turn.timer, LOADER_POLL_US);
}

static const struct errand_events turn_events = {on_answered, on_failed};

/* A touch or freeing ended; what waited for that begins. */
static void end_side(struct loader *loader)
{
	struct turn *turn = &loader->turn;
	bool is_waiting = (turn->step == STEP_UNLOAD || turn->step == STEP_LOAD) &&
			  !errand_is_under_way(&turn->errand);

	if (is_waiting)
		ask(loader);
	loader->events.on_touched(loader->events.arg);
}

static void on_side_answered(void *arg, int status, const char *text, size_t length)
{
	if (status >= STATUS_CLIENT_ERROR)
		LOG(WARN, "Ollama refused a keep_alive or an unload", LOG_NUMBER("status", status));
	end_side(arg);
}

static void on_side_failed(void *arg, enum outcome outcome, bool is_broken)
{
	end_side(arg);
}

static const struct errand_events side_events = {on_side_answered, on_side_failed};

static void on_looked(void *arg, enum runner_kind kind, const char *same)
{
	struct loader *loader = arg;

	loader->events.on_looked(loader->events.arg, kind, same);
}

/* Beginnings. */

static void begin(struct loader *loader, enum step step, const struct runner *runner,
	const char *model, char *body)
{
	struct turn *turn = &loader->turn;

	assert(turn->step == STEP_NONE);
	turn->model = mem_strdup(model);
	turn->body = body;
	turn->target = own_target(runner);
	turn->begun_us = ticker_now_us();
	turn->answered_us = turn->begun_us;
	set_step(turn, step);
	if (!errand_is_under_way(&loader->side))
		ask(loader);
}

void loader_look(struct loader *loader, const struct runner *runner)
{
	look_begin(&loader->look, runner);
}

bool loader_is_busy(const struct loader *loader)
{
	return loader->turn.step != STEP_NONE;
}

void loader_unload(struct loader *loader, const struct runner *runner, const char *listed_as)
{
	LOG(INFO, "unloading", LOG_TEXT("runner", runner->key));
	begin(loader, STEP_UNLOAD, runner, listed_as, own_body_unload(runner));
}

void loader_load(struct loader *loader, const struct runner *runner, const char *keep_alive)
{
	LOG(INFO, "loading", LOG_TEXT("runner", runner->key));
	begin(loader, STEP_LOAD, runner, runner->model, own_body_empty(runner, keep_alive));
}

bool loader_may_touch(const struct loader *loader)
{
	return loader->turn.step == STEP_NONE && !errand_is_under_way(&loader->side);
}

void loader_touch(struct loader *loader, const struct runner *runner, const char *keep_alive)
{
	assert(loader_may_touch(loader));
	LOG(DEBUG, "keep_alive", LOG_TEXT("runner", runner->key), LOG_TEXT("value", keep_alive));
	errand_ask(&loader->side, own_target(runner), own_body_empty(runner, keep_alive),
		LOADER_ANSWER_US);
}

void loader_free(struct loader *loader, const struct runner *runner)
{
	if (errand_is_under_way(&loader->side))
		return;
	LOG(WARN, "a load is stuck behind a model that Ollama does not let go: unloading it",
		LOG_TEXT("runner", runner->key));
	errand_ask(&loader->side, own_target(runner), own_body_unload(runner), LOADER_ANSWER_US);
}

/* Life. */

struct loader *loader_create(struct event_base *base, struct pool *pool, struct probe *probe,
	const struct residency *residency, struct settings *settings,
	const struct loader_events *events)
{
	struct loader *loader = mem_zalloc(sizeof(*loader));

	loader->probe = probe;
	loader->residency = residency;
	loader->settings = settings_take(settings);
	loader->events = *events;
	loader->turn.timer = evtimer_new(base, on_timer, loader);
	if (!loader->turn.timer)
		mem_out(sizeof(*loader));
	errand_init(&loader->turn.errand, base, pool, probe, settings, &turn_events, loader);
	errand_init(&loader->side, base, pool, probe, settings, &side_events, loader);
	look_init(&loader->look, base, pool, probe, settings, on_looked, loader);
	return loader;
}

void loader_set_settings(struct loader *loader, struct settings *settings)
{
	settings_take(settings);
	settings_return(loader->settings);
	loader->settings = settings;
	loader->turn.errand.settings = settings;
	loader->side.settings = settings;
	look_set_settings(&loader->look, settings);
}

void loader_destroy(struct loader *loader)
{
	if (!loader)
		return;
	look_finish(&loader->look);
	errand_finish(&loader->side);
	errand_finish(&loader->turn.errand);
	rest(&loader->turn);
	event_free(loader->turn.timer);
	settings_return(loader->settings);
	free(loader);
}
