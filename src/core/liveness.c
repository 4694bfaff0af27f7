#include "core/liveness.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const char *const names[] = {
#define X(symbol, name) name,
	LIVENESSES(X)
#undef X
};

const char *liveness_name(enum liveness liveness)
{
	return names[liveness];
}

enum liveness liveness_judge(const struct liveness_signs *signs)
{
	if (!signs->is_usable || signs->asked_us == 0 ||
		signs->now_us - signs->asked_us > LIVENESS_ASKED_US)
		return LIVENESS_DEAD;
	if (signs->other_us > signs->since_us)
		return LIVENESS_BUSY;
	return signs->is_listed ? LIVENESS_STUCK : LIVENESS_LOADING;
}

void liveness_finish(struct liveness_memory *memory)
{
	for (size_t i = 0; i < LIVENESS_MODELS; i++)
		free(memory->seen[i].model);
	memset(memory, 0, sizeof(*memory));
}

static size_t find(const struct liveness_memory *memory, const char *model)
{
	for (size_t i = 0; i < LIVENESS_MODELS; i++) {
		if (memory->seen[i].model && strcmp(memory->seen[i].model, model) == 0)
			return i;
	}
	return LIVENESS_MODELS;
}

void liveness_note(struct liveness_memory *memory, const char *model, int64_t now_us)
{
	size_t at = find(memory, model);

	if (at == LIVENESS_MODELS) {
		/* A free one, or the one that was silent longest. */
		at = 0;
		for (size_t i = 1; i < LIVENESS_MODELS; i++) {
			if (memory->seen[i].at_us < memory->seen[at].at_us)
				at = i;
		}
		free(memory->seen[at].model);
		memory->seen[at].model = mem_strdup(model);
	}
	memory->seen[at].at_us = now_us;
}

int64_t liveness_seen_us(const struct liveness_memory *memory, const char *model)
{
	size_t at = find(memory, model);

	return at < LIVENESS_MODELS ? memory->seen[at].at_us : 0;
}
