#include "report/findings.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "report/tables.h"

/* Fewer of anything are chance. */
enum {
	SWAPS_LEAST = 4, /* both ways together */
	RELOADS_LEAST = 2,
	UNHEARD_LEAST = 3,
	UNSTREAMED_LEAST = 3,
	WAITS_LEAST = 10,
	CONTEXT_MOST = 1 << 20,
};

/* And a smaller part of a project's requests is not worth a change. */
static const double UNHEARD_SHARE = 0.02;
static const double UNSTREAMED_SHARE = 0.1;
/* Clients that leave by a clock all leave after the same time; people do not. */
static const double CLOCK_SPREAD = 0.1;
/* A wait inside Ollama that shows: seconds, and part of the latency. */
static const double INSIDE_S = 0.3;
static const double INSIDE_SHARE = 0.1;
/* As the analysis that began all this: raise it if waits are long though all is warm. */
static const double LONG_WAIT_S = 1;
static const double WARM_SHARE = 0.8;
/* Rounding in /api/ps. */
static const double WHOLE_SHARE = 0.995;

#define MS_PER_S 1e3

void findings_begin(struct table *table, const char *id, const char *project, const char *model)
{
	table_text(table, id);
	table_text(table, project);
	table_text(table, model);
}

static void put_swaps(
	struct table *table, const char *model, const char *who, uint64_t count, double load_ms)
{
	findings_begin(table, "swaps", "", model);
	table_printf(table,
		"%s pushed each other out of memory %" PRIu64 " times; their loads took %.1f s.",
		who, count, load_ms / MS_PER_S);
	table_printf(table,
		"scheduler = turns (if it is already: a higher max_turn_wait, so that turns are "
		"longer); or a larger OLLAMA_MAX_LOADED_MODELS in Ollama's environment if they fit "
		"into its memory together.");
	table_printf(table,
		"Turns: one load for all that wait for a model, instead of one for nearly each "
		"request. Together in memory: up to %.1f s of loads less, and %" PRIu64
		" requests that start warm.",
		load_ms / MS_PER_S, count);
}

/* Each pair once, at the one of its two rows that stands first. Returns how many there are. */
static size_t add_pairs_of_swaps(struct table *table, const struct analysis *analysis)
{
	const struct names *swaps = analysis->loads.swaps;
	size_t pairs = 0;

	for (size_t i = 0; i < names_count(swaps); i++) {
		const struct loads_swap *there = names_at(swaps, i);
		const struct loads_swap *back =
			loads_find_swap(&analysis->loads, there->to, there->from);
		char *who;

		if (!back || back < there || there->count + back->count < SWAPS_LEAST)
			continue;
		who = mem_printf("%s and %s", there->from, there->to);
		put_swaps(table, there->to, who, there->count + back->count,
			there->load_ms + back->load_ms);
		free(who);
		pairs++;
	}
	return pairs;
}

static void add_swaps(struct table *table, const struct analysis *analysis)
{
	const struct names *swaps = analysis->loads.swaps;
	uint64_t count = 0;
	double load_ms = 0;
	char *who;

	if (add_pairs_of_swaps(table, analysis) > 0)
		return;
	/* Three that take turns in a circle are no pair. */
	for (size_t i = 0; i < names_count(swaps); i++) {
		const struct loads_swap *swap = names_at(swaps, i);

		count += swap->count;
		load_ms += swap->load_ms;
	}
	if (count < SWAPS_LEAST)
		return;
	who = mem_printf("%zu models", names_count(analysis->loads.models));
	put_swaps(table, "", who, count, load_ms);
	free(who);
}

static void add_reloads(struct table *table, const struct analysis *analysis)
{
	const struct names *models = analysis->loads.models;

	for (size_t i = 0; i < names_count(models); i++) {
		const struct loads_model *model = names_at(models, i);

		if (model->reloads < RELOADS_LEAST)
			continue;
		findings_begin(table, "option_reloads", model->by_project, names_name(models, i));
		table_printf(table,
			"%s was in memory and was loaded again %" PRIu64
			" times for other options, the last time from \"%s\" to \"%s\" by %s.",
			names_name(models, i), model->reloads, model->from_runner, model->to_runner,
			model->by_project);
		table_printf(table,
			"models = ( { name = \"%s\"; options = \"strip\"; } ), or \"set\" with one "
			"num_ctx for "
			"everybody (the one that /v1 requests get); or the same options in all "
			"clients.",
			names_name(models, i));
		table_printf(table, "%" PRIu64 " loads less, %.1f s of waiting for them.",
			model->reloads, model->reload_ms / MS_PER_S);
	}
}

