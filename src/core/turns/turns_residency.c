/* What is loaded, as far as /api/ps and our own traffic tell: whose turns begin and end by that,
 * and what it teaches. */
#include <string.h>

#include "core/lane.h"
#include "core/residency.h"
#include "core/turns/turns_parts.h"

enum {
	/* One may be evicted by others before it was listed; after another such load Ollama's
	   answer is believed: it unloads at once (OLLAMA_KEEP_ALIVE=0), or does not list
	   everything. */
	UNSEEN_LOADS_MOST = 2,
};

void turns_begin_turn(struct runner *runner, int64_t now_us)
{
	runner->is_resident = true;
	runner->is_seen = false;
	runner->expires_us = 0;
	runner->is_known_key = false;
	runner->is_cut = false;
	runner->began_us = now_us;
	runner->served = 0;
	runner->last = CLASS_UNSET;
}

void turns_forget_turn(struct runner *runner)
{
	keep_alive_forget(&runner->keep_alive);
	runner->is_resident = false;
	runner->is_cut = false;
	runner->served = 0;
	runner->last = CLASS_UNSET;
}

static bool is_listed(
	const struct runners *runners, const struct residency *residency, const char *model)
{
	for (size_t i = 0; i < residency_count(residency); i++) {
		if (strcmp(runners_name(runners, residency_at(residency, i)->name), model) == 0)
			return true;
	}
	return false;
}

/* Ollama was restarted, or cannot be asked. */
static void forget_all(struct turns *turns)
{
	struct list *node;

	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);

		turns_forget_turn(runner);
		lane_forget(runner->lane);
	}
	memset(&turns->fits, 0, sizeof(turns->fits));
	runners_forget_copies(&turns->runners);
	runners_forget_contexts(&turns->runners);
	turns_owe_preloads(turns);
	turns->owes_verdict = false;
}

/* Its load was answered well, but it was never listed: as long as somebody waits for it that is
 * enough. Else it would be loaded again and again. */
static bool is_believed(struct runner *runner)
{
	if (runner->is_seen)
		return false;
	if (runner->served == 0 && runner->unseen_loads < UNSEEN_LOADS_MOST)
		runner->unseen_loads++;
	return runner->unseen_loads >= UNSEEN_LOADS_MOST && runner->jobs.waiting > 0;
}

/* Its keep_alive ran out, or it was unloaded: no load evicted it. */
static bool went_by_itself(const struct runner *runner, const struct residency *residency)
{
	if (!residency_is_snapshot(residency))
		return true;
	return runner->expires_us && runner->expires_us <= residency_asked_us(residency);
}

static void drop(struct turns *turns, struct runner *runner, const struct residency *residency)
{
	bool is_judged = turns->state == TURN_LOADING || turns->owes_verdict;

	if (is_judged && fits_set_has(&turns->before, runner->id))
		turns->is_blurred |= went_by_itself(runner, residency);
	turns_forget_turn(runner);
	lane_forget(runner->lane);
}

static void drop_vanished(struct turns *turns, const struct residency *residency)
{
	struct list *node;

	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);

		/* One that answers is there, whatever /api/ps says. */
		if (!runner->is_resident || runner->jobs.running > 0 || runner == turns->victim ||
			residency_asked_us(residency) < runner->changed_us)
			continue;
		if (is_listed(&turns->runners, residency, runner->model)) {
			/* An answer says only that it was there a moment ago. */
			if (residency_is_snapshot(residency)) {
				runner->is_seen = true;
				runner->unseen_loads = 0;
			}
			continue;
		}
		if (is_believed(runner))
			continue;
		drop(turns, runner, residency);
	}
}

/* The context length that /api/ps tells excludes keys that ask for another. */
static bool may_be(
	const struct runners *runners, const struct runner *runner, const struct resident *resident)
{
	return strcmp(runner->model, runners_name(runners, resident->name)) == 0 &&
	       (!runner->has_option[PEEK_NUM_CTX] || resident->context_length < 0 ||
		       runner->option[PEEK_NUM_CTX] == resident->context_length);
}

