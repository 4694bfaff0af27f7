#include "core/body_policy.h"

#include <stdio.h>
#include <string.h>

#include "config/model_name.h"
#include "config/settings.h"
#include "core/policy.h"
#include "json/duration.h"

_Static_assert((int)RULE_RUNNER_OPTIONS == (int)PEEK_OPTION_COUNT, "rules have what peek reads");

bool body_policy_may_edit(const struct settings *settings)
{
	const struct rules *rules = &settings->rules;
	enum runner_options global = settings->runner_options;

	if (settings->model_alias && settings->model_alias[0])
		return true;
	if (settings->keep_alive_policy == KEEP_ALIVE_OVERRIDE ||
		settings->keep_alive_policy == KEEP_ALIVE_CAP)
		return true;
	if (global == RUNNER_OPTIONS_STRIP || global == RUNNER_OPTIONS_SET)
		return true;
	for (size_t i = 0; i < rules->models_count; i++) {
		enum runner_options own = rules->models[i].runner_options;

		if (own == RUNNER_OPTIONS_STRIP || own == RUNNER_OPTIONS_SET)
			return true;
	}
	return false;
}

const char *body_policy_model(const struct settings *settings, const char *model)
{
	char name[MODEL_NAME_BYTES];

	if (!model || !settings->model_alias)
		return NULL;
	for (char *const *alias = settings->model_alias; *alias; alias++) {
		const char *target = strchr(*alias, '=');
		size_t length = target ? (size_t)(target - *alias) : 0;

		if (length == 0 || length >= sizeof(name) || target[1] == '\0')
			continue;
		memcpy(name, *alias, length);
		name[length] = '\0';
		if (model_name_is_same(name, model))
			return target + 1;
	}
	return NULL;
}

/* The one that is wanted for this job; NULL: none is. */
static const char *wanted_keep_alive(const struct settings *settings, const struct policy *policy)
{
	if (policy->project_keep_alive && *policy->project_keep_alive)
		return policy->project_keep_alive;
	if (policy->model && policy->model->keep_alive && *policy->model->keep_alive)
		return policy->model->keep_alive;
	return settings->keep_alive && *settings->keep_alive ? settings->keep_alive : NULL;
}

static void decide_keep_alive(const struct settings *settings, const struct policy *policy,
	const struct peek_result *seen, struct body_edits *edits)
{
	const char *wanted = wanted_keep_alive(settings, policy);
	double wanted_s;
	double clients_s;

	if (seen->keep_alive != PEEK_KEEP_ALIVE_VALUE || !wanted ||
		(settings->keep_alive_policy != KEEP_ALIVE_OVERRIDE &&
			settings->keep_alive_policy != KEEP_ALIVE_CAP))
		return;
	if (!duration_read(wanted, true, &wanted_s) ||
		!duration_read(seen->keep_alive_text, seen->keep_alive_is_string, &clients_s))
		return;
	if (settings->keep_alive_policy == KEEP_ALIVE_OVERRIDE ? clients_s == wanted_s
							       : clients_s <= wanted_s)
		return;
	edits->keep_alive = wanted;
}

static void decide_options(const struct settings *settings, const struct policy *policy,
	const struct peek_result *seen, struct body_edits *edits)
{
	const struct model_rule *rule = policy->model;
	enum runner_options what = settings->runner_options;

	if (rule && rule->runner_options != RUNNER_OPTIONS_UNSET)
		what = rule->runner_options;
	if (what != RUNNER_OPTIONS_STRIP && what != RUNNER_OPTIONS_SET)
		return;
	for (size_t i = 0; i < PEEK_OPTION_COUNT; i++) {
		if (what == RUNNER_OPTIONS_STRIP || !rule || !rule->has_option[i]) {
			edits->option[i] = OPTION_GOES;
		} else if (!seen->has_option[i] || seen->option[i] != rule->option[i]) {
			edits->option[i] = OPTION_SET;
			edits->value[i] = rule->option[i];
		}
	}
}

void body_policy_decide(const struct settings *settings, const struct policy *policy,
	enum api_family family, const struct peek_result *seen, struct body_edits *ret_edits)
{
	*ret_edits = (struct body_edits){.keep_alive = NULL};
	if (family != API_NATIVE || !seen->valid)
		return;
	decide_keep_alive(settings, policy, seen, ret_edits);
	decide_options(settings, policy, seen, ret_edits);
}

bool body_policy_is_any(const struct body_edits *edits)
{
	for (size_t i = 0; i < PEEK_OPTION_COUNT; i++) {
		if (edits->option[i] != OPTION_STAYS)
			return true;
	}
	return edits->keep_alive != NULL;
}

void body_policy_foresee(const struct body_edits *edits, struct peek_result *seen)
{
	for (size_t i = 0; i < PEEK_OPTION_COUNT; i++) {
		if (edits->option[i] == OPTION_STAYS)
			continue;
		seen->has_option[i] = edits->option[i] == OPTION_SET;
		seen->option[i] = edits->value[i];
	}
	if (!edits->keep_alive)
		return;
	snprintf(seen->keep_alive_text, sizeof(seen->keep_alive_text), "%s", edits->keep_alive);
	seen->keep_alive_is_string = true;
	seen->keep_alive_is_zero = duration_text_is_zero(edits->keep_alive);
}