static const char *unheard_change(const struct usage *usage)
{
	const uint64_t *unheard = usage->unheard;

	if (unheard[UNHEARD_LATE] >= unheard[UNHEARD_GONE] &&
		unheard[UNHEARD_LATE] >= unheard[UNHEARD_EARLY])
		return "A longer default_timeout (for all, or for the project) if its clients do "
		       "wait longer; else fewer of its requests at once (the project's "
		       "max_queue_size, or fewer workers in the client).";
	if (unheard[UNHEARD_EARLY] > unheard[UNHEARD_GONE])
		return "A longer read time-out in the client, and the project's patience to match "
		       "it; or fewer of its requests at once.";
	return "A longer read time-out in the client; or the project's patience (projects: "
	       "patience) "
	       "set to the one it has, so that what cannot be answered in time is told at once and "
	       "asked again.";
}

static void add_unheard(struct table *table, const struct analysis *analysis)
{
	for (size_t i = 0; i < names_count(analysis->projects); i++) {
		const struct usage *usage = names_at(analysis->projects, i);
		const char *project = names_name(analysis->projects, i);
		uint64_t count = usage_unheard(usage);

		if (count < UNHEARD_LEAST ||
			(double)count < UNHEARD_SHARE * (double)usage->requests)
			continue;
		findings_begin(table, "unheard", project, "");
		table_printf(table,
			"%" PRIu64 " of %" PRIu64
			" requests of %s ended without anybody hearing the "
			"answer: %" PRIu64 " clients left, %" PRIu64
			" waited until their deadline, "
			"%" PRIu64 " could not be answered in time.",
			count, usage->requests, project, usage->unheard[UNHEARD_GONE],
			usage->unheard[UNHEARD_LATE], usage->unheard[UNHEARD_EARLY]);
		table_text(table, unheard_change(usage));
		table_printf(table,
			"Up to %" PRIu64 " more answers; %.1f s of Ollama's time went into answers "
			"that were thrown away.",
			count, usage->unheard_service_ms / MS_PER_S);
	}
}

static void add_impatient(struct table *table, const struct analysis *analysis)
{
	for (size_t i = 0; i < names_count(analysis->projects); i++) {
		const struct usage *usage = names_at(analysis->projects, i);
		const char *project = names_name(analysis->projects, i);
		double patience = spread_quantile(&usage->gone, 0.5);
		double service = spread_quantile(&usage->service, 0.9);

		if (usage->gone.us.count < UNHEARD_LEAST || !(patience < service) ||
			spread_quantile(&usage->gone, 0.9) - patience > CLOCK_SPREAD * patience)
			continue;
		findings_begin(table, "impatient_client", project, "");
		table_printf(table,
			"Clients of %s leave after %.1f s, %" PRIu64
			" times so far, but one answer in ten takes %.1f s or more without any "
			"wait.",
			project, patience, usage->gone.us.count, service);
		table_printf(table,
			"A read time-out of at least %.0f s in the client (Docling: timeout of "
			"ApiVlmOptions; picture description has 20 s by default); or shorter "
			"answers "
			"(num_predict, max_tokens).",
			ceil(2 * service / 10) * 10);
		table_printf(table,
			"These answers arrive instead of being thrown away: now no queue, however "
			"short, could save them.");
	}
}

static void add_unstreamed(struct table *table, const struct analysis *analysis)
{
	for (size_t i = 0; i < names_count(analysis->projects); i++) {
		const struct usage *usage = names_at(analysis->projects, i);
		const char *project = names_name(analysis->projects, i);
		double count = (double)usage->unstreamed;
		double latency, first;

		if (usage->unstreamed < UNSTREAMED_LEAST ||
			count < UNSTREAMED_SHARE * (double)usage->successes)
			continue;
		latency = usage->unstreamed_ms / count / MS_PER_S;
		first = usage->unstreamed_first_ms / count / MS_PER_S;
		findings_begin(table, "unstreamed", project, "");
		table_printf(table,
			"%" PRIu64 " long answers of %s were sent in one piece after %.1f s; their "
			"first token was there after %.1f s.",
			usage->unstreamed, project, latency, first);
		table_text(table, "\"stream\": true in the client.");
		table_printf(table,
			"Its reader sees the first words %.1f s earlier, and read time-outs begin "
			"anew with each line; the whole takes as long as before.",
			latency - first);
	}
}

static double next_context(double context)
{
	double next = 1024;

	while (next <= context && next < CONTEXT_MOST)
		next *= 2;
	return next;
}

