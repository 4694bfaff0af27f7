#include "report/analysis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

enum { PROJECTS_MOST = 256, MODELS_MOST = 256, PAIRS_MOST = 256, WORDS_MOST = 64 };

/* No name has it: our writer escapes control bytes, so a name with one is the slow way's. */
static const char PAIR_SEPARATOR = '\x1f';

#define US_PER_MS 1e3
/* Timestamps have milliseconds, and a slot is free a little before its answer was read. */
#define BLUR_US 5e3
/* The end of the year 9999. */
#define LAST_US 253402300799e6

struct analysis *analysis_create(const struct analysis_filter *filter)
{
	struct analysis *analysis = mem_zalloc(sizeof(*analysis));

	analysis->filter = *filter;
	analysis->first_us = -1;
	analysis->last_us = -1;
	analysis->origin_us = -1;
	loads_init(&analysis->loads);
	analysis->projects = names_create(PROJECTS_MOST, sizeof(struct usage));
	analysis->models = names_create(MODELS_MOST, sizeof(struct usage));
	analysis->pairs = names_create(PAIRS_MOST, sizeof(struct usage));
	analysis->operations = names_create(WORDS_MOST, sizeof(uint64_t));
	analysis->errors = names_create(WORDS_MOST, sizeof(uint64_t));
	analysis->traffic_parts = traffic_create((int64_t)(BLUR_US * filter->time_scale));
	return analysis;
}

void analysis_destroy(struct analysis *analysis)
{
	if (!analysis)
		return;
	loads_finish(&analysis->loads);
	names_destroy(analysis->projects);
	names_destroy(analysis->models);
	names_destroy(analysis->pairs);
	names_destroy(analysis->operations);
	names_destroy(analysis->errors);
	traffic_destroy(analysis->traffic_parts);
	free(analysis);
}

static bool is_named(struct text text, const char *name)
{
	return !name ||
	       (text.at && strlen(name) == text.length && memcmp(text.at, name, text.length) == 0);
}

static bool is_wanted(const struct analysis_filter *filter, const struct line *line)
{
	/* A line without a time is in no period. */
	if (filter->since_us >= 0 && !(line->ended_us >= filter->since_us))
		return false;
	if (filter->until_us >= 0 && !(line->ended_us >= 0 && line->ended_us < filter->until_us))
		return false;
	return is_named(line->project, filter->project) && is_named(line->model, filter->model);
}

/* Time goes on from the first line. */
static void scale(struct line *line, double factor, int64_t *origin_us)
{
	double *times[] = {&line->latency_ms, &line->load_ms, &line->queue_wait_ms,
		&line->load_wait_ms, &line->ttft_ms, &line->prompt_ms, &line->generation_ms,
		&line->upstream_wait_ms};
	double ended_us;

	for (size_t i = 0; i < ARRAY_LENGTH(times); i++)
		*times[i] *= factor;
	if (line->ended_us < 0)
		return;
	if (*origin_us < 0)
		*origin_us = line->ended_us;
	ended_us = (double)*origin_us + (double)(line->ended_us - *origin_us) * factor;
	line->ended_us = ended_us >= 0 && ended_us <= LAST_US ? (int64_t)ended_us : -1;
}

static void add_moment(
	struct analysis *analysis, const struct line *line, const struct derived *derived)
{
	struct timeline_column *column;

	if (line->ended_us > analysis->last_us)
		analysis->last_us = line->ended_us;
	if (derived->arrived_us < 0)
		return;
	if (analysis->first_us < 0 || derived->arrived_us < analysis->first_us)
		analysis->first_us = derived->arrived_us;
	column = timeline_at(&analysis->timeline, derived->arrived_us);
	column->arrivals++;
	column->errors += !derived->is_success;
	column->warm += derived->is_success && line->is_warm == TRUTH_YES;
	column->cold += derived->is_success && line->is_warm == TRUTH_NO;
	column->latencies++;
	column->latency_ms += line->latency_ms;
	if (!isnan(derived->wait_ms)) {
		column->waits++;
		column->wait_ms += derived->wait_ms;
	}
	traffic_add_arrival(analysis->traffic_parts, derived->arrived_us, line->ended_us);
}

