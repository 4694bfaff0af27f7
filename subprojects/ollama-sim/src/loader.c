#include "loader.h"

#include <string.h>

#include "job.h"
#include "pace.h"
#include "runner.h"
#include "sim.h"

/* Ollama's ErrMaxQueue; two blanks. */
#define BUSY_TEXT "server busy, please try again.  maximum pending requests exceeded"
#define LOAD_FAILED_TEXT "llama runner process has terminated: exit status 2"

static void take_turns(struct loader *loader);

void loader_init(struct loader *loader, struct sim *sim)
{
	memset(loader, 0, sizeof(*loader));
	loader->sim = sim;
	TAILQ_INIT(&loader->runners);
	TAILQ_INIT(&loader->pending);
}

void loader_finish(struct loader *loader)
{
	struct job *job;
	struct runner *runner;

	if (loader->sim == NULL)
		return;
	if (loader->current != NULL)
		job_free(loader->current);
	while ((job = TAILQ_FIRST(&loader->pending)) != NULL) {
		TAILQ_REMOVE(&loader->pending, job, link);
		job_free(job);
	}
	while ((runner = TAILQ_FIRST(&loader->runners)) != NULL) {
		TAILQ_REMOVE(&loader->runners, runner, link);
		runner_free(runner);
	}
}

struct runner *loader_find(const struct loader *loader, const struct model *model)
{
	struct runner *runner;

	TAILQ_FOREACH(runner, &loader->runners, link)
	{
		if (runner->state != RUNNER_UNLOADING &&
			strcmp(runner->model->blob, model->blob) == 0)
			return runner;
	}
	return NULL;
}

static bool is_unloading(const struct loader *loader, const struct model *model)
{
	struct runner *runner;

	TAILQ_FOREACH(runner, &loader->runners, link)
	{
		if (runner->state == RUNNER_UNLOADING &&
			strcmp(runner->model->blob, model->blob) == 0)
			return true;
	}
	return false;
}

static bool needs_reload(const struct runner *runner, const struct job *job)
{
	return runner->is_dead || !ask_same_runner(&runner->key, &job->ask.key);
}

/* Ollama's useLoadedRunner: the explicit keep_alive overwrites even an eviction's mark. */
static void use_loaded(struct loader *loader, struct runner *runner, struct job *job)
{
	bool keeps_mark = runner->is_evicted && !loader->sim->settings.evict_revival;

	if (job->ask.has_keep_alive && !keeps_mark) {
		runner->keep_alive = job->ask.keep_alive;
		runner->is_evicted = false;
	}
	job_granted(job, runner, false);
}

static void make_pending(struct loader *loader, struct job *job)
{
	if (loader->pending_count >= (size_t)loader->sim->settings.max_queue) {
		loader->refused++;
		job_failed(job, 503, BUSY_TEXT);
		return;
	}
	job->state = JOB_PENDING;
	TAILQ_INSERT_TAIL(&loader->pending, job, link);
	loader->pending_count++;
}

void loader_submit(struct loader *loader, struct job *job)
{
	struct runner *runner = loader_find(loader, job->model);

	job->model->stats.requests++;
	if (runner != NULL && runner->state == RUNNER_LOADING &&
		ask_same_runner(&runner->key, &job->ask.key)) {
		job->state = JOB_JOINING;
		TAILQ_INSERT_TAIL(&runner->joining, job, link);
		return;
	}
	if (runner != NULL && runner->state == RUNNER_READY && !needs_reload(runner, job)) {
		use_loaded(loader, runner, job);
		return;
	}
	make_pending(loader, job);
	take_turns(loader);
}

static bool is_loading(const struct loader *loader)
{
	struct runner *runner;

	TAILQ_FOREACH(runner, &loader->runners, link)
	{
		if (runner->state == RUNNER_LOADING)
			return true;
	}
	return false;
}

static double memory_of(const struct model *model)
{
	return model->size_vram > 0 ? model->size_vram : model->size_ram;
}

static bool has_room(const struct loader *loader, const struct model *model)
{
	const struct settings *settings = &loader->sim->settings;
	double used = 0;
	size_t count = 0;
	struct runner *runner;

	TAILQ_FOREACH(runner, &loader->runners, link)
	{
		used += memory_of(runner->model);
		count++;
	}
	if (count == 0)
		return true; /* Ollama then loads what it can into memory, and the rest elsewhere */
	if (settings->max_loaded_models > 0 && count >= (size_t)settings->max_loaded_models)
		return false;
	return settings->vram <= 0 || used + memory_of(model) <= settings->vram;
}

/* Ollama's ByDurationAndName. */
static bool goes_first(const struct runner *one, const struct runner *other)
{
	if (one->keep_alive != other->keep_alive)
		return one->keep_alive < other->keep_alive;
	return strcmp(one->model->name, other->model->name) < 0;
}

/* Ollama's findRunnerToUnload: the first idle one of that order, else the first. */
static struct runner *find_victim(const struct loader *loader)
{
	struct runner *runner, *first = NULL, *first_idle = NULL;

