#include "config/rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "config/groups.h"
#include "config/model_name.h"
#include "config/settings.h"
#include "config/value.h"
#include "json/peek.h"

enum {
	/* As for everybody (config/keys.c). */
	CONCURRENT_MAX = 16384,
	PLACES_MAX = 100000,
	/* Of a runner option; Ollama's are C ints. */
	OPTION_MAX = INT32_MAX,
};

#define DURATION_MAX_MS (INT64_C(1000) * 60 * 60 * 24 * 30)

_Static_assert((int)RULE_RUNNER_OPTIONS == (int)PEEK_OPTION_COUNT, "both in peek's order");

const char *const rules_classes[] = {"batch", "normal", "interactive", NULL};
const char *const rules_heartbeats[] = {"off", "processing", "body", NULL};
const char *const rules_runner_options[] = {"pass", "strip", "set", NULL};
const char *const rules_keep_alive_policies[] = {"pass", "override", "cap", NULL};

const char *job_class_name(enum job_class job_class)
{
	return job_class == CLASS_UNSET ? NULL : rules_classes[job_class - 1];
}

#define AT(member) .name = #member, .offset = offsetof(struct ROW, member)
#define NAMED(text, member) .name = (text), .offset = offsetof(struct ROW, member)
#define CHOICE(words) .type = MEMBER_CHOICE, .choices = (words)
#define COUNT(most) .type = MEMBER_COUNT, .maximum = (most)
#define TIMEOUT NAMED("default_timeout", default_timeout_ms), DURATION
#define PATIENCE NAMED("patience", patience_ms), DURATION, .zero = "never giving up"
#define DURATION .type = MEMBER_DURATION, .maximum = DURATION_MAX_MS, .absent = -1

#define ROW project_rule
static const struct member project_members[] = {
	{AT(name), .type = MEMBER_TEXT, .is_needed = true},
	{NAMED("class", job_class), CHOICE(rules_classes)},
	{AT(ceiling), CHOICE(rules_classes)},
	{AT(weight), .type = MEMBER_WEIGHT},
	{AT(max_concurrent), COUNT(CONCURRENT_MAX)},
	{AT(max_queue_size), COUNT(PLACES_MAX)},
	{TIMEOUT},
	{PATIENCE},
	{AT(keep_alive), .type = MEMBER_KEEP_ALIVE},
	{AT(heartbeat), CHOICE(rules_heartbeats)},
	{AT(image_pixels_max), COUNT(SETTINGS_PIXELS_MAX), .absent = -1},
};
#undef ROW

#define ROW model_rule
#define OPTION(word, index, least)                                                              \
	{                                                                                       \
		.name = (word), .type = MEMBER_OPTION,                                          \
		.offset = offsetof(struct model_rule, option) + (index) * sizeof(int64_t),      \
		.has_offset = offsetof(struct model_rule, has_option) + (index) * sizeof(bool), \
		.minimum = (least), .maximum = OPTION_MAX                                       \
	}
static const struct member model_members[] = {
	{AT(name), .type = MEMBER_TEXT, .is_needed = true},
	{AT(max_concurrent), COUNT(CONCURRENT_MAX)}, {AT(max_queue_size), COUNT(PLACES_MAX)},
	{TIMEOUT}, {AT(keep_alive), .type = MEMBER_KEEP_ALIVE},
	{NAMED("options", runner_options), CHOICE(rules_runner_options)},
	OPTION("num_ctx", PEEK_NUM_CTX, 1), OPTION("num_batch", PEEK_NUM_BATCH, 1),
	OPTION("num_gpu", PEEK_NUM_GPU, -1), /* -1: Ollama finds it */
	OPTION("main_gpu", PEEK_MAIN_GPU, 0),
	{.name = "use_mmap",
		.type = MEMBER_SWITCH,
		.offset = offsetof(struct model_rule, option) + PEEK_USE_MMAP * sizeof(int64_t),
		.has_offset =
			offsetof(struct model_rule, has_option) + PEEK_USE_MMAP * sizeof(bool)},
	OPTION("num_thread", PEEK_NUM_THREAD, 0), /* 0: Ollama finds it */
};
#undef ROW

#define ROW agent_rule
static const struct member agent_members[] = {
	{AT(user_agent), .type = MEMBER_TEXT},
	{AT(path), .type = MEMBER_TEXT},
	{AT(project), .type = MEMBER_TEXT},
	{NAMED("class", job_class), CHOICE(rules_classes)},
	{PATIENCE},
	{AT(heartbeat), CHOICE(rules_heartbeats)},
};
#undef ROW

