#include "core/ring.h"

#include <assert.h>
#include <stdlib.h>

#include "base/memory.h"
#include "core/job.h"

struct ring {
	struct job **jobs;
	size_t places;
	size_t most; /* that may be inside; below `places` until a smaller ring fits */
	size_t head; /* index of the oldest */
	size_t count;
	size_t of_class[CLASSES];
};

struct ring *ring_create(size_t places)
{
	struct ring *ring;

	assert(places > 0);
	ring = mem_zalloc(sizeof(*ring));
	ring->jobs = mem_zalloc_array(places, sizeof(struct job *));
	ring->places = ring->most = places;
	return ring;
}

void ring_destroy(struct ring *ring)
{
	if (!ring)
		return;
	assert(ring->count == 0);
	free(ring->jobs);
	free(ring);
}

static struct job **slot(const struct ring *ring, size_t index)
{
	return &ring->jobs[(ring->head + index) % ring->places];
}

bool ring_put(struct ring *ring, struct job *job)
{
	assert(!job->in_ring);
	if (ring->count >= ring->most)
		return false;
	*slot(ring, ring->count++) = job;
	ring->of_class[job->policy.job_class]++;
	job->in_ring = true;
	return true;
}

/* Closes the gap from the side that is nearer, so that the usual leaver, the oldest, costs nothing.
 */
static void close_gap(struct ring *ring, size_t index)
{
	if (index < ring->count / 2) {
		for (size_t i = index; i > 0; i--)
			*slot(ring, i) = *slot(ring, i - 1);
		*slot(ring, 0) = NULL;
		ring->head = (ring->head + 1) % ring->places;
	} else {
		for (size_t i = index; i + 1 < ring->count; i++)
			*slot(ring, i) = *slot(ring, i + 1);
		*slot(ring, ring->count - 1) = NULL;
	}
	ring->count--;
}

void ring_remove(struct ring *ring, struct job *job)
{
	assert(job->in_ring);
	for (size_t i = 0; i < ring->count; i++) {
		if (*slot(ring, i) == job) {
			close_gap(ring, i);
			ring->of_class[job->policy.job_class]--;
			job->in_ring = false;
			return;
		}
	}
	assert(!"job is not in this ring");
}

bool ring_has_one_class(const struct ring *ring)
{
	for (int i = 0; i < CLASSES; i++) {
		if (ring->of_class[i] > 0)
			return ring->of_class[i] == ring->count;
	}
	return true;
}

size_t ring_count(const struct ring *ring)
{
	return ring->count;
}

size_t ring_places(const struct ring *ring)
{
	return ring->most;
}

void ring_resize(struct ring *ring, size_t places)
{
	size_t room = places > ring->count ? places : ring->count;
	struct job **jobs;

	assert(places > 0);
	ring->most = places;
	if (room == ring->places)
		return;
	jobs = mem_zalloc_array(room, sizeof(struct job *));
	for (size_t i = 0; i < ring->count; i++)
		jobs[i] = *slot(ring, i);
	free(ring->jobs);
	ring->jobs = jobs;
	ring->places = room;
	ring->head = 0;
}

struct job *ring_at(const struct ring *ring, size_t index)
{
	assert(index < ring->count);
	return *slot(ring, index);
}

struct job *const *ring_stretch(const struct ring *ring, size_t index, size_t *ret_count)
{
	struct job **first = slot(ring, index);
	size_t to_end = ring->places - (size_t)(first - ring->jobs);
	size_t left = ring->count - index;

	assert(index < ring->count);
	*ret_count = left < to_end ? left : to_end;
	return first;
}
