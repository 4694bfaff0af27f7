#include "report/tables.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/moment.h"

/* What the analysis that began all this set as targets (PRODUCT). */
static const double TARGET_WARM_S = 3;
static const double TARGET_COLD_S = 10;
static const double TARGET_WAIT_S = 1;
static const double TARGET_WARM_SHARE = 0.8;
static const double TARGET_LOAD_SHARE = 0.1;

/* Of the distribution of latencies: 1/128 s, and 18 hours. */
static const double FIRST_BOUND_S = 1.0 / 128;
static const double LAST_BOUND_S = 65536;

#define MS_PER_S 1e3
#define US_PER_S 1e6

static void add_requests(struct document *document, const struct analysis *analysis)
{
	struct table *table = document_add(document, SHAPE_FACTS, "requests", "Requests", NULL, 0);
	const struct usage *all = &analysis->all;
	double span_s = analysis->first_us >= 0
				? (double)(analysis->last_us - analysis->first_us) / US_PER_S
				: NAN;
	char first[MOMENT_BYTES], last[MOMENT_BYTES];

	table_fact(table, "requests", "requests", UNIT_COUNT, (double)all->requests);
	table_fact(table, "successes", "successes", UNIT_COUNT, (double)all->successes);
	table_fact(table, "errors", "errors", UNIT_COUNT, (double)(all->requests - all->successes));
	table_fact(table, "success_rate", "success rate", UNIT_SHARE,
		all->requests ? (double)all->successes / (double)all->requests : NAN);
	table_fact(table, "jobs", "with a place in the queue", UNIT_COUNT, (double)all->jobs);
	if (analysis->first_us >= 0) {
		moment_write(analysis->first_us, first);
		moment_write(analysis->last_us, last);
		table_fact_text(table, "first", "first arrival (UTC)", first);
		table_fact_text(table, "last", "last end (UTC)", last);
	}
	table_fact(table, "span_s", "span", UNIT_SECONDS, span_s);
	table_fact(
		table, "slot_seconds", "slots taken for", UNIT_SECONDS, all->service_ms / MS_PER_S);
	table_fact(table, "prompt_tokens", "prompt tokens", UNIT_COUNT, all->prompt_tokens);
	table_fact(
		table, "generation_tokens", "generated tokens", UNIT_COUNT, all->generation_tokens);
}

static void add_target(struct table *table, const char *name, enum unit unit, bool is_below,
	double wanted, double found, double bound)
{
	bool is_met = is_below ? found < wanted : found > wanted;

	table_text(table, name);
	table_text(table, is_below ? "below" : "above");
	table_number(table, unit, wanted);
	table_number(table, unit, found);
	table_text(table, isnan(found) ? "unknown" : is_met ? "met" : "missed");
	table_number(table, unit, bound);
}

double tables_least_wait(const struct analysis *analysis)
{
	uint64_t waits = analysis->all.wait.us.count;

	return waits ? analysis->traffic->least_wait_sum_s / (double)waits : NAN;
}

static void add_targets(struct document *document, const struct analysis *analysis)
{
	static const struct column columns[] = {
		{"target", "target"},
		{"side", ""},
		{"wanted", "wanted"},
		{"found", "found"},
		{"verdict", ""},
		{"bound", "best possible"},
	};
	struct table *table = document_add(
		document, SHAPE_LIST, "targets", "Targets", columns, ARRAY_LENGTH(columns));
	uint64_t judged = analysis->all.warm + analysis->all.cold;
	double load_share = judged ? (double)analysis->all.cold / (double)judged : NAN;
	double first_share = judged ? (double)analysis->loads.first_loads / (double)judged : NAN;

	table->note =
		"Best possible: no scheduler could do better on these requests. Latency: the same "
		"answers without any wait. Wait: the same arrivals and service times, as many at "
		"once as were seen, known beforehand and interrupted at will, loads for free (mean "
		"busy time bound). Warm and loads: each model that was cold at first loaded once.";
	add_target(table, "mean latency, warm", UNIT_SECONDS, true, TARGET_WARM_S,
		spread_mean(&analysis->latency_warm), spread_mean(&analysis->service_warm));
	add_target(table, "mean latency, cold", UNIT_SECONDS, true, TARGET_COLD_S,
		spread_mean(&analysis->latency_cold), spread_mean(&analysis->service_cold));
	add_target(table, "average wait (queue and inside Ollama)", UNIT_SECONDS, true,
		TARGET_WAIT_S, spread_mean(&analysis->all.wait), tables_least_wait(analysis));
	add_target(table, "warm starts", UNIT_SHARE, false, TARGET_WARM_SHARE,
		usage_warm_share(&analysis->all), 1 - first_share);
	add_target(table, "requests that waited for a load", UNIT_SHARE, true, TARGET_LOAD_SHARE,
		load_share, first_share);
}

