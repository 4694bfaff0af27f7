#include "core/scheduler.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "config/settings.h"
#include "core/forecast/forecast.h"
#include "core/forecast/forecast_fill.h"
#include "core/job.h"
#include "core/models.h"
#include "core/residency.h"
#include "core/ring.h"
#include "core/share.h"
#include "core/turns/turns.h"

/* Weight of a new sample in the mean time that a slot is held: the last ten or so jobs count. */
#define SERVICE_WEIGHT 0.2
/* A load that ended without an answer may be what kills Ollama: tried twice, as a job is (PRODUCT
 * 3.11). */
enum { BROKEN_LOADS_MOST = 2, MODEL_BYTES = 256 };
/* Before anything was measured: a short answer. */
enum { SERVICE_PRIOR_US = 1000 * 1000 };

struct scheduler {
	double service_us; /* 0: none yet */
	struct lane *lane; /* FIFO's */
	bool was_known;	   /* what is loaded */
	bool is_fifo;
	int64_t used_us; /* a job held its slot until then */
	struct shares shares;
	struct models models;
	struct turns *turns;
	struct forecast *forecast;
};

static const char *const turn_state_names[] = {
#define X(symbol, name) name,
	TURN_STATES(X)
#undef X
};

const char *turn_state_name(enum turn_state state)
{
	return turn_state_names[state];
}

struct scheduler *scheduler_create(void)
{
	struct scheduler *scheduler = mem_zalloc(sizeof(*scheduler));

	shares_init(&scheduler->shares);
	models_init(&scheduler->models);
	scheduler->turns = turns_create(&scheduler->shares);
	scheduler->forecast = forecast_create();
	scheduler->lane = lane_create();
	return scheduler;
}

void scheduler_destroy(struct scheduler *scheduler)
{
	if (!scheduler)
		return;
	turns_destroy(scheduler->turns);
	forecast_destroy(scheduler->forecast);
	lane_destroy(scheduler->lane);
	models_finish(&scheduler->models);
	shares_finish(&scheduler->shares);
	free(scheduler);
}

uint64_t scheduler_free_slots(
	const struct scheduler *scheduler, const struct settings *settings, uint64_t in_progress)
{
	uint64_t most = (uint64_t)scheduler_slots(scheduler, settings);

	return in_progress < most ? most - in_progress : 0;
}

/* With turns only the loaded runners that have jobs, or the first one that comes. */
int64_t scheduler_slots(const struct scheduler *scheduler, const struct settings *settings)
{
	int64_t total = lane_total(settings);
	int64_t sum;

	if (settings->concurrency == CONCURRENCY_FIXED)
		return total;
	if (settings->scheduler == SCHEDULER_TURNS)
		sum = turns_slots(scheduler->turns, settings);
	else
		sum = lane_limit(scheduler->lane, settings);
	if (sum == 0)
		sum = settings->max_concurrent;
	return sum < total ? sum : total;
}

struct scheduler_answer scheduler_first(const struct scheduler_view *view, int64_t most)
{
	struct scheduler_answer first = {.verdict = SCHEDULER_NOTHING};

	if ((int64_t)view->in_progress >= most)
		return first;
	for (size_t i = 0; i < ring_count(view->ring); i++) {
		struct job *job = ring_at(view->ring, i);

		/* The ring is in order of arrival, but for those that came back to their place. */
		if (job->state != JOB_QUEUED || (first.job && job->came_us >= first.job->came_us))
			continue;
		/* Work past its deadline is never dispatched; its own timer ends it. */
		if (job_is_over(job, view->now_us))
			continue;
		if (job_is_capped(job))
			continue;
		first = (struct scheduler_answer){.verdict = SCHEDULER_DISPATCH, .job = job};
	}
	return first;
}

void scheduler_enter(struct scheduler *scheduler, const struct settings *settings, struct job *job,
	const struct peek_result *seen, int64_t now_us)
{
	job->came_us = job->record.body_complete_us ? job->record.body_complete_us : now_us;
	shares_enter(&scheduler->shares, job);
	if (job->record.model)
		models_enter(&scheduler->models, job);
	job->says_keep_alive = seen && seen->keep_alive == PEEK_KEEP_ALIVE_VALUE &&
			       job->record.family == API_NATIVE;
	job->unloads = job->says_keep_alive && seen->keep_alive_is_zero;
	scheduler->is_fifo = settings->scheduler == SCHEDULER_FIFO;
	turns_enter(scheduler->turns, job, seen, now_us);
}

