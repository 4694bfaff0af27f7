/*
 * The fixed ring buffer (PRODUCT 3.1): one array of the jobs in order of arrival, allocated once
 * and anew only when a reload changes its size. A job that leaves from the middle closes the gap,
 * so the order is always that of arrival and the ring is full only when all places are taken. relay
 * puts and removes, the scheduler reads.
 */
#ifndef SO_CORE_RING_H
#define SO_CORE_RING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct job;
struct ring;

struct ring *ring_create(size_t places);
/* NULL is fine. The ring must be empty. */
void ring_destroy(struct ring *ring);
/* At the end. false: full. Sets job->in_ring. */
MUST_CHECK bool ring_put(struct ring *ring, struct job *job);
/* The job must be in the ring. */
void ring_remove(struct ring *ring, struct job *job);
size_t ring_count(const struct ring *ring);
/* Of their own classes, as they came: all the same. An empty ring has one. */
bool ring_has_one_class(const struct ring *ring);
size_t ring_places(const struct ring *ring);
/* A new array for so many. Those inside stay, in their order; where more are inside than fit, none
 * is put until enough have left. */
void ring_resize(struct ring *ring, size_t places);
/* 0 is the oldest; index < ring_count(). */
struct job *ring_at(const struct ring *ring, size_t index);
/* For a walk through all: the jobs from `index` on that lie side by side, at least one. */
struct job *const *ring_stretch(const struct ring *ring, size_t index, size_t *ret_count);

#endif
