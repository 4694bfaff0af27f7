/*
 * Which of the file's rules is for a request (config/rules.h). Pure questions; NULL: none. Called
 * by core/policy and relay/forward.
 */
#ifndef SO_CORE_MATCH_H
#define SO_CORE_MATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "config/rules.h"

/* By its name as the log has it. */
const struct project_rule *match_project(const struct rules *rules, const char *project);
/* Names are compared canonically: "x", "x:latest", "X" and "registry.ollama.ai/library/x" are one.
 */
const struct model_rule *match_model(const struct rules *rules, const char *model);
/* By the address as `listen` spells it. */
const struct listener_rule *match_listener(const struct rules *rules, const char *listen);

/* What a client calls itself, and what it asks for. */
struct match_agent {
	const char *user_agent; /* needs no NUL; NULL: nothing */
	size_t user_agent_length;
	const char *path; /* decoded; where an alias leads */
};
bool match_is_agent(const struct agent_rule *rule, const struct match_agent *agent);
/* The project of the first rule that is for it and has one. */
const char *match_agent_project(const struct rules *rules, const struct match_agent *agent);

#endif