static void add_spread(struct table *table, const char *name, const struct spread *spread)
{
	if (spread->us.count == 0)
		return;
	table_text(table, name);
	table_number(table, UNIT_COUNT, (double)spread->us.count);
	table_number(table, UNIT_SECONDS, spread_mean(spread));
	table_number(table, UNIT_SECONDS, spread_quantile(spread, 0.5));
	table_number(table, UNIT_SECONDS, spread_quantile(spread, 0.9));
	table_number(table, UNIT_SECONDS, spread_quantile(spread, 0.99));
	table_number(table, UNIT_SECONDS, spread_most(spread));
	table_number(table, UNIT_SECONDS, spread_deviation(spread));
	table_number(table, UNIT_SECONDS, spread_least(spread));
}

static void add_times(struct document *document, const struct analysis *analysis)
{
	static const struct column columns[] = {
		{"what", ""},
		{"count", "count"},
		{"mean_s", "mean"},
		{"p50_s", "median"},
		{"p90_s", "p90"},
		{"p99_s", "p99"},
		{"max_s", "max"},
		{"deviation_s", "std dev"},
		{"min_s", "min"},
	};
	struct table *table = document_add(
		document, SHAPE_LIST, "times", "Latency and waits", columns, ARRAY_LENGTH(columns));

	table->note = "Quantiles are right to 5 %, all else exact.";
	add_spread(table, "latency", &analysis->all.latency);
	add_spread(table, "latency, warm", &analysis->latency_warm);
	add_spread(table, "latency, cold", &analysis->latency_cold);
	add_spread(table, "wait in the queue", &analysis->queue_wait);
	add_spread(table, "wait inside Ollama", &analysis->upstream_wait);
	add_spread(table, "both waits", &analysis->all.wait);
	add_spread(table, "latency less waits", &analysis->all.service);
	add_spread(table, "first byte, streamed", &analysis->ttft);
	add_spread(table, "load of a cold start", &analysis->load);
}

/* How many latencies lie between powers of two. */
static void add_distribution(struct document *document, const struct analysis *analysis)
{
	static const struct column columns[] = {{"up_to_s", "up to"}, {"count", "requests"}};
	const struct histogram *us = &analysis->all.latency.us;
	double bound_s = FIRST_BOUND_S;
	struct table *table;
	uint64_t seen = 0;
	unsigned i = 0;

	if (us->count == 0)
		return;
	table = document_add(document, SHAPE_LIST, "latency_distribution",
		"How latencies are spread", columns, ARRAY_LENGTH(columns));
	table->bar = 1;
	while (seen < us->count && i < HISTOGRAM_BUCKETS) {
		bool is_last = bound_s > LAST_BOUND_S;
		uint64_t count = 0;

		while (i < HISTOGRAM_BUCKETS &&
			(is_last || (double)histogram_bound(i) <= bound_s * US_PER_S))
			count += us->buckets[i++];
		seen += count;
		if (count > 0 || table_rows(table) > 0) {
			table_number(table, UNIT_SECONDS, is_last ? NAN : bound_s);
			table_number(table, UNIT_COUNT, (double)count);
		}
		bound_s *= 2;
	}
}

