/*
 * Turns: the rule of PRODUCT 3.3 (docs/scheduling.md), behind core/scheduler. A loaded runner is
 * served until none of its jobs waits; then, or when it must give way, it is drained, unloaded, and
 * the next one loaded, so that old and new traffic never overlap and nothing is sent to a runner
 * that is being drained (Ollama's issue 17408).
 *
 * It answers and remembers what it answered: an UNLOAD, LOAD or LOOK that is answered is under way
 * until its result is told. Never calls out; O(jobs + keys) a decision.
 */
#ifndef SO_CORE_TURNS_H
#define SO_CORE_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/runner.h"
#include "core/scheduler.h"

struct turns;

struct turns *turns_create(void);
void turns_destroy(struct turns *turns);

/* The job is about to enter the queue: it gets its runner and its project's share. */
void turns_enter(
	struct turns *turns, struct job *job, const struct peek_result *seen, int64_t now_us);
struct scheduler_answer turns_next(struct turns *turns, const struct scheduler_view *view);
/* The job leaves the queue for Ollama. */
void turns_sent(struct turns *turns, struct job *job);
/* It holds its slot no longer; `held_us` since it was sent. Before its state changes. */
void turns_released(struct turns *turns, struct job *job, int64_t held_us, int64_t now_us);
void turns_note_service(struct turns *turns, struct runner *runner, int64_t held_us);

/* Results. */
void turns_looked(struct turns *turns, enum runner_kind kind, int64_t now_us);
void turns_unloaded(struct turns *turns, int64_t now_us);
/* It is up since `loaded_us`, after `took_us`. */
void turns_loaded(struct turns *turns, int64_t took_us, int64_t loaded_us, int64_t now_us);
/* It is not up. */
void turns_load_failed(struct turns *turns, int64_t now_us);
/* The runner whose load is under way, or NULL. */
struct runner *turns_loading(const struct turns *turns);

/* For people. */
void turns_report(struct turns *turns, const struct scheduler_view *view,
	struct scheduler_report *ret_report);
int64_t turns_explain(struct turns *turns, const struct scheduler_view *view, const struct job *job,
	char ret_reason[SCHEDULER_REASON_BYTES]);
/* How many may run on the loaded runners that have jobs; 0: there are none. */
int64_t turns_slots(const struct turns *turns, const struct settings *settings);
const struct runners *turns_runners(const struct turns *turns);

#endif
