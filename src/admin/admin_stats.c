/* GET /api/v1/queue/stats: the old service's twelve keys, then ours (PRODUCT 6.2). */
#include "admin/admin.h"

#include <string.h>

#include "base/histogram.h"
#include "json/writer.h"

enum { DECIMALS = 3, US_PER_MS = 1000, MS_PER_S = 1000, US_PER_S = 1000 * 1000 };

struct quantile {
	const char *key;
	double fraction;
};

static const struct quantile quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};

static void put_us(struct json_writer *writer, const char *key, double us)
{
	json_put_fixed(writer, key, us / US_PER_MS, DECIMALS);
}

/* Of nothing there is neither mean nor quantile. */
static void put_mean(struct json_writer *writer, const char *key, const struct histogram *histogram)
{
	if (histogram->count)
		put_us(writer, key, histogram_mean(histogram));
	else
		json_put_null(writer, key);
}

static void put_quantiles(struct json_writer *writer, const struct histogram *histogram)
{
	for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++) {
		if (histogram->count)
			put_us(writer, quantiles[i].key,
				(double)histogram_quantile(histogram, quantiles[i].fraction));
		else
			json_put_null(writer, quantiles[i].key);
	}
}

static void put_old_keys(struct json_writer *writer, const struct admin_view *view)
{
	const struct tally *jobs = view->jobs;
	const struct stats *stats = view->stats;
	const struct settings *settings = view->settings;

	json_put_int(writer, "queued", (int64_t)jobs->queued);
	json_put_int(writer, "in_progress", (int64_t)jobs->in_progress);
	json_put_int(writer, "completed", (int64_t)jobs->ended[COUNTER_COMPLETED]);
	json_put_int(writer, "failed", (int64_t)jobs->ended[COUNTER_FAILED]);
	json_put_int(writer, "rejected", (int64_t)jobs->ended[COUNTER_REJECTED]);
	json_put_int(writer, "timeout", (int64_t)jobs->ended[COUNTER_TIMEOUT]);
	put_us(writer, "total_wait_time_ms", stats->wait_us.sum);
	put_us(writer, "max_wait_time_ms", (double)stats->max_wait_us);
	put_us(writer, "avg_wait_time_ms", histogram_mean(&stats->wait_us));
	json_put_int(writer, "max_concurrent", settings->max_concurrent);
	json_put_int(writer, "max_queue_size", settings->max_queue_size);
	json_put_fixed(writer, "default_timeout", (double)settings->default_timeout_ms / MS_PER_S,
		DECIMALS);
}

static void put_part_latency(
	struct json_writer *writer, const char *key, const struct histogram *latency_us)
{
	json_begin_object(writer, key);
	json_put_int(writer, "count", (int64_t)latency_us->count);
	put_mean(writer, "mean", latency_us);
	put_quantiles(writer, latency_us);
	json_end_object(writer);
}

static void put_times(struct json_writer *writer, const struct stats *stats)
{
	uint64_t judged = stats->warm + stats->cold;

	json_begin_object(writer, "wait_time_ms");
	put_quantiles(writer, &stats->wait_us);
	json_end_object(writer);
	json_begin_object(writer, "latency_ms");
	put_mean(writer, "mean", &stats->latency_us);
	put_quantiles(writer, &stats->latency_us);
	put_part_latency(writer, "warm", &stats->latency_warm_us);
	put_part_latency(writer, "cold", &stats->latency_cold_us);
	json_end_object(writer);
	if (judged)
		json_put_fixed(
			writer, "warm_start_rate", (double)stats->warm / (double)judged, DECIMALS);
	else
		json_put_null(writer, "warm_start_rate");
	json_put_int(writer, "model_loads", (int64_t)stats->model_loads);
	put_mean(writer, "load_time_ms", &stats->load_us);
}

static void put_cuts_by(struct json_writer *writer, const char *key, const struct cuts_by *by)
{
	json_begin_array(writer, key);
	for (size_t i = 0; i < by->count; i++) {
		json_begin_object(writer, NULL);
		json_put_string(writer, "name", by->items[i].name);
		json_put_int(writer, "count", (int64_t)by->items[i].count);
		json_end_object(writer);
	}
	json_end_array(writer);
}

static void put_cuts(struct json_writer *writer, const struct cuts *cuts)
{
	json_begin_object(writer, "cut_prompts");
	json_put_int(writer, "count", (int64_t)cuts->count);
	put_cuts_by(writer, "projects", &cuts->projects);
	put_cuts_by(writer, "models", &cuts->models);
	json_end_object(writer);
}

/* -1: unknown. */
static void put_count(struct json_writer *writer, const char *key, int64_t count)
{
	if (count >= 0)
		json_put_int(writer, key, count);
	else
		json_put_null(writer, key);
}

/* Of all keys of this model. */
static struct job_group jobs_of(const struct runners *runners, const char *model)
{
	struct job_group sum = {0};
	const struct list *node;

	model = runners_name(runners, model);
	LIST_EACH(&runners->all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (strcmp(runner->model, model) != 0)
			continue;
		sum.waiting += runner->jobs.waiting;
		sum.running += runner->jobs.running;
	}
	return sum;
}

static void put_concurrency(struct json_writer *writer, const struct lane_report *report)
{
	json_begin_object(writer, "concurrency");
	json_put_int(writer, "limit", report->limit);
	json_put_int(writer, "min", report->least);
	json_put_int(writer, "max", report->most);
	json_put_string(writer, "reason", report->reason);
	json_end_object(writer);
}

/* Of the key of this model that is loaded; FIFO has one for all. */
static void put_runner_concurrency(
	struct json_writer *writer, const struct admin_view *view, const char *model)
{
	const struct runner *runner = runners_resident(scheduler_runners(view->scheduler), model);
	struct lane_report report;

