#include "pause.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"

static void forget_models(struct pause *pause)
{
	for (size_t i = 0; i < pause->count; i++)
		free(pause->models[i]);
	free(pause->models);
	pause->models = NULL;
	pause->count = 0;
}

void pause_finish(struct pause *pause)
{
	forget_models(pause);
	free(pause->model);
	pause->model = NULL;
}

void pause_begin(struct pause *pause, bool unload)
{
	pause->is_on = true;
	pause->wants_unload |= unload;
}

void pause_end(struct pause *pause)
{
	pause->is_on = false;
	pause->wants_unload = false;
	forget_models(pause);
}

bool pause_holds(const struct pause *pause)
{
	return pause->is_on || pause->is_unloading;
}

bool pause_is_unloading(const struct pause *pause)
{
	return pause->wants_unload || pause->count > 0 || pause->is_unloading;
}

static void list_models(struct pause *pause, const struct residency *residency)
{
	size_t count = residency_count(residency);

	forget_models(pause);
	pause->wants_unload = false;
	if (count == 0)
		return;
	pause->models = mem_alloc(count * sizeof(*pause->models));
	for (size_t i = 0; i < count; i++)
		pause->models[i] = mem_strdup(residency_at(residency, i)->name);
	pause->count = count;
}

bool pause_next(struct pause *pause, const struct residency *residency, struct runner *ret_runner)
{
	/* Without an answer of /api/ps nobody knows what is loaded. */
	if (pause->wants_unload && residency_asked_us(residency) > 0)
		list_models(pause, residency);
	if (pause->count == 0)
		return false;
	free(pause->model);
	pause->model = pause->models[--pause->count];
	pause->is_unloading = true;
	ret_runner->model = pause->model;
	ret_runner->spelling = pause->model;
	ret_runner->key = pause->model;
	return true;
}

bool pause_unloaded(struct pause *pause)
{
	bool was_ours = pause->is_unloading;

	pause->is_unloading = false;
	return was_ours;
}
