#include "core/runner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash64.h"
#include "base/memory.h"
#include "core/lane.h"
#include "core/residency.h"

enum {
	MODEL_BYTES = 256,
	KEY_BYTES = 512,
	/* Keys without jobs that are not loaded are forgotten beyond this: every num_ctx that a
	   client makes up is one. */
	RUNNERS_MOST = 256,
	ALIASES_MOST = 256,  /* the names of one Ollama's copies */
	CONTEXTS_MOST = 256, /* its models */
	/* Pseudo-samples for "it does not come back soon". */
	RETURN_PRIOR = 2,
};

/* Weight of a new sample: the last five or so loads, the last ten or so services count. */
#define LOAD_WEIGHT 0.4
#define SERVICE_WEIGHT 0.2
/* Arrivals are counted over about a minute: longer than the gaps within a burst, shorter than
 * between bursts. */
#define ARRIVALS_SPAN_US 60e6
/* Before anything was measured: a 4 GB model from an SSD; a short answer. */
#define LOAD_PRIOR_US 5e6
#define SERVICE_PRIOR_US 1e6
/* A batch of b runs at 1 / (1 + ALPHA (b - 1)) of the speed (FACTS-scheduling). */
#define ALPHA 0.15
/* The next return may be a little later than a former one. */
#define RETURN_SLACK 1.5

void runners_init(struct runners *runners)
{
	memset(runners, 0, sizeof(*runners));
	list_init(&runners->all);
}

static void remove_runner(struct runners *runners, struct runner *runner)
{
	list_remove(&runner->link);
	runners->count--;
	lane_destroy(runner->lane);
	free(runner->key);
	free(runner->model);
	free(runner->spelling);
	keep_alive_finish(&runner->keep_alive);
	free(runner);
}

static void free_alias(struct runner_alias *alias)
{
	free(alias->name);
	free(alias->other);
}

void runners_forget_copies(struct runners *runners)
{
	for (size_t i = 0; i < runners->aliases_count; i++)
		free_alias(&runners->aliases[i]);
	free(runners->aliases);
	runners->aliases = NULL;
	runners->aliases_count = 0;
}

const char *runners_name(const struct runners *runners, const char *model)
{
	for (size_t i = 0; i < runners->aliases_count; i++) {
		if (strcmp(runners->aliases[i].name, model) == 0)
			return runners->aliases[i].other;
	}
	return model;
}

void runners_note_same(struct runners *runners, const char *model, const char *other)
{
	for (size_t i = 0; i < runners->aliases_count; i++) {
		if (strcmp(runners->aliases[i].name, model) != 0)
			continue;
		free_alias(&runners->aliases[i]);
		runners->aliases[i] = runners->aliases[--runners->aliases_count];
		break;
	}
	if (strcmp(model, other) == 0 || runners->aliases_count == ALIASES_MOST)
		return;
	runners->aliases = mem_grow_array(
		runners->aliases, runners->aliases_count + 1, sizeof(*runners->aliases));
	runners->aliases[runners->aliases_count++] =
		(struct runner_alias){mem_strdup(model), mem_strdup(other)};
}

static void free_pinned(struct runners *runners)
{
	for (size_t i = 0; i < runners->pinned_count; i++)
		free(runners->pinned[i]);
	free(runners->pinned);
	runners->pinned = NULL;
	runners->pinned_count = 0;
}

void runners_finish(struct runners *runners)
{
	struct list *node;
	struct list *following;

	LIST_EACH_SAFE(&runners->all, node, following)
	remove_runner(runners, CONTAINER_OF(node, struct runner, link));
	free_pinned(runners);
	runners_forget_copies(runners);
	runners_forget_contexts(runners);
}

void runners_forget_contexts(struct runners *runners)
{
	for (size_t i = 0; i < runners->contexts_count; i++)
		free(runners->contexts[i].model);
	free(runners->contexts);
	runners->contexts = NULL;
	runners->contexts_count = 0;
}

static struct runner_context *context_of(const struct runners *runners, const char *model)
{
	for (size_t i = 0; i < runners->contexts_count; i++) {
		if (strcmp(runners->contexts[i].model, model) == 0)
			return &runners->contexts[i];
	}
	return NULL;
}