	if (!runner || view->settings->scheduler != SCHEDULER_TURNS) {
		json_put_null(writer, "concurrency");
		return;
	}
	report = lane_report(runner->lane, view->settings);
	put_concurrency(writer, &report);
}

static void put_runners(struct json_writer *writer, const struct admin_view *view)
{
	const struct residency *residency = view->residency;
	bool has_turns = view->settings->scheduler == SCHEDULER_TURNS;

	json_begin_array(writer, "runners");
	for (size_t i = 0; i < residency_count(residency); i++) {
		const struct resident *resident = residency_at(residency, i);
		struct job_group jobs = jobs_of(scheduler_runners(view->scheduler), resident->name);

		json_begin_object(writer, NULL);
		json_put_string(writer, "name", resident->name);
		put_count(writer, "size_vram", resident->size_vram);
		if (resident->size > 0 && resident->size_vram >= 0)
			json_put_fixed(writer, "vram_share",
				(double)resident->size_vram / (double)resident->size, DECIMALS);
		else
			json_put_null(writer, "vram_share");
		put_count(writer, "context_length", resident->context_length);
		json_put_bool(writer, "pinned",
			runners_are_pinned(scheduler_runners(view->scheduler), resident->name));
		put_count(writer, "waiting", has_turns ? (int64_t)jobs.waiting : -1);
		put_count(writer, "running", has_turns ? (int64_t)jobs.running : -1);
		put_runner_concurrency(writer, view, resident->name);
		json_end_object(writer);
	}
	json_end_array(writer);
}

/* Not measured yet: null. */
static void put_measured(struct json_writer *writer, const char *key, double us)
{
	if (us > 0)
		put_us(writer, key, us);
	else
		json_put_null(writer, key);
}

/* Every runner key that is loaded or has jobs. */
static void put_keys(struct json_writer *writer, const struct runners *runners)
{
	const struct list *node;

	json_begin_array(writer, "keys");
	LIST_EACH(&runners->all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (!runner->is_resident && runner->jobs.waiting + runner->jobs.running == 0)
			continue;
		json_begin_object(writer, NULL);
		json_put_string(writer, "runner", runner->key);
		json_put_bool(writer, "loaded", runner->is_resident);
		json_put_int(writer, "waiting", (int64_t)runner->jobs.waiting);
		json_put_int(writer, "running", (int64_t)runner->jobs.running);
		put_measured(writer, "load_ms", runner->load_us);
		put_measured(writer, "service_ms", runner->service_us);
		json_end_object(writer);
	}
	json_end_array(writer);
}

/* What the scheduler does: how many at once, and whose turn it is. */
static void put_turn(struct json_writer *writer, const struct admin_view *view)
{
	struct scheduler_report report;

	scheduler_report(view->scheduler, &view->turns, &report);
	put_concurrency(writer, &report.lane);
	if (!report.has_turns) {
		json_put_null(writer, "turn");
		return;
	}
	json_begin_object(writer, "turn");
	json_put_string(writer, "state", turn_state_name(report.state));
	json_put_string(writer, "runner", report.runner);
	json_put_string(writer, "next", report.next);
	put_us(writer, "since_ms",
		report.since_us ? (double)(view->now_us - report.since_us) : 0.0);
	json_put_int(writer, "served", (int64_t)report.served);
	json_put_int(writer, "left", (int64_t)report.left);
	put_keys(writer, scheduler_runners(view->scheduler));
	json_end_object(writer);
}

static void put_upstream(struct json_writer *writer, const struct admin_upstream *upstream)
{
	json_begin_object(writer, "upstream");
	json_put_string(writer, "url", upstream->url);
	json_put_string(writer, "state", upstream->state);
	json_put_bool(writer, "up", upstream->is_up);
	json_put_string(writer, "version", upstream->version);
	json_put_int(writer, "open_connections", (int64_t)upstream->open_connections);
	json_put_int(writer, "idle_connections", (int64_t)upstream->idle_connections);
	json_end_object(writer);
}

static void put_passes(struct json_writer *writer, const struct pass_tally *passes)
{
	json_begin_object(writer, "passes");
	json_put_int(writer, "received", (int64_t)passes->received);
	json_put_int(writer, "in_progress", (int64_t)passes->in_progress);
	for (int i = 0; i < COUNTER_COUNT; i++)
		json_put_int(writer, counter_name((enum counter)i), (int64_t)passes->ended[i]);
	json_end_object(writer);
}

void admin_write_stats(struct json_writer *writer, const struct admin_view *view)
{
	const struct tally *jobs = view->jobs;

	json_begin_object(writer, NULL);
	put_old_keys(writer, view);
	json_put_int(writer, "cancelled", (int64_t)jobs->ended[COUNTER_CANCELLED]);
	json_put_int(writer, "reading", (int64_t)jobs->reading);
	json_put_int(writer, "flushing", (int64_t)jobs->flushing);
	put_times(writer, view->stats);
	put_cuts(writer, &view->stats->cuts);
	put_turn(writer, view);
	put_runners(writer, view);
	put_upstream(writer, &view->upstream);
	put_passes(writer, view->passes);
	json_put_bool(writer, "paused", view->paused);
	json_put_fixed(
		writer, "uptime_s", (double)(view->now_us - view->started_us) / US_PER_S, DECIMALS);
	json_put_int(writer, "received", (int64_t)jobs->received);
	json_put_int(writer, "connections", (int64_t)view->connections);
	json_put_int(writer, "bodies_bytes", (int64_t)view->bodies_bytes);
	json_put_int(writer, "patience_doubted", (int64_t)view->stats->patience_doubted);
	json_put_int(writer, "request_log_dropped", (int64_t)view->log_dropped);
	json_end_object(writer);
}