/* Which key of the model is it that somebody else loaded? One that answers, else one whose context
 * length it has, else the one without options. */
static struct runner *guess_key(struct turns *turns, const struct resident *resident)
{
	struct runner *best = NULL;
	struct list *node;

	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (!may_be(&turns->runners, runner, resident))
			continue;
		if (runner->jobs.running > 0)
			return runner;
		if (runner->has_option[PEEK_NUM_CTX] && resident->context_length >= 0)
			best = runner;
	}
	return best ? best : runners_get(&turns->runners, resident->name, NULL);
}

static void add_listed(struct turns *turns, const struct residency *residency, int64_t now_us)
{
	for (size_t i = 0; i < residency_count(residency); i++) {
		const struct resident *resident = residency_at(residency, i);
		struct runner *loading = turns_loading(turns);
		struct runner *runner;

		if (runners_resident(&turns->runners, resident->name))
			continue;
		/* The loader tells when it is up. */
		if (loading &&
			strcmp(loading->model, runners_name(&turns->runners, resident->name)) == 0)
			continue;
		runner = guess_key(turns, resident);
		if (residency_asked_us(residency) < runner->changed_us)
			continue;
		turns_begin_turn(runner, now_us);
		runner->is_seen = true;
	}
}

static void note_expiries(struct turns *turns, const struct residency *residency)
{
	for (size_t i = 0; i < residency_count(residency); i++) {
		const struct resident *resident = residency_at(residency, i);
		struct runner *runner = runners_resident(&turns->runners, resident->name);

		if (runner && resident->expires_us)
			runner->expires_us = resident->expires_us;
	}
}

/* After a load: is everybody still there who was there before? */
static void learn_fit(struct turns *turns, const struct residency *residency)
{
	int64_t asked_us = residency_asked_us(residency);
	struct fits_set now = {0};
	struct list *node;
	bool is_whole = true;

	/* What answered may have pushed out what was listed before. */
	if (!residency_is_snapshot(residency))
		return;
	if (turns->owes_verdict && asked_us < turns->loaded_us)
		return;
	LIST_EACH(&turns->runners.all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);

		/* One may be taken for loaded only because it still answers. */
		if (runner->is_resident && is_listed(&turns->runners, residency, runner->model))
			is_whole &= fits_set_add(&now, runner->id);
	}
	if (turns->owes_verdict) {
		bool are_all_there = true;

		for (size_t i = 0; i < turns->before.count; i++)
			are_all_there &= fits_set_has(&now, turns->before.ids[i]);
		if (!are_all_there && !turns->is_blurred)
			fits_disprove(&turns->fits, &turns->before, asked_us);
		turns->owes_verdict = false;
	}
	if (is_whole && turns->state != TURN_UNLOADING && turns->state != TURN_LOADING)
		fits_saw(&turns->fits, &now);
}

/* What models have where no request says num_ctx. */
static void learn_contexts(struct turns *turns, const struct residency *residency)
{
	for (size_t i = 0; i < residency_count(residency); i++) {
		const struct resident *resident = residency_at(residency, i);
		const struct runner *runner = runners_resident(&turns->runners, resident->name);

		if (runner && runner->is_known_key &&
			residency_asked_us(residency) >= runner->changed_us)
			runners_note_context(&turns->runners, runner, resident->context_length);
	}
}

void turns_sync_residency(struct turns *turns, const struct scheduler_view *view)
{
	const struct residency *residency = view->residency;

	if (residency_version(residency) == turns->residency_version)
		return;
	turns->residency_version = residency_version(residency);
	if (residency_asked_us(residency) == 0 ||
		residency_epoch(residency) != turns->residency_epoch)
		forget_all(turns);
	turns->residency_epoch = residency_epoch(residency);
	if (residency_asked_us(residency) == 0)
		return;
	drop_vanished(turns, residency);
	add_listed(turns, residency, view->now_us);
	note_expiries(turns, residency);
	learn_fit(turns, residency);
	learn_contexts(turns, residency);
}