static void add_truncated(struct table *table, const struct analysis *analysis)
{
	for (size_t i = 0; i < names_count(analysis->pairs); i++) {
		const struct usage *usage = names_at(analysis->pairs, i);
		const char *model;
		char *project;

		if (usage->truncated == 0)
			continue;
		analysis_pair_names(analysis, i, &project, &model);
		findings_begin(table, "cut_prompts", project, model);
		table_printf(table,
			"%" PRIu64 " of %" PRIu64
			" prompts of %s for %s were longer than the context "
			"of %.0f tokens; Ollama cut them without a word.",
			usage->truncated, usage->requests, project, model, usage->context_most);
		table_printf(table,
			"models = ( { name = \"%s\"; options = \"set\"; num_ctx = %.0f; } ), or "
			"OLLAMA_CONTEXT_LENGTH for all models; or shorter prompts.",
			model, next_context(usage->context_most));
		table_printf(table, "The model sees the whole prompt; its context takes more "
				    "memory, so look at "
				    "its share on the GPU afterwards.");
		free(project);
	}
}

static void add_on_cpu(struct table *table, const struct hints *hints)
{
	for (size_t i = 0; i < hints->runners_count; i++) {
		const struct hint_runner *runner = &hints->runners[i];

		if (!(runner->vram_share < WHOLE_SHARE))
			continue;
		findings_begin(table, "partly_on_cpu", "", runner->model);
		table_printf(table,
			"Only %.0f %% of %s is on the GPU; the CPU computes the rest of each "
			"token.",
			runner->vram_share * 100, runner->model);
		table_printf(table,
			"A smaller num_ctx (models: options = \"set\"), a smaller "
			"quantization, OLLAMA_KV_CACHE_TYPE=q8_0, or fewer models in memory "
			"(OLLAMA_MAX_LOADED_MODELS).");
		table_printf(table, "Often several times the tokens a second once all of it fits.");
	}
}

static void add_too_many_slots(struct table *table, const struct analysis *analysis)
{
	const struct usage *all = &analysis->all;
	double inside_s = spread_mean(&analysis->upstream_wait);

	findings_begin(table, "too_many_slots", "", "");
	table_printf(table,
		"Requests waited %.2f s on average inside Ollama, where nobody can see or order "
		"them: %" PRIu64 " ran at once, more than it serves.",
		inside_s, analysis->traffic->at_once);
	table_text(table, "concurrency = adaptive, or a smaller max_concurrent; or a larger "
			  "OLLAMA_NUM_PARALLEL if the memory allows it.");
	table_printf(table,
		"The same latency (mean %.2f s) with the wait in our queue, in the right order and "
		"without work for clients that left; with OLLAMA_NUM_PARALLEL up to %.2f s less.",
		spread_mean(&all->latency), inside_s);
}

static void add_too_few_slots(struct table *table, const struct analysis *analysis)
{
	const struct traffic_result *traffic = analysis->traffic;
	double waits = (double)analysis->all.wait.us.count;

	findings_begin(table, "too_few_slots", "", "");
	table_printf(table,
		"Requests waited %.2f s on average in the queue though %.0f %% started warm and "
		"none waited inside Ollama; at most %" PRIu64 " ran at once.",
		spread_mean(&analysis->queue_wait), usage_warm_share(&analysis->all) * 100,
		traffic->at_once);
	table_printf(table,
		"max_concurrent = %" PRIu64
		" (or concurrency = adaptive), with OLLAMA_NUM_PARALLEL "
		"at least as large.",
		traffic->at_once + 2);
	table_printf(table,
		"If Ollama serves %" PRIu64 " at the same speed, the average wait can fall to "
		"%.2f s at best (now %.2f s at best); if it slows down, there is nothing to win.",
		traffic->at_once + 2, traffic->least_wait_sum_more_s / waits,
		tables_least_wait(analysis));
}

static void add_slots(struct table *table, const struct analysis *analysis)
{
	double inside_s = spread_mean(&analysis->upstream_wait);
	double queue_s = spread_mean(&analysis->queue_wait);

	if (analysis->upstream_wait.us.count < WAITS_LEAST || analysis->traffic->at_once == 0)
		return;
	if (inside_s >= INSIDE_S && inside_s >= INSIDE_SHARE * spread_mean(&analysis->all.latency))
		add_too_many_slots(table, analysis);
	else if (inside_s < INSIDE_S / 2 && queue_s >= LONG_WAIT_S &&
		 usage_warm_share(&analysis->all) >= WARM_SHARE)
		add_too_few_slots(table, analysis);
}

void findings_add(
	struct document *document, const struct analysis *analysis, const struct hints *hints)
{
	static const struct column columns[] = {
		{"id", ""},
		{"project", "project"},
		{"model", "model"},
		{"finding", "finding"},
		{"change", "change"},
		{"effect", "effect"},
	};
	struct table *table = document_add(
		document, SHAPE_PROSE, "findings", "Findings", columns, ARRAY_LENGTH(columns));

	add_swaps(table, analysis);
	add_reloads(table, analysis);
	add_unheard(table, analysis);
	add_impatient(table, analysis);
	add_unstreamed(table, analysis);
	add_truncated(table, analysis);
	add_on_cpu(table, hints);
	findings_add_images(table, analysis, hints);
	add_slots(table, analysis);
}
