#include "core/match.h"

#include <string.h>
#include <strings.h>

#include "config/model_name.h"

const struct project_rule *match_project(const struct rules *rules, const char *project)
{
	for (size_t i = 0; project && i < rules->projects_count; i++) {
		if (strcmp(rules->projects[i].name, project) == 0)
			return &rules->projects[i];
	}
	return NULL;
}

const struct model_rule *match_model(const struct rules *rules, const char *model)
{
	for (size_t i = 0; model && i < rules->models_count; i++) {
		if (model_name_is_same(rules->models[i].name, model))
			return &rules->models[i];
	}
	return NULL;
}

const struct listener_rule *match_listener(const struct rules *rules, const char *listen)
{
	for (size_t i = 0; listen && i < rules->listeners_count; i++) {
		if (strcmp(rules->listeners[i].listen, listen) == 0)
			return &rules->listeners[i];
	}
	return NULL;
}

bool match_is_agent(const struct agent_rule *rule, const struct match_agent *agent)
{
	size_t length = rule->user_agent ? strlen(rule->user_agent) : 0;

	if (length > 0 && (!agent->user_agent || agent->user_agent_length < length ||
				  strncasecmp(agent->user_agent, rule->user_agent, length) != 0))
		return false;
	return !rule->path ||
	       (agent->path && strncmp(agent->path, rule->path, strlen(rule->path)) == 0);
}

const char *match_agent_project(const struct rules *rules, const struct match_agent *agent)
{
	for (size_t i = 0; i < rules->agents_count; i++) {
		const struct agent_rule *rule = &rules->agents[i];

		if (rule->project && match_is_agent(rule, agent))
			return rule->project;
	}
	return NULL;
}
