#include "core/forecast/forecast_index.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum {
	ROOM_FIRST = 64,
	/* At most half of the places are taken: a search is short. */
	ROOM_TIMES = 2,
	MIX_SHIFT = 32,
};

/* An odd number without a pattern: 2^64 divided by the golden ratio. */
static const uint64_t MIX_FACTOR = 0x9e3779b97f4a7c15;

void forecast_index_finish(struct forecast_index *index)
{
	free(index->places);
	*index = (struct forecast_index){0};
}

void forecast_index_clear(struct forecast_index *index)
{
	if (index->count > 0)
		memset(index->places, 0, index->room * sizeof(index->places[0]));
	index->count = 0;
}

uint64_t forecast_index_mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * MIX_FACTOR;
	return hash ^ hash >> MIX_SHIFT;
}

/* Where the hash is, or belongs. */
static struct forecast_index_place *find(const struct forecast_index *index, uint64_t hash)
{
	size_t at = (size_t)hash & (index->room - 1);

	while (index->places[at].number && index->places[at].hash != hash)
		at = (at + 1) & (index->room - 1);
	return &index->places[at];
}

static void grow(struct forecast_index *index)
{
	struct forecast_index old = *index;

	index->room = old.room ? ROOM_TIMES * old.room : ROOM_FIRST;
	index->places = mem_zalloc_array(index->room, sizeof(index->places[0]));
	for (size_t i = 0; i < old.room; i++) {
		if (old.places[i].number)
			*find(index, old.places[i].hash) = old.places[i];
	}
	free(old.places);
}

size_t forecast_index_get(struct forecast_index *index, uint64_t hash, size_t number)
{
	struct forecast_index_place *place;

	if (ROOM_TIMES * (index->count + 1) > index->room)
		grow(index);
	place = find(index, hash);
	if (!place->number) {
		*place = (struct forecast_index_place){hash, number + 1};
		index->count++;
	}
	return place->number - 1;
}