void scheduler_groups(const struct scheduler *scheduler, const struct job *job,
	const struct job_group **ret_project, const struct job_group **ret_model)
{
	const char *project = job->record.project ? job->record.project : "";
	const char *model = job->record.model;
	const struct share *share = shares_find(&scheduler->shares, project);

	*ret_project = share ? &share->jobs : NULL;
	*ret_model = model ? models_find(&scheduler->models, model) : NULL;
}

/* FIFO: Ollama was restarted when what is loaded is not known any more. */
static void watch_residency(struct scheduler *scheduler, const struct residency *residency)
{
	bool is_known = residency && residency_asked_us(residency) != 0;

	if (scheduler->was_known && !is_known)
		lane_forget(scheduler->lane);
	scheduler->was_known = is_known;
}

static void look_sooner(int64_t *look_again_us, int64_t at_us)
{
	if (at_us && (!*look_again_us || at_us < *look_again_us))
		*look_again_us = at_us;
}

/* No job waits or runs, and what is loaded was looked at since the last one ended. */
static bool is_quiet(const struct scheduler *scheduler, const struct scheduler_view *view)
{
	if (view->in_progress > 0 || !residency_is_snapshot(view->residency) ||
		residency_asked_us(view->residency) <= scheduler->used_us)
		return false;
	for (size_t i = 0; i < ring_count(view->ring); i++) {
		if (ring_at(view->ring, i)->state == JOB_QUEUED)
			return false;
	}
	return true;
}

static struct scheduler_answer fifo_next(
	struct scheduler *scheduler, const struct scheduler_view *view)
{
	struct scheduler_answer answer;
	int64_t left;

	watch_residency(scheduler, view->residency);
	if (view->paused || !view->upstream_usable)
		return (struct scheduler_answer){.verdict = SCHEDULER_NOTHING};
	left = (int64_t)lane_busy(scheduler->lane, 0, view->now_us);
	answer = scheduler_first(view, lane_limit(scheduler->lane, view->settings) - left);
	if (answer.verdict == SCHEDULER_NOTHING && view->residency)
		answer = turns_next_own(scheduler->turns, view, is_quiet(scheduler, view));
	if (answer.verdict == SCHEDULER_NOTHING)
		look_sooner(&answer.look_again_us, lane_look_again_us(scheduler->lane));
	return answer;
}

struct scheduler_answer scheduler_next(
	struct scheduler *scheduler, const struct scheduler_view *view)
{
	if (view->settings->scheduler == SCHEDULER_TURNS)
		return turns_next(scheduler->turns, view);
	return fifo_next(scheduler, view);
}

/* NULL: it has no runner (turns). */
static struct lane *lane_of(const struct scheduler *scheduler, const struct job *job)
{
	if (scheduler->is_fifo)
		return scheduler->lane;
	return job->runner ? job->runner->lane : NULL;
}

void scheduler_sent(struct scheduler *scheduler, struct job *job)
{
	share_sent(job, turns_service_us(scheduler->turns, job));
	if (job->runner)
		turns_sent(scheduler->turns, job);
	if (job->runner && scheduler->is_fifo)
		turns_note_sending(scheduler->turns, job->runner);
	if (lane_of(scheduler, job))
		lane_sent(lane_of(scheduler, job), job);
}

void scheduler_released(
	struct scheduler *scheduler, struct job *job, int64_t held_us, int64_t now_us)
{
	job->record.slot_us += held_us;
	scheduler->used_us = now_us;
	share_released(job, held_us);
	if (job->runner)
		turns_released(job, now_us);
	if (lane_of(scheduler, job))
		lane_released(lane_of(scheduler, job), job, now_us);
}

void scheduler_answered(
	struct scheduler *scheduler, const struct job *job, const struct lane_answer *answer)
{
	struct lane *lane = lane_of(scheduler, job);

	if (lane)
		lane_answered(lane, job, answer);
	if (scheduler->is_fifo && job->runner)
		turns_note_answer(
			scheduler->turns, job->runner, answer->was_loaded, answer->now_us);
}

void scheduler_left(struct scheduler *scheduler, const struct job *job, int64_t now_us)
{
	struct lane *lane = lane_of(scheduler, job);
	int64_t batch = 0;

	if (job->runner && job->runner->has_option[PEEK_NUM_BATCH])
		batch = job->runner->option[PEEK_NUM_BATCH];
	if (lane)
		lane_left(lane, job, batch, now_us);
}

