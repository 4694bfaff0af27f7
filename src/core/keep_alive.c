#include "core/keep_alive.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "core/policy.h"
#include "json/duration.h"

#define FOR_EVER "-1"

/* A bare number is seconds. -1: it means nothing. */
static double seconds_of(const char *value)
{
	double seconds;

	if (!value || !*value)
		return -1;
	if (duration_read(value, true, &seconds) || duration_read(value, false, &seconds))
		return seconds;
	return -1;
}

void keep_alive_finish(struct keep_alive *keep_alive)
{
	free(keep_alive->wanted);
	keep_alive->wanted = NULL;
}

void keep_alive_forget(struct keep_alive *keep_alive)
{
	bool is_pinned = keep_alive->is_pinned;

	keep_alive_finish(keep_alive);
	*keep_alive = (struct keep_alive){.is_pinned = is_pinned};
}

void keep_alive_want(struct keep_alive *keep_alive, const char *value)
{
	double seconds = seconds_of(value);

	if (seconds < 0 || (keep_alive->wanted && seconds <= keep_alive->wanted_s))
		return;
	free(keep_alive->wanted);
	keep_alive->wanted = mem_strdup(value);
	keep_alive->wanted_s = seconds;
}

void keep_alive_note_theirs(struct keep_alive *keep_alive)
{
	keep_alive->is_theirs = true;
	keep_alive->is_told = false;
}

void keep_alive_note_load(struct keep_alive *keep_alive)
{
	keep_alive->is_told = false;
}

static double due_s(const struct keep_alive *keep_alive)
{
	return keep_alive->is_pinned ? INFINITY : keep_alive->wanted_s;
}

const char *keep_alive_due(const struct keep_alive *keep_alive)
{
	if (!keep_alive->is_pinned && (!keep_alive->wanted || keep_alive->is_theirs))
		return NULL;
	if (keep_alive->is_told && due_s(keep_alive) <= keep_alive->told_s)
		return NULL;
	return keep_alive->is_pinned ? FOR_EVER : keep_alive->wanted;
}

void keep_alive_note_told(struct keep_alive *keep_alive)
{
	keep_alive->told_s = due_s(keep_alive);
	keep_alive->is_told = true;
}

const char *keep_alive_of(const struct policy *policy, const char *everybody)
{
	const char *project = policy->project_keep_alive;
	const char *model = policy->model ? policy->model->keep_alive : NULL;

	if (seconds_of(project) < 0 && seconds_of(model) < 0)
		return everybody;
	return seconds_of(model) > seconds_of(project) ? model : project;
}
