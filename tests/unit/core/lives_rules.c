/*
 * Classes, weights and caps in the lives (PRODUCT 3.4, 5): what is said of projects and models, and
 * the promises that follow from it.
 */
#include "core/residency.h"
#include "core/scheduler.h"
#include "lives_parts.h"

enum {
	US_PER_MS = 1000,
	AGEING_MS = 45000, /* where max_turn_wait is off */
	WEIGHTS = 4,
};

#define PRIORITIES_SHARE 3
#define CAPS_SHARE 3

static uint64_t mix(uint64_t *state)
{
	uint64_t mixed = *state += 0x9e3779b97f4a7c15;

	mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
	mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
	return (mixed ^ (mixed >> 31)) >> 8;
}

/* A small cap, mostly none. */
static int64_t some_cap(uint64_t *state, unsigned most)
{
	uint64_t drawn = mix(state);

	return drawn % CAPS_SHARE ? 0 : (int64_t)(1 + drawn / CAPS_SHARE % most);
}

/* Half of the worlds have rules. */
void rules_make(struct lives_rules *rules, uint64_t seed)
{
	uint64_t state = ~seed * 3;

	if (seed / 8 % 2 == 0)
		return;
	for (int i = 0; i < PROJECTS; i++) {
		struct policy *policy = &rules->projects[i];

		policy->job_class = (enum job_class)(CLASS_BATCH + mix(&state) % 3);
		policy->weight = (double)(1 + mix(&state) % WEIGHTS) / 2;
		policy->project_max_concurrent = some_cap(&state, 3);
		policy->project_max_queue_size = some_cap(&state, 8);
	}
	for (int i = 0; i < MODELS; i++) {
		rules->model_running_most[i] = some_cap(&state, 3);
		rules->model_waiting_most[i] = some_cap(&state, 8);
	}
	rules->has_priorities = mix(&state) % PRIORITIES_SHARE == 0;
}

struct policy rules_policy(const struct lives_rules *rules, const struct carried *carried,
	const struct settings *settings, uint32_t how)
{
	struct policy policy = rules->projects[carried->project];

	policy.timeout_ms = settings->default_timeout_ms;
	policy.model_max_concurrent = rules->model_running_most[carried->model];
	policy.model_max_queue_size = rules->model_waiting_most[carried->model];
	if (policy.weight <= 0) {
		policy.weight = 1;
		policy.job_class = CLASS_NORMAL;
	}
	if (rules->has_priorities)
		policy.job_class = (enum job_class)(CLASS_BATCH + how % 3);
	return policy;
}

static void count(struct crowd *crowd, enum job_state state)
{
	crowd->waiting += state == JOB_QUEUED;
	crowd->running += state != JOB_QUEUED;
}

struct crowd world_project_crowd(const struct world *world, unsigned project)
{
	struct crowd crowd = {0};

	for (int state = JOB_QUEUED; state <= JOB_STREAMING; state++) {
		for (size_t i = 0; i < world->in_state_count[state]; i++) {
			if (world->in_state[state][i]->project == project)
				count(&crowd, (enum job_state)state);
		}
	}
	return crowd;
}

/* Some jobs name no model: nothing of a model bounds them. */
struct crowd world_model_crowd(const struct world *world, unsigned model)
{
	struct crowd crowd = {0};

	for (int state = JOB_QUEUED; state <= JOB_STREAMING; state++) {
		for (size_t i = 0; i < world->in_state_count[state]; i++) {
			const struct carried *carried = world->in_state[state][i];

			if (carried->model == model && carried->job.record.model)
				count(&crowd, (enum job_state)state);
		}
	}
	return crowd;
}

static bool is_reached(uint64_t value, int64_t most)
{
	return most > 0 && value >= (uint64_t)most;
}

bool world_is_capped(const struct world *world, const struct carried *carried)
{
	const struct lives_rules *rules = &world->rules;
	int64_t of_project = rules->projects[carried->project].project_max_concurrent;
	int64_t of_model =
		carried->job.record.model ? rules->model_running_most[carried->model] : 0;

	if (of_project &&
		is_reached(world_project_crowd(world, carried->project).running, of_project))
		return true;
	return of_model && is_reached(world_model_crowd(world, carried->model).running, of_model);
}