static void add_run(
	struct analysis *analysis, const struct line *line, const struct derived *derived)
{
	double load_ms = isnan(derived->load_ms) ? 0 : derived->load_ms;
	double pure_ms = fmax(derived->service_ms - load_ms, 0);

	if (!derived->has_run || derived->arrived_us < 0)
		return;
	traffic_add_run(analysis->traffic_parts, derived->arrived_us,
		line->ended_us - (int64_t)(derived->service_ms * US_PER_MS), line->ended_us,
		(int64_t)(pure_ms * US_PER_MS));
}

static void add_spreads(
	struct analysis *analysis, const struct line *line, const struct derived *derived)
{
	spread_add(&analysis->queue_wait, line->queue_wait_ms);
	spread_add(&analysis->upstream_wait, line->upstream_wait_ms);
	spread_add(&analysis->load, derived->load_ms);
	if (line->is_stream == TRUTH_YES)
		spread_add(&analysis->ttft, line->ttft_ms);
	if (!derived->is_success)
		return;
	if (line->is_warm == TRUTH_YES) {
		spread_add(&analysis->latency_warm, line->latency_ms);
		spread_add(&analysis->service_warm, derived->service_ms);
	} else if (line->is_warm == TRUTH_NO) {
		spread_add(&analysis->latency_cold, line->latency_ms);
		spread_add(&analysis->service_cold, derived->service_ms);
	}
}

static void count(struct names *names, struct text word)
{
	++*(uint64_t *)names_row(names, word);
}

/* Projects and models of a pair are cut to half a name each. */
static void add_pair(
	struct analysis *analysis, const struct line *line, const struct derived *derived)
{
	enum { HALF = NAME_BYTES_MOST / 2 - 1 };
	char name[NAME_BYTES_MOST];
	size_t project = line->project.length < HALF ? line->project.length : HALF;
	size_t model = line->model.length < HALF ? line->model.length : HALF;

	if (!line->project.at || !line->model.at)
		return;
	memcpy(name, line->project.at, project);
	name[project] = PAIR_SEPARATOR;
	memcpy(name + project + 1, line->model.at, model);
	usage_add(names_row(analysis->pairs, (struct text){name, project + 1 + model}), line,
		derived);
}

void analysis_add(struct analysis *analysis, struct line *line)
{
	struct derived derived;

	analysis->lines++;
	if (!is_wanted(&analysis->filter, line)) {
		analysis->filtered++;
		return;
	}
	if (analysis->filter.time_scale != 1)
		scale(line, analysis->filter.time_scale, &analysis->origin_us);
	derive(line, &derived);
	usage_add(&analysis->all, line, &derived);
	usage_add(names_row(analysis->projects, line->project), line, &derived);
	usage_add(names_row(analysis->models, line->model), line, &derived);
	add_pair(analysis, line, &derived);
	add_spreads(analysis, line, &derived);
	add_moment(analysis, line, &derived);
	add_run(analysis, line, &derived);
	loads_add(&analysis->loads, line, &derived);
	count(analysis->operations, line->operation);
	if (!derived.is_success)
		count(analysis->errors, line->error_type);
}

void analysis_end(struct analysis *analysis)
{
	analysis->traffic = traffic_finish(analysis->traffic_parts);
}

void analysis_pair_names(
	const struct analysis *analysis, size_t index, char **ret_project, const char **ret_model)
{
	char *names = mem_strdup(names_name(analysis->pairs, index));
	char *separator = strchr(names, PAIR_SEPARATOR);

	if (separator)
		*separator = '\0';
	*ret_project = names;
	*ret_model = separator ? separator + 1 : names + strlen(names);
}
