#include "core/models.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/rules.h"
#include "core/match.h"
#include "core/residency.h"

enum {
	MODEL_BYTES = 256,
	/* Models without jobs are forgotten beyond this: clients make up names. */
	MODELS_MOST = 64,
};

struct model {
	struct list link;
	char *name; /* canonical */
	struct job_group jobs;
};

void models_init(struct models *models)
{
	list_init(&models->all);
	models->count = 0;
}

static void remove_model(struct models *models, struct model *model)
{
	list_remove(&model->link);
	models->count--;
	free(model->name);
	free(model);
}

void models_finish(struct models *models)
{
	struct list *node;
	struct list *following;

	LIST_EACH_SAFE(&models->all, node, following)
	remove_model(models, CONTAINER_OF(node, struct model, link));
}

static void forget_idle(struct models *models)
{
	struct list *node;
	struct list *following;

	LIST_EACH_SAFE(&models->all, node, following)
	{
		struct model *model = CONTAINER_OF(node, struct model, link);

		if (model->jobs.waiting + model->jobs.running == 0)
			remove_model(models, model);
	}
}

static struct model *find(const struct models *models, const char *name)
{
	struct list *node;

	LIST_EACH(&models->all, node)
	{
		struct model *model = CONTAINER_OF(node, struct model, link);

		if (strcmp(model->name, name) == 0)
			return model;
	}
	return NULL;
}

void models_enter(struct models *models, struct job *job)
{
	char name[MODEL_BYTES];
	struct model *model;

	residency_canonical(job->record.model, name, sizeof(name));
	model = find(models, name);
	if (!model) {
		if (models->count >= MODELS_MOST)
			forget_idle(models);
		model = mem_zalloc(sizeof(*model));
		model->name = mem_strdup(name);
		list_append(&models->all, &model->link);
		models->count++;
	}
	model->jobs.running_most = (uint64_t)job->policy.model_max_concurrent;
	job->groups[GROUP_MODEL] = &model->jobs;
}

void models_renew_caps(struct models *models, const struct rules *rules)
{
	struct list *node;

	LIST_EACH(&models->all, node)
	{
		struct model *model = CONTAINER_OF(node, struct model, link);
		const struct model_rule *rule = match_model(rules, model->name);

		model->jobs.running_most = rule ? (uint64_t)rule->max_concurrent : 0;
	}
}

const struct job_group *models_find(const struct models *models, const char *model)
{
	char name[MODEL_BYTES];
	const struct model *found;

	residency_canonical(model, name, sizeof(name));
	found = find(models, name);
	return found ? &found->jobs : NULL;
}