void runners_note_context(struct runners *runners, const struct runner *runner, int64_t length)
{
	struct runner_context *context = context_of(runners, runner->model);

	if (runner->has_option[PEEK_NUM_CTX] || length <= 0)
		return;
	if (context) {
		context->length = length;
		return;
	}
	if (runners->contexts_count >= CONTEXTS_MOST)
		return;
	runners->contexts = mem_grow_array(
		runners->contexts, runners->contexts_count + 1, sizeof(*runners->contexts));
	runners->contexts[runners->contexts_count++] =
		(struct runner_context){mem_strdup(runner->model), length};
}

/* Is it asked for what it has anyway? */
static bool asks_for_default(
	const struct runners *runners, const char *model, const struct peek_result *seen)
{
	const struct runner_context *context = context_of(runners, model);

	return context && seen && seen->has_option[PEEK_NUM_CTX] &&
	       seen->option[PEEK_NUM_CTX] == context->length;
}

/* "llama3:latest num_ctx=8192" */
static void write_key(char *key, size_t bytes, const char *model, const struct peek_result *seen,
	const bool has_option[PEEK_OPTION_COUNT])
{
	size_t used = (size_t)snprintf(key, bytes, "%s", model);

	for (int i = 0; i < PEEK_OPTION_COUNT; i++) {
		if (has_option[i] && used < bytes)
			used += (size_t)snprintf(key + used, bytes - used, " %s=%lld",
				peek_option_name((enum peek_option)i), (long long)seen->option[i]);
	}
}

static void forget_idle(struct runners *runners)
{
	struct list *node;
	struct list *following;

	LIST_EACH_SAFE(&runners->all, node, following)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (!runner->is_resident && !runner->is_busy_with_us && !runner->is_looked_at &&
			!runner->owes_preload && runner->jobs.waiting + runner->jobs.running == 0)
			remove_runner(runners, runner);
	}
}

static struct runner *find(const struct runners *runners, const char *key)
{
	const struct list *node;

	LIST_EACH(&runners->all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (strcmp(runner->key, key) == 0)
			return runner;
	}
	return NULL;
}

/* Of two names the latest is asked for: the other one may be deleted. */
static void respell(struct runner *runner, const char *model)
{
	if (strcmp(runner->spelling, model) == 0)
		return;
	free(runner->spelling);
	runner->spelling = mem_strdup(model);
}

struct runner *runners_get(
	struct runners *runners, const char *model, const struct peek_result *seen)
{
	char canonical[MODEL_BYTES];
	char key[KEY_BYTES];
	bool has_option[PEEK_OPTION_COUNT] = {false};
	const char *name;
	struct runner *runner;

	residency_canonical(model, canonical, sizeof(canonical));
	name = runners_name(runners, canonical);
	if (seen)
		memcpy(has_option, seen->has_option, sizeof(has_option));
	if (asks_for_default(runners, name, seen))
		has_option[PEEK_NUM_CTX] = false;
	write_key(key, sizeof(key), name, seen, has_option);
	runner = find(runners, key);
	if (runner) {
		respell(runner, model);
		return runner;
	}
	if (runners->count >= RUNNERS_MOST)
		forget_idle(runners);
	runner = mem_zalloc(sizeof(*runner));
	runner->id = ++runners->next_id;
	runner->key = mem_strdup(key);
	runner->key_hash = hash64_text(key);
	runner->model = mem_strdup(name);
	runner->spelling = mem_strdup(model);
	runner->grow = 1;
	runner->lane = lane_create();
	runner->keep_alive.is_pinned = runners_are_pinned(runners, name);
	if (seen) {
		memcpy(runner->has_option, has_option, sizeof(runner->has_option));
		memcpy(runner->option, seen->option, sizeof(runner->option));
	}
	list_append(&runners->all, &runner->link);
	runners->count++;
	return runner;
}

void runners_pin(struct runners *runners, char *const *models)
{
	char canonical[MODEL_BYTES];
	struct list *node;

	free_pinned(runners);
	for (; models && *models; models++) {
		residency_canonical(*models, canonical, sizeof(canonical));
		if (runners_are_pinned(runners, canonical))
			continue;
		runners->pinned = mem_grow_array(
			runners->pinned, runners->pinned_count + 1, sizeof(*runners->pinned));
		runners->pinned[runners->pinned_count++] = mem_strdup(canonical);
	}
	LIST_EACH(&runners->all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);

		runner->keep_alive.is_pinned = runners_are_pinned(runners, runner->model);
		runner->owes_preload = runner->owes_preload && runner->keep_alive.is_pinned;
	}
}

