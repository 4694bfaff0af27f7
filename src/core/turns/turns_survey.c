/* Who waits, for what, and who of a runner's goes first (PRODUCT 3.4). */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/settings.h"
#include "core/lane.h"
#include "core/ring.h"
#include "core/turns/turns_parts.h"

enum {
	US_PER_MS = 1000,
	/* With max_turn_wait off classes age all the same: its default. */
	AGEING_MS = 45000,
	/* Of so many, the oldest, one may have a slot kept: a decision is to stay cheap. */
	KEPT_MOST = 128,
};

#define SECOND_US 1e6
/* A project may be so many loads, with all slots, ahead of the least served one. */
#define FAIR_LEAD_LOADS 1.0
const double turns_class_weight[CLASSES] = {
	[CLASS_BATCH] = 0.25, [CLASS_NORMAL] = 1, [CLASS_INTERACTIVE] = 4};

/* Work past its deadline, or too late for its client, is never dispatched; its own timer ends it.
 */
static bool may_still_go(const struct job *job, int64_t now_us)
{
	return job->state == JOB_QUEUED && !job_is_over(job, now_us);
}

bool turns_is_loose(const struct job *job)
{
	return !job->runner || job->runner->kind == RUNNER_NOT_LOCAL;
}

int64_t turns_ageing_us(const struct scheduler_view *view)
{
	int64_t most_ms = view->settings->max_turn_wait_ms;

	if (ring_has_one_class(view->ring))
		return 0;
	return (most_ms > 0 ? most_ms : AGEING_MS) * US_PER_MS;
}

static enum job_class aged(const struct job *job, int64_t now_us, int64_t ageing_us)
{
	enum job_class job_class = job->policy.job_class;

	for (int64_t due_us = job->came_us + ageing_us;
		ageing_us > 0 && job_class < CLASS_INTERACTIVE && due_us <= now_us;
		due_us += ageing_us)
		job_class++;
	return job_class;
}

enum job_class turns_class(const struct job *job, const struct scheduler_view *view)
{
	return aged(job, view->now_us, turns_ageing_us(view));
}

static double served_us(const struct job *job)
{
	return job->share->served_us;
}

bool turns_goes_before(const struct job *one, enum job_class one_class, const struct job *other,
	enum job_class other_class)
{
	double one_us = served_us(one);
	double other_us = served_us(other);

	if (one_class != other_class)
		return one_class > other_class;
	if (one_us < other_us || one_us > other_us)
		return one_us < other_us;
	return one->came_us < other->came_us;
}

static void clear(struct turns *turns, size_t places)
{
	struct turns_survey *survey = &turns->survey;
	struct list *node;

	if (survey->places < places) {
		free(survey->ready);
		survey->ready = mem_zalloc_array(places, sizeof(survey->ready[0]));
		survey->places = places;
	}
	survey->count = 0;
	survey->loose = NULL;
	survey->unlooked = NULL;
	for (int i = 0; i < CLASSES; i++)
		survey->least_us[i] = -1;
	LIST_EACH(&turns->runners.all, node)
	memset(&CONTAINER_OF(node, struct runner, link)->survey, 0, sizeof(struct runner_survey));
}

static void keep_for(struct turns_survey *survey, const struct job *job, int which)
{
	struct job_group *group = job->groups[which];

	if (!group || group->running + 1 < group->running_most || group->running_most == 0 ||
		(group->kept_in == survey->number && group->kept_since_us <= job->came_us))
		return;
	group->kept_in = survey->number;
	group->kept_since_us = job->came_us;
	survey->is_kept = true;
}

/* One that is overdue, but capped, makes no key wait: jobs of its project (its model) on loaded
 * runners would take each slot that falls free, until its deadline. */
static void gather_kept(struct turns_survey *survey, const struct scheduler_view *view)
{
	int64_t most_us = view->settings->max_turn_wait_ms * US_PER_MS;
	size_t total = most_us > 0 ? ring_count(view->ring) : 0;
	size_t count;

	if (total > KEPT_MOST)
		total = KEPT_MOST;
	survey->number++;
	survey->is_kept = false;
	for (size_t from = 0; from < total; from += count) {
		struct job *const *jobs = ring_stretch(view->ring, from, &count);

		for (size_t i = 0; i < count && from + i < total; i++) {
			const struct job *job = jobs[i];

			/* The oldest stand first, but for those that came back to their place. */
			if (view->now_us - job->came_us < most_us)
				return;
			if (turns_is_loose(job) || turns_is_there(job->runner) ||
				!may_still_go(job, view->now_us))
				continue;
			keep_for(survey, job, GROUP_PROJECT);
			keep_for(survey, job, GROUP_MODEL);
		}
	}
}