void scheduler_slot_freed(struct scheduler *scheduler, const struct job *job, int64_t held_us)
{
	double sample = (double)held_us;

	if (scheduler->service_us <= 0)
		scheduler->service_us = sample;
	else
		scheduler->service_us += SERVICE_WEIGHT * (sample - scheduler->service_us);
	if (job->runner)
		turns_note_service(scheduler->turns, job->runner, held_us);
}

int64_t scheduler_service_us(const struct scheduler *scheduler)
{
	return (int64_t)scheduler->service_us;
}

void scheduler_prepare(struct scheduler *scheduler, const struct settings *settings)
{
	shares_renew_caps(&scheduler->shares, &settings->rules);
	models_renew_caps(&scheduler->models, &settings->rules);
	turns_prepare(scheduler->turns, settings);
}

const char *scheduler_keep_alive_of_load(
	struct scheduler *scheduler, struct runner *runner, const struct ring *ring)
{
	return turns_keep_alive_of_load(scheduler->turns, runner, ring);
}

const char *scheduler_touch(
	struct scheduler *scheduler, const struct scheduler_view *view, struct runner **ret_runner)
{
	if (view->settings->scheduler == SCHEDULER_FIFO)
		return view->residency && is_quiet(scheduler, view)
			       ? turns_touch_own(scheduler->turns, view, ret_runner)
			       : NULL;
	return turns_touch(scheduler->turns, view, ret_runner);
}

bool scheduler_gives_way(const struct scheduler *scheduler, const char *model)
{
	char canonical[MODEL_BYTES];

	residency_canonical(model, canonical, sizeof(canonical));
	return turns_gives_way(scheduler->turns, canonical);
}

bool scheduler_means(
	const struct scheduler *scheduler, const char *model, const struct runner *runner)
{
	char canonical[MODEL_BYTES];

	if (!runner)
		return false;
	residency_canonical(model, canonical, sizeof(canonical));
	return strcmp(runners_name(turns_runners(scheduler->turns), canonical), runner->model) == 0;
}

void scheduler_note_same(struct scheduler *scheduler, const char *model)
{
	turns_note_same(scheduler->turns, model);
}

void scheduler_models_changed(struct scheduler *scheduler)
{
	turns_models_changed(scheduler->turns);
}

void scheduler_looked(struct scheduler *scheduler, enum runner_kind kind, int64_t now_us)
{
	turns_looked(scheduler->turns, kind, now_us);
}

void scheduler_unloaded(struct scheduler *scheduler, int64_t now_us)
{
	turns_unloaded(scheduler->turns, now_us);
}

void scheduler_loaded(
	struct scheduler *scheduler, int64_t took_us, int64_t loaded_us, int64_t now_us)
{
	turns_loaded(scheduler->turns, took_us, loaded_us, now_us);
}

bool scheduler_load_failed(struct scheduler *scheduler, bool is_answered, int64_t now_us)
{
	struct runner *runner = turns_loading(scheduler->turns);
	bool is_final;

	runner->broken_loads++;
	is_final = is_answered || runner->broken_loads >= BROKEN_LOADS_MOST;
	if (is_final) {
		runner->broken_loads = 0;
		runner->owes_preload = false;
		/* It may have been deleted, or made anew as one that is loaded by another path. */
		runner->kind = RUNNER_UNKNOWN;
	}
	turns_load_failed(scheduler->turns, now_us);
	return is_final;
}

const char *scheduler_load_project(const struct scheduler *scheduler)
{
	return turns_load_project(scheduler->turns);
}

void scheduler_load_refused(struct scheduler *scheduler, int64_t now_us)
{
	turns_load_failed(scheduler->turns, now_us);
}

bool scheduler_is_loading(const struct scheduler *scheduler, const struct job *job)
{
	return !scheduler->is_fifo && job->runner && job->runner == turns_loading(scheduler->turns);
}

bool scheduler_runs_elsewhere(const struct job *job)
{
	return job->runner && job->runner->kind == RUNNER_NOT_LOCAL;
}

void scheduler_report(struct scheduler *scheduler, const struct scheduler_view *view,
	struct scheduler_report *ret_report)
{
	if (view->settings->scheduler == SCHEDULER_TURNS)
		turns_report(scheduler->turns, view, ret_report);
	else
		*ret_report = (struct scheduler_report){
			.has_turns = false,
			.lane = lane_report(scheduler->lane, view->settings),
		};
}

