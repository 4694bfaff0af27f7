#include "runner.h"

#include <stdlib.h>

#include <event2/event.h>

#include "conn.h"
#include "job.h"
#include "pace.h"
#include "sim.h"

/* Lines of one job in one turn when tokens take no time: then others get their turn. */
#define BURST_TOKENS 128
/* Steps that are made up for in one turn when the loop was late. */
#define STEPS_A_TURN 64
#define KILLED_TEXT "an error was encountered while running the model: unexpected EOF"

static void on_life(evutil_socket_t fd, short what, void *arg);
static void on_step(evutil_socket_t fd, short what, void *arg);

struct runner *runner_create(struct sim *sim, struct model *model, const struct runner_key *key)
{
	struct runner *runner = mem_zalloc(sizeof(*runner));
	double parallel =
		model->num_parallel > 0 ? model->num_parallel : sim->settings.num_parallel;

	runner->sim = sim;
	runner->model = model;
	runner->key = *key;
	runner->state = RUNNER_LOADING;
	runner->parallel = parallel < 1 ? 1 : (size_t)parallel;
	TAILQ_INIT(&runner->joining);
	TAILQ_INIT(&runner->waiting);
	TAILQ_INIT(&runner->active);
	event_assign(&runner->life, sim->loop, -1, 0, on_life, runner);
	event_assign(&runner->step, sim->loop, -1, 0, on_step, runner);
	return runner;
}

void runner_free(struct runner *runner)
{
	struct job *job;

	while ((job = TAILQ_FIRST(&runner->active)) != NULL) {
		TAILQ_REMOVE(&runner->active, job, link);
		job_free(job);
	}
	event_del(&runner->life);
	event_del(&runner->step);
	free(runner);
}

static void start_life_timer(struct runner *runner, int64_t real_ns)
{
	struct timeval wait = pace_timeval(real_ns);

	event_add(&runner->life, &wait);
}

static void start_life_timer_ms(struct runner *runner, double simulated_ms)
{
	start_life_timer(runner, pace_scaled(simulated_ms * (double)NS_PER_MS));
}

void runner_load(struct runner *runner)
{
	start_life_timer_ms(runner, runner->model->load_ms);
}

static void begin_unload(struct runner *runner)
{
	runner->state = RUNNER_UNLOADING;
	start_life_timer_ms(runner, runner->model->unload_ms);
}

static void on_life(evutil_socket_t fd, short what, void *arg)
{
	struct runner *runner = arg;

	switch (runner->state) {
	case RUNNER_LOADING:
		if (!runner->fails_load)
			runner->state = RUNNER_READY;
		loader_load_ended(&runner->sim->loader, runner, !runner->fails_load);
		break;
	case RUNNER_READY: /* keep_alive is over */
		if (runner->references == 0)
			begin_unload(runner);
		break;
	case RUNNER_UNLOADING:
		loader_unloaded(&runner->sim->loader, runner);
		break;
	}
}

void runner_evict(struct runner *runner)
{
	runner->keep_alive = 0;
	runner->is_evicted = true;
	if (runner->references > 0)
		return;
	event_del(&runner->life);
	begin_unload(runner);
}

void runner_release(struct runner *runner)
{
	if (--runner->references > 0 || runner->state != RUNNER_READY)
		return;
	if (runner->keep_alive <= 0) {
		begin_unload(runner);
		return;
	}
	runner->expires_wall = pace_wall();
	runner->expires_keep = runner->keep_alive;
	if (runner->keep_alive != PACE_FOREVER)
		start_life_timer(runner, runner->keep_alive);
	else
		event_del(&runner->life);
}

void runner_add_expiry(const struct runner *runner, struct bytes *json)
{
	if (runner->expires_wall == 0)
		pace_add_stamp_after(json, pace_wall(), runner->keep_alive);
	else
		pace_add_stamp_after(json, runner->expires_wall, runner->expires_keep);
}

/* How much slower everything is with the slots as busy as they are. */
static double slow_down(const struct runner *runner)
{
	return runner->busy_slots < 2 ? 1
				      : 1 + runner->model->alpha * (double)(runner->busy_slots - 1);
}

int64_t runner_prefill_ns(const struct runner *runner, size_t tokens)
{
	double speed = runner->model->prompt_tokens_per_s;

	return speed <= 0
		       ? 0
		       : pace_scaled((double)tokens / speed * (double)NS_PER_S * slow_down(runner));
}

static int64_t step_ns(const struct runner *runner)
{
	double speed = runner->model->tokens_per_s;

	return speed <= 0 ? 0 : pace_scaled((double)NS_PER_S / speed * slow_down(runner));
}

/* Slots that are free go to those who wait. Not recursive: a job may be done before this returns.
 */
