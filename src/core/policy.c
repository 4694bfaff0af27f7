#include "core/policy.h"

#include <string.h>
#include <strings.h>

#include "base/compiler.h"
#include "config/settings.h"

enum { US_PER_MS = 1000 };

/*
 * Docling waits 20 s for the description of a picture, loses the page silently and does not try
 * again; it speaks through plain python-requests (FACTS-clients.md). Old aliases lead to this path.
 */
#define DOCLING_PATIENCE_MS 20000

static const struct agent_rule built_in[] = {
	{
		.user_agent = (char *)"python-requests",
		.path = (char *)"/v1/chat/completions",
		.patience_ms = DOCLING_PATIENCE_MS,
	},
};

static const struct {
	const char *word;
	enum job_class job_class;
} class_words[] = {
	{"interactive", CLASS_INTERACTIVE},
	{"high", CLASS_INTERACTIVE},
	{"normal", CLASS_NORMAL},
	{"batch", CLASS_BATCH},
	{"low", CLASS_BATCH},
};

enum job_class policy_class_of(const char *word, size_t length)
{
	for (size_t i = 0; word && i < ARRAY_LENGTH(class_words); i++) {
		if (strlen(class_words[i].word) == length &&
			strncasecmp(class_words[i].word, word, length) == 0)
			return class_words[i].job_class;
	}
	return CLASS_UNSET;
}

void policy_init(struct policy *policy, const struct settings *settings)
{
	*policy = (struct policy){
		.job_class = CLASS_NORMAL,
		.weight = 1,
		.timeout_ms = settings->default_timeout_ms,
		.heartbeat = settings->heartbeat ? settings->heartbeat : HEARTBEAT_OFF,
		.image_pixels_max = settings->image_pixels_max,
	};
}

/* What was not said yet by anything that comes before. */
struct wishes {
	enum job_class job_class;
	double weight;
	int64_t patience_ms; /* -1: not said */
	enum heartbeat heartbeat;
};

static void add_project(
	struct policy *policy, struct wishes *wishes, const struct project_rule *rule)
{
	wishes->job_class = rule->job_class;
	wishes->weight = rule->weight;
	wishes->patience_ms = rule->patience_ms;
	wishes->heartbeat = rule->heartbeat;
	policy->project_max_concurrent = rule->max_concurrent;
	policy->project_max_queue_size = rule->max_queue_size;
	policy->project_keep_alive = rule->keep_alive;
	if (rule->default_timeout_ms >= 0)
		policy->timeout_ms = rule->default_timeout_ms;
	if (rule->image_pixels_max >= 0)
		policy->image_pixels_max = rule->image_pixels_max;
}

static void add_key(struct wishes *wishes, const struct api_key *key)
{
	if (!wishes->job_class)
		wishes->job_class = key->job_class;
	if (wishes->weight <= 0)
		wishes->weight = key->weight;
}

static void add_agents(struct wishes *wishes, const struct agent_rule *rules, size_t count,
	const struct match_agent *agent)
{
	for (size_t i = 0; i < count; i++) {
		const struct agent_rule *rule = &rules[i];

		if (!match_is_agent(rule, agent))
			continue;
		if (!wishes->job_class)
			wishes->job_class = rule->job_class;
		if (wishes->patience_ms < 0)
			wishes->patience_ms = rule->patience_ms;
		if (!wishes->heartbeat)
			wishes->heartbeat = rule->heartbeat;
	}
}

static void lower(struct policy *policy, enum job_class ceiling)
{
	if (ceiling && policy->job_class > ceiling)
		policy->job_class = ceiling;
}

void policy_add_request(struct policy *policy, const struct settings *settings,
	const struct policy_request *request)
{
	const struct rules *rules = &settings->rules;
	const struct project_rule *project = match_project(rules, request->project);
	struct wishes wishes = {.patience_ms = -1};

	if (project)
		add_project(policy, &wishes, project);
	if (request->key)
		add_key(&wishes, request->key);
	add_agents(&wishes, rules->agents, rules->agents_count, &request->agent);
	add_agents(&wishes, built_in, ARRAY_LENGTH(built_in), &request->agent);
	if (!wishes.job_class)
		wishes.job_class = policy_class_of(request->priority, request->priority_length);

	if (wishes.job_class)
		policy->job_class = wishes.job_class;
	lower(policy, project ? project->ceiling : CLASS_UNSET);
	lower(policy, request->key ? request->key->ceiling : CLASS_UNSET);
	if (wishes.weight > 0)
		policy->weight = wishes.weight;
	if (request->announced_us > 0)
		policy->patience_us = request->announced_us;
	else if (wishes.patience_ms > 0)
		policy->patience_us = wishes.patience_ms * US_PER_MS;
	if (wishes.heartbeat)
		policy->heartbeat = wishes.heartbeat;
}

void policy_add_model(struct policy *policy, const struct settings *settings, const char *model)
{
	const struct model_rule *rule = match_model(&settings->rules, model);

	if (!rule)
		return;
	policy->model = rule;
	policy->model_max_concurrent = rule->max_concurrent;
	policy->model_max_queue_size = rule->max_queue_size;
	if (rule->default_timeout_ms >= 0)
		policy->timeout_ms = rule->default_timeout_ms;
}

void policy_renew_caps(struct policy *policy, const struct settings *in_force, const char *project,
	const char *model)
{
	const struct project_rule *project_rule = match_project(&in_force->rules, project);
	const struct model_rule *model_rule = match_model(&in_force->rules, model);

	policy->project_max_concurrent = project_rule ? project_rule->max_concurrent : 0;
	policy->model_max_concurrent = model_rule ? model_rule->max_concurrent : 0;
}