static void add_warmth(struct document *document, const struct analysis *analysis)
{
	struct table *table = document_add(document, SHAPE_FACTS, "warm", "Warm or cold", NULL, 0);
	const struct usage *all = &analysis->all;
	uint64_t judged = all->warm + all->cold;

	table_fact(table, "warm", "warm starts", UNIT_COUNT, (double)all->warm);
	table_fact(table, "cold", "waited for a load", UNIT_COUNT, (double)all->cold);
	table_fact(
		table, "unknown", "nobody can know", UNIT_COUNT, (double)(all->successes - judged));
	table_fact(table, "warm_share", "warm, of those known", UNIT_SHARE, usage_warm_share(all));
	table_fact(table, "loads", "loads that requests waited for", UNIT_COUNT,
		(double)analysis->loads.loads);
	table_fact(table, "first_loads", "of these a model's first", UNIT_COUNT,
		(double)analysis->loads.first_loads);
	table_fact(
		table, "load_mean_s", "a load takes", UNIT_SECONDS, spread_mean(&analysis->load));
}

static void add_bursts(struct document *document, const struct analysis *analysis)
{
	struct table *table = document_add(document, SHAPE_FACTS, "bursts", "Bursts", NULL, 0);
	const struct traffic_result *traffic = analysis->traffic;

	table->note = "A burst: two or more requests, each at most 5 s after the one before.";
	table_fact(table, "peak_arrivals_a_minute", "most arrivals within 60 s", UNIT_COUNT,
		(double)traffic->peak_a_minute);
	table_fact(table, "bursts", "bursts", UNIT_COUNT, (double)traffic->bursts);
	table_fact(table, "burst_requests_mean", "requests in a burst, mean", UNIT_NUMBER,
		traffic->bursts ? (double)traffic->burst_requests / (double)traffic->bursts : NAN);
	table_fact(table, "burst_requests_max", "requests in a burst, most", UNIT_COUNT,
		(double)traffic->largest_burst);
	table_fact(table, "burst_length_mean_s", "length of a burst, mean", UNIT_SECONDS,
		spread_mean(&traffic->burst_ms));
	table_fact(table, "burst_length_max_s", "length of a burst, longest", UNIT_SECONDS,
		spread_most(&traffic->burst_ms));
	table_fact(table, "pause_mean_s", "pause after a burst, mean", UNIT_SECONDS,
		spread_mean(&traffic->pause_ms));
	table_fact(table, "at_once", "most that ran at once", UNIT_COUNT, (double)traffic->at_once);
}

static int compare_usage(const void *one, const void *other, void *arg)
{
	const struct usage *a = names_at(arg, *(const size_t *)one);
	const struct usage *b = names_at(arg, *(const size_t *)other);

	if (a->requests != b->requests)
		return a->requests < b->requests ? 1 : -1;
	return *(const size_t *)one < *(const size_t *)other ? -1 : 1;
}

/* The most requests first. */
static size_t *order_of(struct names *names)
{
	size_t count = names_count(names);
	size_t *order = mem_zalloc_array(count + 1, sizeof(*order));

	for (size_t i = 0; i < count; i++)
		order[i] = i;
	qsort_r(order, count, sizeof(*order), compare_usage, names);
	return order;
}

static void add_usage_row(struct table *table, const char *name, const struct usage *usage)
{
	table_text(table, name);
	table_number(table, UNIT_COUNT, (double)usage->requests);
	table_number(table, UNIT_COUNT, (double)(usage->requests - usage->successes));
	table_number(table, UNIT_SECONDS, spread_mean(&usage->latency));
	table_number(table, UNIT_SECONDS, spread_quantile(&usage->latency, 0.9));
	table_number(table, UNIT_SECONDS, spread_mean(&usage->wait));
	table_number(table, UNIT_SHARE, usage_warm_share(usage));
	table_number(table, UNIT_SECONDS, usage->service_ms / MS_PER_S);
	table_number(table, UNIT_COUNT, usage->prompt_tokens);
	table_number(table, UNIT_COUNT, usage->generation_tokens);
	table_number(table, UNIT_PER_SECOND, usage_prompt_speed(usage));
	table_number(table, UNIT_PER_SECOND, usage_generation_speed(usage));
}

