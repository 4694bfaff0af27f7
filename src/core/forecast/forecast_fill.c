#include "core/forecast/forecast_fill.h"

#include "core/job.h"
#include "core/places.h"
#include "core/ring.h"
#include "core/share.h"

struct filling {
	struct forecast *forecast;
	const struct scheduler_view *view;
	const struct runners *runners;
	double least_us; /* of the projects that wait; below 0: none does */
};

static size_t key_of(const struct filling *filling, const struct job *job)
{
	if (!filling->runners || !job->runner || job->runner->kind == RUNNER_NOT_LOCAL)
		return 0;
	return job->runner->forecast_key;
}

static double share_us(const struct job *job)
{
	return job->share ? job->share->served_us : 0;
}

static void fill_waiting(struct filling *filling, struct job *job)
{
	int64_t now_us = filling->view->now_us;
	int64_t first_us = job->came_us;
	struct forecast_job told = {
		.key = key_of(filling, job),
		.weight = job->policy.weight,
		.caps = {job->groups[GROUP_PROJECT], job->groups[GROUP_MODEL]},
		.first_us = first_us,
		.age_us = (double)(now_us - first_us),
		.ends_us = -1,
		.ret_start_us = &job->start_us,
	};

	/* The bound stood still while its runner was loaded up to now. */
	if (job->deadline_us)
		told.ends_us = (double)(job->deadline_us -
					(job->load_since_us ? job->load_since_us : now_us));
	if (filling->runners) {
		told.rank = (int)job->policy.job_class;
		told.project = places_project(job);
		told.served_us = share_us(job);
		if (filling->least_us < 0 || told.served_us < filling->least_us)
			filling->least_us = told.served_us;
	}
	forecast_add_job(filling->forecast, &told);
	if (filling->runners && job->runner &&
		(!job->runner->first || first_us < job->runner->first->came_us))
		job->runner->first = job;
}

static void fill_running(struct filling *filling, const struct job *job)
{
	const struct forecast_running running = {
		.key = key_of(filling, job),
		.rank = (int)job->policy.job_class,
		.held_us = (double)(filling->view->now_us - job->record.dispatched_us),
		.caps = {job->groups[GROUP_PROJECT], job->groups[GROUP_MODEL]},
	};

	if (job_holds_slot(job))
		forecast_add_running(filling->forecast, &running);
}

static void fill_ring(struct filling *filling)
{
	const struct scheduler_view *view = filling->view;

	for (size_t i = 0; i < ring_count(view->ring); i++) {
		struct job *job = ring_at(view->ring, i);

		if (job->state == JOB_QUEUED)
			fill_waiting(filling, job);
		else if (!view->living)
			fill_running(filling, job);
	}
}

/* false: nobody knows its runner any more. */
static bool find_key(const struct filling *filling, const struct place *place, size_t *ret_key)
{
	const struct list *node;

	*ret_key = 0;
	if (!filling->runners)
		return true;
	LIST_EACH(&filling->runners->all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (runner->key_hash != place->key)
			continue;
		*ret_key = runner->kind == RUNNER_NOT_LOCAL ? 0 : runner->forecast_key;
		return true;
	}
	return false;
}

static void fill_place(struct filling *filling, const struct place *place)
{
	int64_t now_us = filling->view->now_us;
	struct forecast_job told = {
		.weight = place->weight,
		.first_us = place->first_us,
		.age_us = (double)(now_us - place->first_us),
		.comes_us = filling->view->all_are_back ? 0 : (double)(place->back_us - now_us),
		.ends_us = -1,
	};

	if (place->until_us <= now_us || !find_key(filling, place, &told.key))
		return;
	if (filling->runners) {
		told.rank = (int)place->job_class;
		told.project = place->project;
		told.served_us = filling->least_us > 0 ? filling->least_us : 0;
	}
	forecast_add_job(filling->forecast, &told);
}

void forecast_fill(
	struct forecast *forecast, const struct scheduler_view *view, const struct runners *runners)
{
	struct filling filling = {
		.forecast = forecast, .view = view, .runners = runners, .least_us = -1};
	const struct list *node;

	if (view->living) {
		LIST_EACH(view->living, node)
		fill_running(&filling, CONTAINER_OF(node, const struct job, link));
	}
	fill_ring(&filling);
	for (size_t i = 0; view->places && i < view->places->count; i++)
		fill_place(&filling, &view->places->all[i]);
}