/* What holds everybody; NULL: nothing does. */
static const char *gate(const struct scheduler_view *view)
{
	if (view->company == COMPANY_BEFORE)
		return "an upgrade: what came before it is served first";
	if (view->paused)
		return "paused by an operator";
	return view->upstream_usable ? NULL : "Ollama does not answer";
}

static void explain_cap(const struct job *job, char *reason)
{
	static const struct {
		int group;
		const char *whose;
	} caps[] = {{GROUP_PROJECT, "project"}, {GROUP_MODEL, "model"}};

	for (size_t i = 0; i < ARRAY_LENGTH(caps); i++) {
		const struct job_group *group = job->groups[caps[i].group];

		if (!group || !group->running_most || group->running < group->running_most)
			continue;
		snprintf(reason, SCHEDULER_REASON_BYTES, "its %s runs %" PRIu64 " of %" PRIu64,
			caps[i].whose, group->running, group->running_most);
		return;
	}
}

static int by_arrival(const void *one, const void *other)
{
	const struct job *a = *(struct job *const *)one;
	const struct job *b = *(struct job *const *)other;

	if (a->came_us != b->came_us)
		return a->came_us < b->came_us ? -1 : 1;
	return a->before < b->before ? -1 : 1;
}

/* Who came back to its place stands behind others in the ring. */
static void fifo_rank(const struct scheduler_view *view)
{
	size_t total = ring_count(view->ring);
	struct job **jobs = mem_zalloc_array(total + 1, sizeof(struct job *));
	size_t count = 0;

	for (size_t i = 0; i < total; i++) {
		struct job *job = ring_at(view->ring, i);

		if (job->state != JOB_QUEUED)
			continue;
		job->before = i; /* until they are sorted */
		jobs[count++] = job;
	}
	qsort(jobs, count, sizeof(struct job *), by_arrival);
	for (size_t i = 0; i < count; i++)
		jobs[i]->before = i;
	free(jobs);
}

void scheduler_rank(struct scheduler *scheduler, const struct scheduler_view *view)
{
	if (view->settings->scheduler == SCHEDULER_TURNS)
		turns_rank(scheduler->turns, view);
	else
		fifo_rank(view);
}

int64_t scheduler_explain(struct scheduler *scheduler, const struct scheduler_view *view,
	const struct job *job, char ret_reason[SCHEDULER_REASON_BYTES])
{
	const char *held_by = gate(view);
	int64_t place;

	if (view->settings->scheduler == SCHEDULER_TURNS) {
		place = turns_explain(scheduler->turns, view, job, ret_reason);
	} else {
		place = (int64_t)job->before + 1;
		snprintf(ret_reason, SCHEDULER_REASON_BYTES,
			"waits for a free slot, %lld before this one", (long long)place - 1);
	}
	explain_cap(job, ret_reason);
	if (held_by)
		snprintf(ret_reason, SCHEDULER_REASON_BYTES, "%s", held_by);
	return place;
}

/* Arrival order is the rule with one key that is always loaded. */
static void forecast_fifo(struct scheduler *scheduler, const struct scheduler_view *view)
{
	const struct forecast_box box = {
		.slots = (uint64_t)lane_limit(scheduler->lane, view->settings)};
	const struct forecast_key key = {
		.service_us = (double)scheduler_expected_us(scheduler, NULL),
		.parallel = box.slots,
		.is_resident = true,
	};

	forecast_begin(scheduler->forecast, &box);
	forecast_add_key(scheduler->forecast, &key);
	forecast_fill(scheduler->forecast, view, NULL);
	forecast_run(scheduler->forecast);
}

void scheduler_forecast(struct scheduler *scheduler, const struct scheduler_view *view)
{
	if (view->settings->scheduler == SCHEDULER_TURNS)
		turns_forecast(scheduler->turns, view, scheduler->forecast);
	else
		forecast_fifo(scheduler, view);
}

bool scheduler_loads_for(const struct scheduler *scheduler, const struct job *job)
{
	return !scheduler->is_fifo && turns_loads_for(scheduler->turns, job);
}

int64_t scheduler_expected_us(const struct scheduler *scheduler, const struct job *job)
{
	if (job && job->runner && !scheduler->is_fifo)
		return (int64_t)runner_service_us(turns_runners(scheduler->turns), job->runner);
	return scheduler->service_us > 0 ? (int64_t)scheduler->service_us : SERVICE_PRIOR_US;
}

const struct shares *scheduler_shares(const struct scheduler *scheduler)
{
	return &scheduler->shares;
}

const struct runners *scheduler_runners(const struct scheduler *scheduler)
{
	return turns_runners(scheduler->turns);
}