static void add_usage(struct document *document, struct names *names, const char *id,
	const char *title, const struct column *columns, size_t columns_count)
{
	struct table *table = document_add(document, SHAPE_LIST, id, title, columns, columns_count);
	size_t *order = order_of(names);

	table->bar = 1;
	for (size_t i = 0; i < names_count(names); i++)
		add_usage_row(table, names_name(names, order[i]), names_at(names, order[i]));
	free(order);
}

#define USAGE_COLUMNS                                                                      \
	{"requests", "requests"}, {"errors", "errors"}, {"latency_mean_s", "latency"},     \
		{"latency_p90_s", "p90"}, {"wait_mean_s", "wait"}, {"warm_share", "warm"}, \
		{"slot_seconds", "slots"}, {"prompt_tokens", "prompt"},                    \
		{"generation_tokens", "generated"}, {"prompt_tokens_per_s", "prompt/s"},   \
	{                                                                                  \
		"generation_tokens_per_s", "gen/s"                                         \
	}

static void add_words(struct document *document, const struct names *names,
	const struct column *columns, const char *id, const char *title)
{
	struct table *table;

	if (names_count(names) == 0)
		return;
	table = document_add(document, SHAPE_LIST, id, title, columns, 2);
	table->bar = 1;
	for (size_t i = 0; i < names_count(names); i++) {
		table_text(table, names_name(names, i));
		table_number(table, UNIT_COUNT, (double)*(uint64_t *)names_at(names, i));
	}
}

static void add_groups(struct document *document, const struct analysis *analysis)
{
	static const struct column projects[] = {{"project", "project"}, USAGE_COLUMNS};
	static const struct column models[] = {{"model", "model"}, USAGE_COLUMNS};
	static const struct column operations[] = {
		{"operation", "operation"}, {"requests", "requests"}};
	static const struct column errors[] = {
		{"error_type", "error_type"}, {"requests", "requests"}};

	add_usage(document, analysis->projects, "projects", "Projects", projects,
		ARRAY_LENGTH(projects));
	add_usage(document, analysis->models, "models", "Models", models, ARRAY_LENGTH(models));
	add_words(document, analysis->operations, operations, "operations", "Operations");
	add_words(document, analysis->errors, errors, "errors", "Errors");
}

static void add_timeline(struct document *document, const struct analysis *analysis)
{
	static const struct column columns[] = {
		{"begin", "begin"},
		{"arrivals", "arrivals"},
		{"errors", "errors"},
		{"latency_mean_s", "mean latency"},
		{"wait_mean_s", "mean wait"},
		{"warm", "warm"},
		{"cold", "cold"},
	};
	const struct timeline *timeline = &analysis->timeline;
	struct table *table;

	if (timeline->used == 0)
		return;
	table = document_add(
		document, SHAPE_SERIES, "timeline", "Over time", columns, ARRAY_LENGTH(columns));
	for (size_t i = 0; i < timeline->used; i++) {
		const struct timeline_column *column = &timeline->columns[i];
		char begin[MOMENT_BYTES];

		moment_write((timeline->first + (int64_t)i) * timeline->width_us, begin);
		table_text(table, begin);
		table_number(table, UNIT_COUNT, (double)column->arrivals);
		table_number(table, UNIT_COUNT, (double)column->errors);
		table_number(table, UNIT_SECONDS,
			column->latencies
				? column->latency_ms / (double)column->latencies / MS_PER_S
				: NAN);
		table_number(table, UNIT_SECONDS,
			column->waits ? column->wait_ms / (double)column->waits / MS_PER_S : NAN);
		table_number(table, UNIT_COUNT, (double)column->warm);
		table_number(table, UNIT_COUNT, (double)column->cold);
	}
}

void tables_add(struct document *document, const struct analysis *analysis)
{
	add_requests(document, analysis);
	add_targets(document, analysis);
	add_times(document, analysis);
	add_distribution(document, analysis);
	add_timeline(document, analysis);
	add_warmth(document, analysis);
	add_bursts(document, analysis);
	add_groups(document, analysis);
}
