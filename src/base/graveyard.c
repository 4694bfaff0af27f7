#include "base/graveyard.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/memory.h"

enum {
	FIRST_PLACES = 64,
	/* A burst of deaths (a restart of Ollama with thousands of clients) does not keep its
	   array: 64 KiB stay. */
	KEPT_PLACES = 4096
};

struct grave {
	void *object;
	void (*destroy)(void *object);
};

struct graveyard {
	struct grave *graves;
	size_t count;
	size_t places;
	size_t done; /* graves[0..done) were destroyed by the run under way */
	bool is_running;
};

struct graveyard *graveyard_create(void)
{
	return mem_zalloc(sizeof(struct graveyard));
}

void graveyard_destroy(struct graveyard *graveyard)
{
	if (!graveyard)
		return;
	graveyard_run(graveyard);
	free(graveyard->graves);
	free(graveyard);
}

void graveyard_add(struct graveyard *graveyard, void *object, void (*destroy)(void *object))
{
	if (graveyard->count == graveyard->places) {
		graveyard->places = graveyard->places ? graveyard->places * 2 : FIRST_PLACES;
		graveyard->graves = mem_grow_array(
			graveyard->graves, graveyard->places, sizeof(*graveyard->graves));
	}
	graveyard->graves[graveyard->count++] =
		(struct grave){.object = object, .destroy = destroy};
}

void graveyard_run(struct graveyard *graveyard)
{
	/* A destroy function that runs the graveyard gets its objects destroyed by the outer run.
	 */
	if (graveyard->is_running)
		return;
	graveyard->is_running = true;
	while (graveyard->done < graveyard->count) {
		/* A copy: destroy may add, which moves the array. */
		struct grave grave = graveyard->graves[graveyard->done++];

		grave.destroy(grave.object);
	}
	graveyard->count = 0;
	graveyard->done = 0;
	graveyard->is_running = false;
	if (graveyard->places > KEPT_PLACES) {
		graveyard->places = KEPT_PLACES;
		graveyard->graves = mem_grow_array(
			graveyard->graves, graveyard->places, sizeof(*graveyard->graves));
	}
}

bool graveyard_is_empty(const struct graveyard *graveyard)
{
	return graveyard->done == graveyard->count;
}
