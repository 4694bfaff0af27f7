#include "core/share.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/rules.h"
#include "core/match.h"

/* Projects without jobs are forgotten beyond this: their counters would be lifted anyway. */
enum { SHARES_MOST = 256 };

void shares_init(struct shares *shares)
{
	list_init(&shares->all);
	shares->count = 0;
}

static void remove_share(struct shares *shares, struct share *share)
{
	list_remove(&share->link);
	shares->count--;
	free(share->project);
	free(share);
}

void shares_finish(struct shares *shares)
{
	struct list *node;
	struct list *following;

	LIST_EACH_SAFE(&shares->all, node, following)
	remove_share(shares, CONTAINER_OF(node, struct share, link));
}

static bool is_idle(const struct share *share)
{
	return share->jobs.waiting + share->jobs.running == 0;
}

static bool may_be_forgotten(const struct share *share)
{
	return is_idle(share) && share->kept == 0;
}

static void forget_idle(struct shares *shares)
{
	struct list *node;
	struct list *following;

	LIST_EACH_SAFE(&shares->all, node, following)
	{
		struct share *share = CONTAINER_OF(node, struct share, link);

		if (may_be_forgotten(share))
			remove_share(shares, share);
	}
}

static bool waits_in(const struct share *share, enum job_class least_class)
{
	for (int i = (int)least_class; i < CLASSES; i++) {
		if (share->classes[i].waiting > 0)
			return true;
	}
	return false;
}

/* Below 0: nobody waits there. */
static double least_in(const struct shares *shares, enum job_class least_class)
{
	const struct list *node;
	double least_us = -1;

	LIST_EACH(&shares->all, node)
	{
		const struct share *share = CONTAINER_OF(node, struct share, link);

		if (waits_in(share, least_class) && (least_us < 0 || share->served_us < least_us))
			least_us = share->served_us > 0 ? share->served_us : 0;
	}
	return least_us;
}

double shares_least_us(const struct shares *shares, enum job_class job_class)
{
	double least_us = least_in(shares, job_class);

	if (least_us < 0)
		least_us = least_in(shares, CLASS_BATCH);
	return least_us > 0 ? least_us : 0;
}

struct share *shares_find(const struct shares *shares, const char *project)
{
	const struct list *node;

	LIST_EACH(&shares->all, node)
	{
		struct share *share = CONTAINER_OF(node, struct share, link);

		if (strcmp(share->project, project) == 0)
			return share;
	}
	return NULL;
}

static struct share *make(struct shares *shares, const char *project)
{
	struct share *share;

	if (shares->count >= SHARES_MOST)
		forget_idle(shares);
	share = mem_zalloc(sizeof(*share));
	share->project = mem_strdup(project);
	list_append(&shares->all, &share->link);
	shares->count++;
	return share;
}

struct share *shares_enter(struct shares *shares, struct job *job)
{
	const struct policy *policy = &job->policy;
	const char *project = job->record.project ? job->record.project : "";
	struct share *share = shares_find(shares, project);
	double least_us = shares_least_us(shares, policy->job_class);

	if (!share)
		share = make(shares, project);
	if (is_idle(share) && share->served_us < least_us)
		share->served_us = least_us;
	share->weight = policy->weight;
	share->jobs.running_most = (uint64_t)policy->project_max_concurrent;
	job->share = share;
	job->groups[GROUP_PROJECT] = &share->jobs;
	job->groups[GROUP_PROJECT_CLASS] = &share->classes[policy->job_class];
	return share;
}

void shares_renew_caps(struct shares *shares, const struct rules *rules)
{
	struct list *node;

	LIST_EACH(&shares->all, node)
	{
		struct share *share = CONTAINER_OF(node, struct share, link);
		const struct project_rule *rule = match_project(rules, share->project);

		share->jobs.running_most = rule ? (uint64_t)rule->max_concurrent : 0;
	}
}

void share_sent(struct job *job, double expected_us)
{
	job->charged_us = expected_us;
	if (job->share)
		job->share->served_us += expected_us / job->policy.weight;
}

void share_released(struct job *job, int64_t held_us)
{
	if (job->share) {
		job->share->served_us += ((double)held_us - job->charged_us) / job->policy.weight;
		job->share->used_us += (double)held_us;
	}
	job->charged_us = 0;
}
