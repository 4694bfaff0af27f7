#include "faults.h"

#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {
#define X(name, text) text,
	FAULT_KINDS(X)
#undef X
};

const char *fault_kind_name(enum fault_kind kind)
{
	return kind_names[kind];
}

bool fault_kind_parse(const char *name, enum fault_kind *ret_kind)
{
	for (size_t i = 0; i < ARRAY_LENGTH(kind_names); i++) {
		if (strcmp(kind_names[i], name) == 0) {
			*ret_kind = (enum fault_kind)i;
			return true;
		}
	}
	return false;
}

void faults_add(
	struct fault_list *list, const char *path, const struct fault *fault, uint64_t count)
{
	struct fault_rule *rule = mem_zalloc(sizeof(*rule));

	rule->path = mem_strdup(path);
	rule->fault = *fault;
	rule->left = count;
	TAILQ_INSERT_TAIL(list, rule, link);
}

static void remove_rule(struct fault_list *list, struct fault_rule *rule)
{
	TAILQ_REMOVE(list, rule, link);
	free(rule->path);
	free(rule);
}

static bool applies_to(const struct fault_rule *rule, const char *path)
{
	if (strcmp(rule->path, "*") == 0)
		return strncmp(path, "/sim/", strlen("/sim/")) != 0;
	return strcmp(rule->path, path) == 0;
}

struct fault faults_take(struct fault_list *list, const char *path)
{
	struct fault_rule *rule;

	TAILQ_FOREACH(rule, list, link)
	{
		if (!applies_to(rule, path))
			continue;
		struct fault fault = rule->fault;
		if (--rule->left == 0)
			remove_rule(list, rule);
		return fault;
	}
	return (struct fault){.kind = FAULT_NONE};
}

void faults_clear(struct fault_list *list)
{
	struct fault_rule *rule;

	/* The analyser does not see that TAILQ_REMOVE gives the list another first. */
	while ((rule = TAILQ_FIRST(list)) != NULL)
		remove_rule(list, rule); /* NOLINT(clang-analyzer-unix.Malloc) */
}
