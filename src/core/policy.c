#include "core/policy.h"

#include <string.h>

#include "config/settings.h"

void policy_init(struct policy *policy, const struct settings *settings)
{
	*policy = (struct policy){
		.job_class = CLASS_NORMAL,
		.weight = 1,
		.timeout_ms = settings->default_timeout_ms,
		.heartbeat = settings->heartbeat ? settings->heartbeat : HEARTBEAT_OFF,
	};
}

void policy_add_model(struct policy *policy, const struct settings *settings, const char *model)
{
	for (size_t i = 0; model && i < settings->rules.models_count; i++) {
		const struct model_rule *rule = &settings->rules.models[i];

		if (strcmp(rule->name, model) != 0)
			continue;
		policy->model = rule;
		policy->model_max_concurrent = rule->max_concurrent;
		policy->model_max_queue_size = rule->max_queue_size;
		if (rule->default_timeout_ms >= 0)
			policy->timeout_ms = rule->default_timeout_ms;
		return;
	}
}