static void fill_slots(struct runner *runner)
{
	struct job *job;

	if (runner->is_filling)
		return;
	runner->is_filling = true;
	while (runner->busy_slots < runner->parallel &&
		(job = TAILQ_FIRST(&runner->waiting)) != NULL) {
		TAILQ_REMOVE(&runner->waiting, job, link);
		runner->waiting_count--;
		TAILQ_INSERT_TAIL(&runner->active, job, link);
		runner->busy_slots++;
		job->has_slot = true;
		runner->model->stats.started++;
		job_take_slot(job);
	}
	runner->is_filling = false;
}

void runner_enter(struct runner *runner, struct job *job)
{
	job->state = JOB_WAITING;
	TAILQ_INSERT_TAIL(&runner->waiting, job, link);
	runner->waiting_count++;
	/* The job that is granted may be done, and with it the last reference, before we are. */
	runner->references++;
	fill_slots(runner);
	runner_release(runner);
}

void runner_leave(struct runner *runner, struct job *job)
{
	if (job->has_slot) {
		job->has_slot = false;
		TAILQ_REMOVE(&runner->active, job, link);
		runner->busy_slots--;
		fill_slots(runner);
	} else if (job->state == JOB_WAITING) {
		TAILQ_REMOVE(&runner->waiting, job, link);
		runner->waiting_count--;
	}
}

static void schedule_step(struct runner *runner, int64_t wait_ns)
{
	struct timeval wait = pace_timeval(wait_ns);

	runner->is_stepping = true;
	event_add(&runner->step, &wait);
}

/* Tokens that take no time; false if the job still has some and may go on. */
static bool burst(struct job *job, bool *ret_progress)
{
	for (int i = 0; i < BURST_TOKENS; i++) {
		if (conn_is_clogged(job->conn))
			return false;
		*ret_progress = true;
		if (!job_emit(job))
			return true;
	}
	return false;
}

void runner_generate(struct runner *runner, struct job *job)
{
	int64_t step = step_ns(runner);
	bool progress;

	job->state = JOB_GENERATING;
	if (step == 0) {
		if (!burst(job, &progress) && !runner->is_stepping)
			schedule_step(runner, 0);
		return;
	}
	/* The first token comes with the end of the prefill, the next ones with the common steps.
	 */
	if (!job_emit(job) || runner->is_stepping)
		return;
	runner->next_step = pace_now() + step;
	schedule_step(runner, step);
}

/* One token for each that generates; true if there was one. */
static bool step_all(struct runner *runner, bool is_burst)
{
	struct job *job, *next;
	bool progress = false;

	for (job = TAILQ_FIRST(&runner->active); job != NULL; job = next) {
		next = TAILQ_NEXT(job, link);
		if (job->state != JOB_GENERATING)
			continue;
		if (is_burst) {
			(void)burst(job, &progress);
		} else if (conn_is_clogged(job->conn)) {
			progress = true; /* it misses this step; time goes on */
		} else {
			progress = true;
			if (!job_emit(job))
				continue;
		}
	}
	return progress;
}

static bool is_generating(const struct runner *runner)
{
	struct job *job;

	TAILQ_FOREACH(job, &runner->active, link)
	{
		if (job->state == JOB_GENERATING)
			return true;
	}
	return false;
}

static void meet_death(struct runner *runner)
{
	struct job *job;

	runner->is_dying = false;
	runner->is_dead = true;
	runner->references++;
	while ((job = TAILQ_FIRST(&runner->waiting)) != NULL)
		job_failed(job, 500, KILLED_TEXT);
	runner->is_filling = true; /* nobody new on a dead runner */
	while ((job = TAILQ_FIRST(&runner->active)) != NULL) {
		if (job->state == JOB_GHOST) {
			runner_leave(runner, job);
			job_free(job);
			continue;
		}
		job_failed(job, 500, KILLED_TEXT);
	}
	runner->is_filling = false;
	runner_release(runner);
}

static void on_step(evutil_socket_t fd, short what, void *arg)
{
	struct runner *runner = arg;
	int64_t step = step_ns(runner), now = pace_now();
	bool progress = false;

	runner->is_stepping = false;
	if (runner->is_dying) {
		meet_death(runner);
		return;
	}
	runner->references++; /* the jobs may end in here */
	if (step == 0) {
		progress = step_all(runner, true);
	} else {
		for (int i = 0; i < STEPS_A_TURN && runner->next_step <= now; i++) {
			progress = step_all(runner, false);
			runner->next_step += step_ns(runner);
			if (!progress)
				break;
		}
		progress |= runner->next_step > now && is_generating(runner);
	}
	if (progress && !runner->is_stepping)
		schedule_step(runner, step == 0 ? 0 : runner->next_step - pace_now());
	runner_release(runner);
}

void runner_wake(struct runner *runner)
{
	if (!runner->is_stepping && step_ns(runner) == 0)
		schedule_step(runner, 0);
}

void runner_kill(struct runner *runner)
{
	/* Not now: a step may be going through the jobs. */
	runner->is_dying = true;
	if (!runner->is_stepping)
		schedule_step(runner, 0);
}