	TAILQ_FOREACH(runner, &loader->runners, link)
	{
		if (runner->state != RUNNER_READY)
			continue;
		if (first == NULL || goes_first(runner, first))
			first = runner;
		if (runner->references == 0 &&
			(first_idle == NULL || goes_first(runner, first_idle)))
			first_idle = runner;
	}
	return first_idle != NULL ? first_idle : first;
}

static void begin_load(struct loader *loader)
{
	struct job *job = loader->current;
	struct runner *runner = runner_create(loader->sim, job->model, &job->ask.key);

	loader->current = NULL;
	runner->keep_alive =
		job->ask.has_keep_alive
			? job->ask.keep_alive
			: pace_scaled(loader->sim->settings.keep_alive_s * (double)NS_PER_S);
	runner->fails_load = job->fails_load;
	TAILQ_INSERT_TAIL(&loader->runners, runner, link);
	job->owns_load = true;
	job->state = JOB_JOINING;
	TAILQ_INSERT_HEAD(&runner->joining, job, link);
	runner_load(runner);
}

/* One step with the pending request in work; false: it has to wait. */
static bool work_on_current(struct loader *loader)
{
	struct job *job = loader->current;
	struct runner *runner = loader_find(loader, job->model);
	struct runner *victim = NULL;

	if (job->conn == NULL) {
		loader->current = NULL;
		job_free(job);
		return true;
	}
	if (runner != NULL && !needs_reload(runner, job)) {
		loader->current = NULL;
		use_loaded(loader, runner, job);
		return true;
	}
	if (runner != NULL) {
		victim = runner;
	} else if (!is_unloading(loader, job->model)) {
		if (has_room(loader, job->model)) {
			begin_load(loader);
			return true;
		}
		victim = find_victim(loader);
	}
	loader->waits_for_unload = true;
	if (victim != NULL)
		runner_evict(victim);
	return false;
}

/* Ollama's processPending. A load in progress holds everything behind it back. */
static void take_turns(struct loader *loader)
{
	if (loader->is_turning)
		return;
	loader->is_turning = true;
	while (!loader->waits_for_unload && !is_loading(loader)) {
		if (loader->current == NULL) {
			loader->current = TAILQ_FIRST(&loader->pending);
			if (loader->current == NULL)
				break;
			TAILQ_REMOVE(&loader->pending, loader->current, link);
			loader->pending_count--;
		}
		if (!work_on_current(loader))
			break;
	}
	loader->is_turning = false;
}

void loader_unload(struct loader *loader, struct model *model)
{
	struct runner *runner = loader_find(loader, model);

	if (runner != NULL && runner->state == RUNNER_READY)
		runner_evict(runner);
}

void loader_unloaded(struct loader *loader, struct runner *runner)
{
	TAILQ_REMOVE(&loader->runners, runner, link);
	runner->model->stats.unloads++;
	runner_free(runner);
	loader->waits_for_unload = false;
	take_turns(loader);
}

/* The joining ones of a runner that will not come: its owner gets the error, the others load for
 * themselves. */
static void fail_joining(struct loader *loader, struct runner *runner)
{
	struct job_list joining = TAILQ_HEAD_INITIALIZER(joining);
	struct job *job;

	TAILQ_CONCAT(&joining, &runner->joining, link);
	TAILQ_REMOVE(&loader->runners, runner, link);
	runner_free(runner);
	while ((job = TAILQ_FIRST(&joining)) != NULL) {
		TAILQ_REMOVE(&joining, job, link);
		if (job->owns_load)
			job_failed(job, 500, LOAD_FAILED_TEXT);
		else
			make_pending(loader, job);
	}
}

void loader_load_ended(struct loader *loader, struct runner *runner, bool is_good)
{
	struct job *job;

	if (!is_good) {
		fail_joining(loader, runner);
		take_turns(loader);
		return;
	}
	runner->model->stats.loads++;
	/* A hold of our own: the first of them may be done before the second is granted. */
	runner->references++;
	while ((job = TAILQ_FIRST(&runner->joining)) != NULL) {
		TAILQ_REMOVE(&runner->joining, job, link);
		if (!job->owns_load && job->ask.has_keep_alive)
			runner->keep_alive = job->ask.keep_alive;
		job->owns_load = false;
		job_granted(job, runner, true);
	}
	runner_release(runner);
	take_turns(loader);
}

void loader_abandon(struct loader *loader, struct job *job)
{
	if (job->state == JOB_PENDING)
		return; /* keeps its place */
	struct runner *runner = loader_find(loader, job->model);
	TAILQ_REMOVE(&runner->joining, job, link);
	bool owned = job->owns_load;
	job_free(job);
	if (!owned)
		return;
	runner->model->stats.loads_aborted++;
	fail_joining(loader, runner);
	take_turns(loader);
}

void loader_reset(struct loader *loader)
{
	struct runner *runner;

	TAILQ_FOREACH(runner, &loader->runners, link)
	{
		if (runner->state == RUNNER_READY)
			runner_evict(runner);
	}
}
