/*
 * The inside of the lives: lives.c has what relay does to a job (states, ends, retries, timers,
 * dispatch), lives_events.c what happens to it.
 */
#ifndef SO_TESTS_UNIT_CORE_LIVES_PARTS_H
#define SO_TESTS_UNIT_CORE_LIVES_PARTS_H

#include "lives.h"

/* lives.c */
void world_put(struct world *world, struct carried *carried, enum job_state state);
/* Finishes the job; its place in world->lives is free. */
void world_bury(struct world *world, struct carried *carried);
void world_demand(struct world *world, bool holds, const char *promise);
void carried_arm(struct world *world, struct carried *carried);
void carried_set_state(struct world *world, struct carried *carried, enum job_state state);
void carried_forget_body(struct world *world, struct carried *carried);
void carried_free_slot(struct world *world, const struct carried *carried);
/* It holds its slot no longer, if it does. */
void carried_release(struct world *world, struct carried *carried);
/* Back to its old place, with what is left of its wait. */
void carried_requeue(struct world *world, struct carried *carried);
void carried_refused(struct world *world, struct carried *carried);
/* The connection ended before the head. */
void carried_broken(struct world *world, struct carried *carried);
/* The last steps of every end. */
void carried_end(struct world *world, struct carried *carried, enum outcome outcome);
/* The bad end: an error answer where none was begun, else the cut. */
void carried_fail(struct world *world, struct carried *carried, enum outcome outcome);

/* lives_patience.c */
void carried_note_patience(const struct world *world, struct carried *carried, uint32_t how);
/* It enters the queue. */
void carried_begin_patience(struct world *world, struct carried *carried);
/* Refused; its start was forecast. */
void carried_out_of_time(struct world *world, struct carried *carried);

/* lives_events.c */
void world_act(struct world *world, const struct event *event);
/* The one that `which` means, of all living or of those that wait for an event; or NULL. */
struct carried *world_pick(struct world *world, uint32_t which, bool with_queued);

#endif