/* Of all that wait, and of this one. */
static bool is_of_one_class(const struct world *world, const struct carried *carried)
{
	for (size_t i = 0; i < world->in_state_count[JOB_QUEUED]; i++) {
		if (world->in_state[JOB_QUEUED][i]->job.policy.job_class !=
			carried->job.policy.job_class)
			return false;
	}
	return true;
}

enum job_class world_class(const struct world *world, const struct carried *carried)
{
	int64_t span_ms =
		world->settings.max_turn_wait_ms > 0 ? world->settings.max_turn_wait_ms : AGEING_MS;
	int64_t age_us = world->now_us - carried->first_us;
	int64_t job_class = (int64_t)carried->job.policy.job_class + age_us / (span_ms * US_PER_MS);

	if (is_of_one_class(world, carried))
		return carried->job.policy.job_class;
	return job_class < CLASS_INTERACTIVE ? (enum job_class)job_class : CLASS_INTERACTIVE;
}

/* The last slot of its project or model may be kept for an older job, overdue for another model. */
static bool may_be_held_back(const struct world *world, const struct carried *carried)
{
	const struct lives_rules *rules = &world->rules;
	int64_t most_us = world->settings.max_turn_wait_ms * US_PER_MS;

	if (!carried->job.runner || !carried->job.runner->is_resident)
		return false;
	for (size_t i = 0; i < world->in_state_count[JOB_QUEUED] && most_us > 0; i++) {
		const struct carried *other = world->in_state[JOB_QUEUED][i];
		bool is_project = other->project == carried->project &&
				  rules->projects[other->project].project_max_concurrent > 0;
		bool is_model = other->model == carried->model &&
				rules->model_running_most[other->model] > 0;

		if ((is_project || is_model) && other->first_us < carried->first_us &&
			world->now_us - other->first_us >= most_us && other->job.runner &&
			!other->job.runner->is_resident)
			return true;
	}
	return false;
}

/* As far as it depends on the job. */
bool world_may_go(const struct world *world, const struct carried *carried)
{
	const struct job *job = &carried->job;

	return carried->expected == JOB_QUEUED && !world_is_capped(world, carried) &&
	       !job_is_over(job, world->now_us) && !may_be_held_back(world, carried);
}

void check_rules_dispatch(struct world *world, const struct carried *carried)
{
	const struct job *job = &carried->job;

	world_demand(world, !world_is_capped(world, carried),
		"caps: more of a project or a model run than may");
	world->seen->promoted += world_class(world, carried) > job->policy.job_class;
	for (size_t i = 0; i < world->in_state_count[JOB_QUEUED]; i++) {
		const struct carried *other = world->in_state[JOB_QUEUED][i];

		world->seen->capped +=
			other->place < carried->place && world_is_capped(world, other);
		if (!world_has_turns(world) || !job->runner || other->job.runner != job->runner ||
			residency_asked_us(world->residency) == 0)
			continue;
		world_demand(world,
			world_class(world, other) <= world_class(world, carried) ||
				!world_may_go(world, other),
			"class: one of a higher class waits for the same runner");
	}
}

void check_places(struct world *world, const struct carried *carried, enum outcome refusal)
{
	const struct lives_rules *rules = &world->rules;
	bool is_full = is_reached(world_project_crowd(world, carried->project).waiting,
			       rules->projects[carried->project].project_max_queue_size) ||
		       is_reached(world_model_crowd(world, carried->model).waiting,
			       rules->model_waiting_most[carried->model]);

	world_demand(world, (refusal == OUTCOME_NONE) == !is_full,
		"places: of a project or model, given or refused wrongly");
	world->seen->crowded += is_full;
}

struct carried *world_capped(const struct world *world)
{
	for (size_t i = 0; i < world->in_state_count[JOB_QUEUED]; i++) {
		if (world_is_capped(world, world->in_state[JOB_QUEUED][i]))
			return world->in_state[JOB_QUEUED][i];
	}
	return NULL;
}

struct carried *world_outclassed(const struct world *world, const struct carried *by)
{
	for (size_t i = 0; i < world->in_state_count[JOB_QUEUED] && by->job.runner; i++) {
		struct carried *other = world->in_state[JOB_QUEUED][i];

		if (other->job.runner == by->job.runner && world_may_go(world, other) &&
			world_class(world, other) < world_class(world, by))
			return other;
	}
	return NULL;
}