static bool is_kept_from(
	const struct turns_survey *survey, const struct job_group *group, const struct job *job)
{
	return group && group->kept_in == survey->number && job->came_us > group->kept_since_us;
}

bool turns_is_held_back(const struct turns_survey *survey, const struct job *job)
{
	/* One without a runner goes out at once (PRODUCT 3.3). */
	return survey->is_kept && !turns_is_loose(job) && turns_is_there(job->runner) &&
	       (is_kept_from(survey, job->groups[GROUP_PROJECT], job) ||
		       is_kept_from(survey, job->groups[GROUP_MODEL], job));
}

/* Those that may go, and the least counter of each class and those above it. */
static void gather(struct turns_survey *survey, const struct scheduler_view *view)
{
	size_t total = ring_count(view->ring);
	int64_t age_us = turns_ageing_us(view);
	size_t count;

	for (size_t from = 0; from < total; from += count) {
		struct job *const *jobs = ring_stretch(view->ring, from, &count);

		for (size_t i = 0; i < count; i++) {
			struct job *job = jobs[i];
			struct turns_ready *ready = &survey->ready[survey->count];
			double *least_us;

			if (!may_still_go(job, view->now_us) || job_is_capped(job))
				continue;
			if (turns_is_held_back(survey, job))
				continue;
			ready->job = job;
			ready->job_class = aged(job, view->now_us, age_us);
			survey->count++;
			least_us = &survey->least_us[ready->job_class];
			if (*least_us < 0 || served_us(job) < *least_us)
				*least_us = served_us(job) > 0 ? served_us(job) : 0;
		}
	}
	for (int i = CLASSES - 1; i > 0; i--) {
		double *lower_us = &survey->least_us[i - 1];

		if (survey->least_us[i] >= 0 && (*lower_us < 0 || survey->least_us[i] < *lower_us))
			*lower_us = survey->least_us[i];
	}
}

static void survey_job(
	struct turns *turns, const struct turns_ready *ready, int64_t now_us, double lead_us)
{
	struct job *job = ready->job;
	struct runner_survey *survey = &job->runner->survey;
	bool counts = served_us(job) <= turns->survey.least_us[ready->job_class] + lead_us;

	if (survey->waiting++ == 0 || job->came_us < survey->oldest_us)
		survey->oldest_us = job->came_us;
	if (counts)
		survey->weight += turns_class_weight[ready->job_class] *
				  (SECOND_US + (double)(now_us - job->came_us));
	survey->counts |= counts;
	if (!survey->cause || (counts && !survey->is_cause_counted)) {
		survey->cause = job;
		survey->is_cause_counted = counts;
	}
	if (ready->job_class > survey->job_class)
		survey->job_class = ready->job_class;
	survey->is_interactive |= job->policy.job_class == CLASS_INTERACTIVE;
	if (!survey->next ||
		turns_goes_before(job, ready->job_class, survey->next, survey->next_class)) {
		survey->next = job;
		survey->next_class = ready->job_class;
	}
	if (job->runner->kind == RUNNER_UNKNOWN && !turns->survey.unlooked)
		turns->survey.unlooked = job->runner;
}

static void survey_loose(struct turns_survey *survey, const struct turns_ready *ready)
{
	if (survey->loose && !turns_goes_before(ready->job, ready->job_class, survey->loose,
				     survey->loose_class))
		return;
	survey->loose = ready->job;
	survey->loose_class = ready->job_class;
}

void turns_survey(struct turns *turns, const struct scheduler_view *view)
{
	struct turns_survey *survey = &turns->survey;
	double load_us = turns->runners.load_us > 0 ? turns->runners.load_us : SECOND_US;

	clear(turns, ring_count(view->ring));
	gather_kept(survey, view);
	gather(survey, view);
	for (size_t i = 0; i < survey->count; i++) {
		if (turns_is_loose(survey->ready[i].job))
			survey_loose(survey, &survey->ready[i]);
		else
			survey_job(turns, &survey->ready[i], view->now_us,
				FAIR_LEAD_LOADS * load_us *
					(double)lane_limit(survey->ready[i].job->runner->lane,
						view->settings));
	}
}