#define ROW listener_rule
static const struct member listener_members[] = {
	{AT(listen), .type = MEMBER_TEXT, .is_needed = true},
	{AT(project), .type = MEMBER_TEXT},
	{AT(allow_paths), .type = MEMBER_PATHS},
	{AT(allow_models), .type = MEMBER_WORDS},
};
#undef ROW

static char *check_project(void *row, const void *others, size_t count)
{
	const struct project_rule *rule = row;
	const struct project_rule *other = others;

	for (; count > 0; count--, other++) {
		if (strcmp(other->name, rule->name) == 0)
			return mem_strdup("two projects have the same name: write one group");
	}
	if (rule->ceiling && rule->job_class > rule->ceiling)
		return mem_strdup("class is above ceiling: raise the one or lower the other");
	return NULL;
}

/* Values without a word mean to be set. */
static char *check_options(struct model_rule *rule)
{
	bool has_some = false;

	for (size_t i = 0; i < RULE_RUNNER_OPTIONS; i++)
		has_some = has_some || rule->has_option[i];
	if (has_some && rule->runner_options == RUNNER_OPTIONS_UNSET)
		rule->runner_options = RUNNER_OPTIONS_SET;
	if (has_some && rule->runner_options != RUNNER_OPTIONS_SET)
		return mem_strdup("values of options are used by options = \"set\" only");
	if (!has_some && rule->runner_options == RUNNER_OPTIONS_SET)
		return mem_strdup("options = \"set\" needs values: num_ctx = 8192; for instance");
	return NULL;
}

static char *check_model(void *row, const void *others, size_t count)
{
	struct model_rule *rule = row;
	const struct model_rule *other = others;

	for (; count > 0; count--, other++) {
		if (model_name_is_same(other->name, rule->name))
			return mem_strdup("two groups are for the same model (x and x:latest are "
					  "one): write one group");
	}
	return check_options(rule);
}

static bool is_same(const char *left, const char *right, bool with_case)
{
	if (!left || !right)
		return left == right;
	return (with_case ? strcmp(left, right) : strcasecmp(left, right)) == 0;
}

static char *check_agent(void *row, const void *others, size_t count)
{
	const struct agent_rule *rule = row;
	const struct agent_rule *other = others;

	if (!rule->user_agent && !rule->path)
		return mem_strdup("an agent needs a user_agent or a path, or it were everybody");
	if (rule->path && rule->path[0] != '/')
		return mem_strdup("path must begin with /");
	for (; count > 0; count--, other++) {
		if (is_same(other->user_agent, rule->user_agent, false) &&
			is_same(other->path, rule->path, true))
			return mem_strdup("two agents have the same user_agent and path: write "
					  "one group");
	}
	return NULL;
}

static char *check_listener(void *row, const void *others, size_t count)
{
	const struct listener_rule *rule = row;
	const struct listener_rule *other = others;

	for (; count > 0; count--, other++) {
		if (strcmp(other->listen, rule->listen) == 0)
			return mem_strdup("two groups are for the same listener: write one group");
	}
	return NULL;
}

#define LIST(of)                                                                         \
	.name = #of "s", .row_bytes = sizeof(struct of##_rule), .members = of##_members, \
	.members_count = ARRAY_LENGTH(of##_members),                                     \
	.rows_offset = offsetof(struct settings, rules.of##s),                           \
	.count_offset = offsetof(struct settings, rules.of##s_count), .check = check_##of

const struct group_list rules_projects = {LIST(project), .noun = "project", .needs = "a name",
	.example = "{ name = \"Docling_Machine\"; class = \"batch\"; }"};
const struct group_list rules_models = {LIST(model), .noun = "model", .needs = "a name",
	.example = "{ name = \"llama3\"; max_concurrent = 2; }"};
const struct group_list rules_agents = {LIST(agent), .noun = "agent", .needs = "a user_agent",
	.example = "{ user_agent = \"python-requests\"; patience = 20; }"};
const struct group_list rules_listeners = {LIST(listener), .noun = "listener",
	.needs = "listen, one of the addresses to listen on",
	.example = "{ listen = \"127.0.0.1:8001\"; project = \"notebooks\"; }"};

static bool is_in(char *const *list, const char *text)
{
	for (; list && *list; list++) {
		if (strcmp(*list, text) == 0)
			return true;
	}
	return false;
}

char *rules_check(const struct settings *settings)
{
	for (size_t i = 0; i < settings->rules.listeners_count; i++) {
		const char *listen = settings->rules.listeners[i].listen;
		char *quoted, *error;

		if (is_in(settings->listen, listen))
			continue;
		quoted = value_quote(listen);
		error = mem_printf("listeners: %s is none of listen: add it there, or write it as "
				   "it stands there",
			quoted);
		free(quoted);
		return error;
	}
	return NULL;
}