bool runners_are_pinned(const struct runners *runners, const char *model)
{
	model = runners_name(runners, model);
	for (size_t i = 0; i < runners->pinned_count; i++) {
		if (strcmp(runners_name(runners, runners->pinned[i]), model) == 0)
			return true;
	}
	return false;
}

struct runner *runners_resident(const struct runners *runners, const char *model)
{
	const struct list *node;

	model = runners_name(runners, model);
	LIST_EACH(&runners->all, node)
	{
		struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (runner->is_resident && strcmp(runner->model, model) == 0)
			return runner;
	}
	return NULL;
}

static double arrivals_now(const struct runner *runner, int64_t now_us)
{
	return runner->arrivals * exp(-(double)(now_us - runner->arrived_us) / ARRIVALS_SPAN_US);
}

void runner_note_arrival(struct runner *runner, int64_t now_us)
{
	runner->arrivals = arrivals_now(runner, now_us) + 1;
	runner->arrived_us = now_us;
	if (runner->jobs.waiting + runner->jobs.running == 0 && runner->idle_since_us)
		runner->returns_us[runner->returns_count++ % RUNNER_RETURNS] =
			now_us - runner->idle_since_us;
}

static void average(double *mean, double sample, double weight)
{
	if (*mean <= 0)
		*mean = sample;
	else
		*mean += weight * (sample - *mean);
}

void runner_note_service(struct runners *runners, struct runner *runner, int64_t held_us)
{
	average(&runner->service_us, (double)held_us, SERVICE_WEIGHT);
	average(&runners->service_us, (double)held_us, SERVICE_WEIGHT);
}

void runner_note_load(struct runners *runners, struct runner *runner, int64_t took_us)
{
	average(&runner->load_us, (double)took_us, LOAD_WEIGHT);
	average(&runners->load_us, (double)took_us, LOAD_WEIGHT);
}

double runner_load_us(const struct runners *runners, const struct runner *runner)
{
	if (runner->load_us > 0)
		return runner->load_us;
	return runners->load_us > 0 ? runners->load_us : LOAD_PRIOR_US;
}

double runner_service_us(const struct runners *runners, const struct runner *runner)
{
	if (runner->service_us > 0)
		return runner->service_us;
	return runners->service_us > 0 ? runners->service_us : SERVICE_PRIOR_US;
}

double runner_arrivals(const struct runner *runner, int64_t now_us, double span_us)
{
	return arrivals_now(runner, now_us) * span_us / ARRIVALS_SPAN_US;
}

double runner_clear_time_us(double service_us, double jobs, double parallel)
{
	double batch = jobs < parallel ? jobs : parallel;

	if (batch < 1)
		return jobs * service_us;
	return jobs / batch * service_us * (1 + ALPHA * (batch - 1));
}

double runner_clear_us(
	const struct runners *runners, const struct runner *runner, double jobs, double parallel)
{
	return runner_clear_time_us(runner_service_us(runners, runner), jobs, parallel);
}

/* P(X <= delay) * gain - others * E[min(X, delay)] */
static double hold_value(
	const struct runner *runner, size_t samples, double delay_us, double gain_us, double others)
{
	double total = (double)(samples + RETURN_PRIOR);
	double sum_us = RETURN_PRIOR * delay_us;
	size_t back = 0;

	for (size_t i = 0; i < samples; i++) {
		double return_us = (double)runner->returns_us[i];

		back += return_us <= delay_us;
		sum_us += return_us < delay_us ? return_us : delay_us;
	}
	return (double)back / total * gain_us - others * sum_us / total;
}

int64_t runner_hold_us(const struct runner *runner, double most_us, double gain_us, double others)
{
	size_t samples =
		runner->returns_count < RUNNER_RETURNS ? runner->returns_count : RUNNER_RETURNS;
	double best = 0;
	double best_us = 0;

	for (size_t i = 0; i < samples; i++) {
		double delay_us = (double)runner->returns_us[i] * RETURN_SLACK;
		double value;

		if (delay_us > most_us)
			delay_us = most_us;
		value = hold_value(runner, samples, delay_us, gain_us, others);
		if (value > best) {
			best = value;
			best_us = delay_us;
		}
	}
	return (int64_t)best_us;
}
