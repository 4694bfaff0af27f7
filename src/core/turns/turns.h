/*
 * Turns: the rule of PRODUCT 3.3 (docs/scheduling.md), behind core/scheduler. A loaded runner is
 * served until none of its jobs waits; then, or when it must give way, it is drained, unloaded, and
 * the next one loaded, so that old and new traffic never overlap and nothing is sent to a runner
 * that is being drained (Ollama's issue 17408).
 *
 * It answers and remembers what it answered: an UNLOAD, LOAD or LOOK that is answered is under way
 * until its result is told. Never calls out; O(jobs + keys) a decision, O(keys) where
 * all that is loaded is full and nobody waits for anything else.
 */
#ifndef SO_CORE_TURNS_H
#define SO_CORE_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/runner.h"
#include "core/scheduler.h"

struct forecast;
struct shares;
struct turns;

/* `shares` outlives it. */
struct turns *turns_create(struct shares *shares);
void turns_destroy(struct turns *turns);

/* The job, which has its project's share, is about to enter the queue: it gets its runner. */
void turns_enter(
	struct turns *turns, struct job *job, const struct peek_result *seen, int64_t now_us);
struct scheduler_answer turns_next(struct turns *turns, const struct scheduler_view *view);
/* The job, which has a runner, leaves the queue for Ollama. */
void turns_sent(struct turns *turns, struct job *job);
/* It holds its slot no longer. Before its state changes. */
void turns_released(struct job *job, int64_t now_us);
/* How long it will hold its slot. */
double turns_service_us(const struct turns *turns, const struct job *job);
void turns_note_service(struct turns *turns, struct runner *runner, int64_t held_us);

/* What is preloaded and how long everybody wants models to stay; again when it changes. */
void turns_prepare(struct turns *turns, const struct settings *settings);
/* The keep_alive that the load of this runner carries; NULL: none. */
const char *turns_keep_alive_of_load(
	struct turns *turns, struct runner *runner, const struct ring *ring);
/* The keep_alive that an idle runner is to be told now, which counts as told; NULL: none. */
const char *turns_touch(
	struct turns *turns, const struct scheduler_view *view, struct runner **ret_runner);
/*
 * With fifo turns decide of no job, but do what none waits for: preload and keep_alive. `is_quiet`:
 * no job waits or runs, and /api/ps was asked since the last one ended.
 */
struct scheduler_answer turns_next_own(
	struct turns *turns, const struct scheduler_view *view, bool is_quiet);
/* The same as turns_touch(). */
const char *turns_touch_own(
	struct turns *turns, const struct scheduler_view *view, struct runner **ret_runner);
/* Fifo: a job of this runner is sent: which key of its model is loaded is not sure any more. */
void turns_note_sending(struct turns *turns, const struct runner *runner);
/* Fifo: a job of this runner was answered; !was_loaded: perhaps after a load. */
void turns_note_answer(struct turns *turns, struct runner *runner, bool was_loaded, int64_t now_us);
/* It gives way, or is being unloaded. */
bool turns_gives_way(const struct turns *turns, const char *model);

/* What is being looked at is the same model as this one. */
void turns_note_same(struct turns *turns, const char *model);
void turns_models_changed(struct turns *turns);

/* Results. */
void turns_looked(struct turns *turns, enum runner_kind kind, int64_t now_us);
void turns_unloaded(struct turns *turns, int64_t now_us);
/* It is up since `loaded_us`, after `took_us`. */
void turns_loaded(struct turns *turns, int64_t took_us, int64_t loaded_us, int64_t now_us);
/* It is not up. */
void turns_load_failed(struct turns *turns, int64_t now_us);
/* The runner whose load is under way, or NULL. */
struct runner *turns_loading(const struct turns *turns);
/* The project for whose job it is; NULL: for none's. */
const char *turns_load_project(const struct turns *turns);

/* Sets start_us of all waiting jobs. */
void turns_forecast(
	struct turns *turns, const struct scheduler_view *view, struct forecast *forecast);
/* After turns_forecast(): it stands for its runner, which is not loaded yet: of those that wait for
 * it, it came first. */
bool turns_loads_for(const struct turns *turns, const struct job *job);

/* For people. */
void turns_report(struct turns *turns, const struct scheduler_view *view,
	struct scheduler_report *ret_report);
/* Where each waiting job stands, all at once: O(jobs log jobs). */
void turns_rank(struct turns *turns, const struct scheduler_view *view);
/* After turns_rank(); in no time that grows with the jobs. */
int64_t turns_explain(const struct turns *turns, const struct scheduler_view *view,
	const struct job *job, char ret_reason[SCHEDULER_REASON_BYTES]);
/* How many may run on the loaded runners that have jobs; 0: there are none. */
int64_t turns_slots(const struct turns *turns, const struct settings *settings);
const struct runners *turns_runners(const struct turns *turns);

#endif
