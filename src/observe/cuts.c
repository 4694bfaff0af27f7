#include "observe/cuts.h"

#include <stdio.h>
#include <string.h>

#include "core/residency.h"

static void add(struct cuts_by *by, const char *text)
{
	char name[CUTS_NAME_BYTES];
	size_t at = 0;

	snprintf(name, sizeof(name), "%s", text);
	while (at < by->count && strcmp(by->items[at].name, name) != 0)
		at++;
	if (at == CUTS_NAMES)
		return;
	if (at == by->count)
		memcpy(by->items[by->count++].name, name, sizeof(name));
	by->items[at].count++;
}

void cuts_add(struct cuts *cuts, const struct record *record)
{
	char model[CUTS_NAME_BYTES];

	if (record->prompt_truncated != KNOWN_TRUE)
		return;
	cuts->count++;
	if (record->project)
		add(&cuts->projects, record->project);
	if (!record->model)
		return;
	residency_canonical(record->model, model, sizeof(model));
	add(&cuts->models, model);
}
