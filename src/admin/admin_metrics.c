/* GET /metrics: everything that the stats have, for Prometheus (PRODUCT 6.3, docs/metrics.md). */
#include "admin/admin.h"

#include <math.h>
#include <string.h>

#include "build_config.h"

#include "admin/admin_accounts.h"
#include "front/client.h"
#include "observe/exposition.h"
#include "observe/process.h"

#define US_PER_S 1e6
#define MS_PER_S 1e3
#define NS_PER_S 1e9

static void put_gauge(
	struct exposition *exposition, const char *name, const char *help, double value)
{
	exposition_begin(exposition, name, METRIC_GAUGE, help);
	exposition_put(exposition, NO_LABELS, value);
}

static void put_counter(
	struct exposition *exposition, const char *name, const char *help, double value)
{
	exposition_begin(exposition, name, METRIC_COUNTER, help);
	exposition_put(exposition, NO_LABELS, value);
}

/* 0 in the configuration. */
static double limit(int64_t configured)
{
	return configured > 0 ? (double)configured : INFINITY;
}

static void put_states(struct exposition *exposition, const struct admin_view *view)
{
	const struct tally *jobs = view->jobs;

	exposition_begin(exposition, "shared_ollama_jobs", METRIC_GAUGE,
		"Jobs under way, by state; those in progress hold a slot.");
	exposition_put_count(exposition, LABEL("state", "reading"), jobs->reading);
	exposition_put_count(exposition, LABEL("state", "queued"), jobs->queued);
	exposition_put_count(exposition, LABEL("state", "in_progress"), jobs->in_progress);
	exposition_put_count(exposition, LABEL("state", "flushing"), jobs->flushing);
	put_counter(exposition, "shared_ollama_jobs_received_total",
		"Jobs (inference requests) since the start.", (double)jobs->received);
	put_gauge(exposition, "shared_ollama_passes",
		"Passes (requests that do not queue) under way.",
		(double)view->passes->in_progress);
	put_counter(exposition, "shared_ollama_passes_received_total", "Passes since the start.",
		(double)view->passes->received);
}

/* The reason is the log's error_type. */
static void put_outcomes(struct exposition *exposition, const char *name, const char *help,
	const uint64_t counts[OUTCOME_COUNT])
{
	exposition_begin(exposition, name, METRIC_COUNTER, help);
	for (int i = OUTCOME_NONE + 1; i < OUTCOME_COUNT; i++) {
		enum outcome outcome = (enum outcome)i;
		const char *word = outcome_word(outcome);

		exposition_put_count(exposition,
			LABELS("outcome", counter_name(outcome_counter(outcome)), "reason",
				word ? word : "success"),
			counts[i]);
	}
}

/* One histogram, by model. */
static void put_ladders(struct exposition *exposition, const struct stats *stats, size_t offset,
	const struct ladder_bounds *bounds)
{
	for (size_t i = 0; i < NAME_TABLE_ROOM; i++) {
		const char *at = (const char *)&stats->ladders[i] + offset;
		const struct ladder *ladder = (const struct ladder *)(const void *)at;

		if (ladder->count > 0)
			exposition_put_ladder(exposition,
				LABEL("model", name_table_get(&stats->model_names, i)), ladder,
				bounds);
	}
}

static void put_latencies(struct exposition *exposition, const struct stats *stats)
{
	exposition_begin(exposition, "shared_ollama_job_duration_seconds", METRIC_HISTOGRAM,
		"From a job's complete head to its end.");
	for (size_t i = 0; i < NAME_TABLE_ROOM; i++) {
		const char *model = name_table_get(&stats->model_names, i);

		for (int j = 0; j < COUNTER_COUNT; j++) {
			const struct ladder *ladder = &stats->ladders[i].latency[j];

			if (ladder->count > 0)
				exposition_put_ladder(exposition,
					LABELS("model", model, "outcome",
						counter_name((enum counter)j)),
					ladder, &ladder_waits);
		}
	}
}

static void put_histograms(struct exposition *exposition, const struct stats *stats)
{
	exposition_begin(exposition, "shared_ollama_queue_wait_seconds", METRIC_HISTOGRAM,
		"Wait of dispatched jobs, from the complete body to dispatch.");
	put_ladders(exposition, stats, offsetof(struct account_ladders, wait), &ladder_waits);
	exposition_begin(exposition, "shared_ollama_time_to_first_token_seconds", METRIC_HISTOGRAM,
		"Of streamed answers, from the complete head to the first byte from Ollama.");
	put_ladders(
		exposition, stats, offsetof(struct account_ladders, first_token), &ladder_waits);
	exposition_begin(exposition, "shared_ollama_time_between_tokens_seconds", METRIC_HISTOGRAM,
		"Mean time between two tokens of an answer.");
	put_ladders(exposition, stats, offsetof(struct account_ladders, gap), &ladder_gaps);
	exposition_begin(exposition, "shared_ollama_model_load_seconds", METRIC_HISTOGRAM,
		"Loads of models whose time is known.");
	put_ladders(exposition, stats, offsetof(struct account_ladders, load), &ladder_waits);
	put_latencies(exposition, stats);
	put_gauge(exposition, "shared_ollama_queue_wait_longest_seconds",
		"The longest wait since the start, of jobs that waited until their deadline too.",
		(double)stats->max_wait_us / US_PER_S);
}

/* A figure of one project or model. */
static double prompt_tokens(const struct account *account)
{
	return (double)account->prompt.count;
}

static double timed_prompt_tokens(const struct account *account)
{
	return (double)account->prompt.timed;
}

static double prompt_s(const struct account *account)
{
	return (double)account->prompt.ns / NS_PER_S;
}

static double generated_tokens(const struct account *account)
{
	return (double)account->generated.count;
}

static double timed_generated_tokens(const struct account *account)
{
	return (double)account->generated.timed;
}

static double generation_s(const struct account *account)
{
	return (double)account->generated.ns / NS_PER_S;
}

static double upstream_wait_s(const struct account *account)
{
	return (double)account->upstream_wait_ns / NS_PER_S;
}

static double loads(const struct account *account)
{
	return (double)account->loads;
}

static double load_s(const struct account *account)
{
	return (double)account->loads_us / US_PER_S;
}

static double slot_s(const struct account *account)
{
	return (double)account->slot_us / US_PER_S;
}

static double cut_prompts(const struct account *account)
{
	return (double)account->cut_prompts;
}

static double patience_doubted(const struct account *account)
{
	return (double)account->patience_doubted;
}

static double warm_starts(const struct account *account)
{
	return (double)account->warm;
}

static double cold_starts(const struct account *account)
{
	return (double)account->cold;
}

static double dispatched(const struct account *account)
{
	return (double)account->wait_us.count;
}

static double wait_s(const struct account *account)
{
	return account->wait_us.sum / US_PER_S;
}

static double succeeded(const struct account *account)
{
	return (double)account->latency_us.count;
}

static double success_s(const struct account *account)
{
	return account->latency_us.sum / US_PER_S;
}

struct figure {
	const char *name;
	double (*get)(const struct account *account);
	const char *help;
};

static const struct figure model_figures[] = {
	{"shared_ollama_prompt_tokens_total", prompt_tokens, "Tokens of prompts."},
	{"shared_ollama_timed_prompt_tokens_total", timed_prompt_tokens,
		"Of these, where Ollama told the time (not on /v1)."},
	{"shared_ollama_prompt_seconds_total", prompt_s,
		"Ollama's time for prompts, where it told it."},
	{"shared_ollama_generated_tokens_total", generated_tokens, "Tokens of answers."},
	{"shared_ollama_timed_generated_tokens_total", timed_generated_tokens,
		"Of these, where Ollama told the time (not on /v1)."},
	{"shared_ollama_generation_seconds_total", generation_s,
		"Ollama's time for answers, where it told it."},
	{"shared_ollama_upstream_wait_seconds_total", upstream_wait_s,
		"Waits inside Ollama, where it told the times."},
	{"shared_ollama_model_loads_total", loads,
		"Loads, our own and those that jobs waited for, one that several shared once."},
	{"shared_ollama_model_slot_seconds_total", slot_s, "Slots held by jobs that ended."},
	{"shared_ollama_model_prompts_cut_total", cut_prompts,
		"Jobs whose prompt Ollama cut, where that is sure."},
	{"shared_ollama_warm_starts_total", warm_starts,
		"Successes that found their model loaded."},
	{"shared_ollama_cold_starts_total", cold_starts, "Successes that waited for a load."},
};

static const struct figure project_figures[] = {
	{"shared_ollama_project_dispatched_total", dispatched, "Jobs that were dispatched."},
	{"shared_ollama_project_queue_wait_seconds_total", wait_s, "Their waits."},
	{"shared_ollama_project_successes_total", succeeded, "Jobs that ended in success."},
	{"shared_ollama_project_success_seconds_total", success_s, "Their durations."},
	{"shared_ollama_project_warm_starts_total", warm_starts,
		"Successes that found their model loaded."},
	{"shared_ollama_project_cold_starts_total", cold_starts,
		"Successes that waited for a load."},
	{"shared_ollama_project_slot_seconds_total", slot_s, "Slots held by jobs that ended."},
	{"shared_ollama_project_loads_total", loads, "Loads that were for jobs of the project."},
	{"shared_ollama_project_load_seconds_total", load_s, "Their time, where it is known."},
	{"shared_ollama_project_prompts_cut_total", cut_prompts,
		"Jobs whose prompt Ollama cut, where that is sure."},
	{"shared_ollama_project_patience_doubted_total", patience_doubted,
		"Jobs whose client announced less patience than such a job takes."},
	{"shared_ollama_project_prompt_tokens_total", prompt_tokens, "Tokens of prompts."},
	{"shared_ollama_project_generated_tokens_total", generated_tokens, "Tokens of answers."},
};

/* All projects, or all models. */
struct shown {
	const char *label;
	const struct name_table *names;
	const struct account *accounts;
	struct admin_live live;
};

static struct labels label_of(const struct shown *shown, size_t index)
{
	return LABEL(shown->label, name_table_get(shown->names, index));
}

static bool is_shown(const struct shown *shown, size_t index)
{
	return admin_is_shown(shown->names, shown->accounts, &shown->live, index);
}

static void put_figures(struct exposition *exposition, const struct shown *shown,
	const struct figure *figures, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		exposition_begin(exposition, figures[i].name, METRIC_COUNTER, figures[i].help);
		for (size_t j = 0; j < NAME_TABLE_ROOM; j++) {
			if (is_shown(shown, j))
				exposition_put(exposition, label_of(shown, j),
					figures[i].get(&shown->accounts[j]));
		}
	}
}

static void put_live(struct exposition *exposition, const struct shown *shown, const char *name,
	const char *help)
{
	exposition_begin(exposition, name, METRIC_GAUGE, help);
	for (size_t i = 0; i < NAME_TABLE_ROOM; i++) {
		struct labels labels = label_of(shown, i);

		if (!is_shown(shown, i))
			continue;
		labels.items[1] = (struct label){"state", "waiting"};
		exposition_put_count(exposition, labels, shown->live.waiting[i]);
		labels.items[1] = (struct label){"state", "running"};
		exposition_put_count(exposition, labels, shown->live.running[i]);
	}
}

static void put_models(struct exposition *exposition, const struct admin_view *view)
{
	struct shown shown = {.label = "model",
		.names = &view->stats->model_names,
		.accounts = view->stats->models};

	admin_live_models(view, &shown.live);
	put_figures(exposition, &shown, model_figures, ARRAY_LENGTH(model_figures));
	/* FIFO does not know. */
	if (view->settings->scheduler == SCHEDULER_TURNS)
		put_live(exposition, &shown, "shared_ollama_model_jobs",
			"Jobs that wait and that hold a slot; not with scheduler = fifo.");
}

static void put_project_ends(struct exposition *exposition, const struct shown *shown)
{
	exposition_begin(exposition, "shared_ollama_project_jobs_ended_total", METRIC_COUNTER,
		"Jobs by project, by how they ended.");
	for (size_t i = 0; i < NAME_TABLE_ROOM; i++) {
		struct labels labels = label_of(shown, i);

		for (int j = 0; is_shown(shown, i) && j < COUNTER_COUNT; j++) {
			labels.items[1] = (struct label){"outcome", counter_name((enum counter)j)};
			exposition_put_count(exposition, labels, shown->accounts[i].ended[j]);
		}
	}
}

static void put_projects(struct exposition *exposition, const struct admin_view *view)
{
	struct shown shown = {.label = "project",
		.names = &view->stats->project_names,
		.accounts = view->stats->projects};

	admin_live_projects(view, &shown.live);
	put_project_ends(exposition, &shown);
	put_figures(exposition, &shown, project_figures, ARRAY_LENGTH(project_figures));
	put_live(exposition, &shown, "shared_ollama_project_jobs",
		"Jobs that wait and that hold a slot.");
	exposition_begin(exposition, "shared_ollama_project_weight", METRIC_GAUGE,
		"In fair share, of projects that have had jobs lately.");
	for (size_t i = 0; i < NAME_TABLE_OTHER; i++) {
		if (shown.live.weight[i] > 0)
			exposition_put(exposition, label_of(&shown, i), shown.live.weight[i]);
	}
}

static void put_turn(struct exposition *exposition, const struct admin_view *view)
{
	struct scheduler_report report;

	scheduler_report(view->scheduler, &view->turns, &report);
	put_gauge(exposition, "shared_ollama_concurrency_limit",
		"Jobs that may run at once, on the busiest runner that is loaded.",
		(double)report.lane.limit);
	put_gauge(exposition, "shared_ollama_concurrency_limit_least", "The least that it was.",
		(double)report.lane.least);
	put_gauge(exposition, "shared_ollama_concurrency_limit_most", "The most that it was.",
		(double)report.lane.most);
	put_gauge(exposition, "shared_ollama_concurrency_configured", "max_concurrent.",
		(double)view->settings->max_concurrent);
	if (!report.has_turns)
		return;
	exposition_begin(exposition, "shared_ollama_turn_state", METRIC_GAUGE,
		"1 for the state that the turn is in; not with scheduler = fifo.");
	for (int i = 0; i <= TURN_LOADING; i++)
		exposition_put_count(exposition,
			LABEL("state", turn_state_name((enum turn_state)i)),
			report.state == (enum turn_state)i);
	put_gauge(exposition, "shared_ollama_turn_served_jobs",
		"Jobs sent to the runner whose turn it is.", (double)report.served);
	put_gauge(exposition, "shared_ollama_turn_waiting_jobs", "Jobs that wait for it.",
		(double)report.left);
}

/* A bounded number, and none twice, whatever /api/ps says. */
static bool is_resident_shown(const struct residency *residency, size_t index)
{
	for (size_t i = 0; i < index; i++) {
		if (strcmp(residency_at(residency, i)->name,
			    residency_at(residency, index)->name) == 0)
			return false;
	}
	return index < NAME_TABLE_MOST;
}

/* NAN: not known, and not shown. */
static double vram_bytes(const struct admin_view *view, const struct resident *resident)
{
	return resident->size_vram >= 0 ? (double)resident->size_vram : NAN;
}

static double vram_ratio(const struct admin_view *view, const struct resident *resident)
{
	return resident->size > 0 ? vram_bytes(view, resident) / (double)resident->size : NAN;
}

static double context_tokens(const struct admin_view *view, const struct resident *resident)
{
	return resident->context_length >= 0 ? (double)resident->context_length : NAN;
}

static double is_pinned(const struct admin_view *view, const struct resident *resident)
{
	return runners_are_pinned(scheduler_runners(view->scheduler), resident->name);
}

static double runner_limit(const struct admin_view *view, const struct resident *resident)
{
	const struct runner *runner =
		runners_resident(scheduler_runners(view->scheduler), resident->name);

	if (!runner || view->settings->scheduler != SCHEDULER_TURNS)
		return NAN;
	return (double)lane_report(runner->lane, view->settings).limit;
}

static const struct {
	const char *name;
	double (*get)(const struct admin_view *view, const struct resident *resident);
	const char *help;
} runner_figures[] = {
	{"shared_ollama_runner_vram_bytes", vram_bytes, "Of a loaded model, in the GPU's memory."},
	{"shared_ollama_runner_vram_ratio", vram_ratio,
		"Of its size; below 1 a part runs on the CPU."},
	{"shared_ollama_runner_context_tokens", context_tokens, "Its context."},
	{"shared_ollama_runner_pinned", is_pinned, "1: it is one of preload."},
	{"shared_ollama_runner_concurrency_limit", runner_limit,
		"Jobs that may run on it at once; not with scheduler = fifo."},
};

static void put_runners(struct exposition *exposition, const struct admin_view *view)
{
	for (size_t i = 0; i < ARRAY_LENGTH(runner_figures); i++) {
		exposition_begin(
			exposition, runner_figures[i].name, METRIC_GAUGE, runner_figures[i].help);
		for (size_t j = 0; j < residency_count(view->residency); j++) {
			const struct resident *resident = residency_at(view->residency, j);
			double value = runner_figures[i].get(view, resident);

			if (!isnan(value) && is_resident_shown(view->residency, j))
				exposition_put(exposition, LABEL("model", resident->name), value);
		}
	}
}

static void put_upstream(struct exposition *exposition, const struct admin_view *view)
{
	const struct admin_upstream *upstream = &view->upstream;

	put_gauge(exposition, "shared_ollama_upstream_up", "1: Ollama answers.", upstream->is_up);
	exposition_begin(exposition, "shared_ollama_upstream_info", METRIC_GAUGE,
		"Always 1, with Ollama's version.");
	exposition_put(exposition, LABEL("version", upstream->version ? upstream->version : ""), 1);
	put_gauge(exposition, "shared_ollama_upstream_connections", "Open connections to Ollama.",
		(double)upstream->open_connections);
	put_gauge(exposition, "shared_ollama_upstream_idle_connections", "Of these, not in use.",
		(double)upstream->idle_connections);
	put_counter(exposition, "shared_ollama_upstream_foreign_activity_total",
		"Looks that showed a model used or loaded while nothing of ours was under way.",
		(double)residency_foreign(view->residency).count);
}

/* What bounds memory (docs/ARCHITECTURE.md), used and allowed. */
static void put_limits(struct exposition *exposition, const struct admin_view *view)
{
	const struct settings *settings = view->settings;
	const struct {
		const char *name;
		const char *help;
		double value;
	} rows[] = {
		{"shared_ollama_ring_jobs", "Jobs in the ring: waiting, or without an answer yet.",
			(double)ring_count(view->ring)},
		{"shared_ollama_ring_places", "Places of the ring.",
			(double)ring_places(view->ring)},
		{"shared_ollama_queue_limit", "max_queue_size.", (double)settings->max_queue_size},
		{"shared_ollama_queue_timeout_seconds", "default_timeout.",
			limit(settings->default_timeout_ms) / MS_PER_S},
		{"shared_ollama_reading_limit", "max_reading.", limit(settings->max_reading)},
		{"shared_ollama_connections", "Of clients.", (double)view->connections},
		{"shared_ollama_connections_limit", "max_connections.",
			limit(settings->max_connections)},
		{"shared_ollama_connections_per_address_limit", "max_connections_per_address.",
			limit(settings->max_connections_per_address)},
		{"shared_ollama_client_unsent_bytes", "Of answers that clients have not taken yet.",
			(double)view->unsent_bytes},
		{"shared_ollama_client_unsent_most_bytes", "The most of one client.",
			(double)view->unsent_most_bytes},
		{"shared_ollama_client_unsent_limit_bytes",
			"Of one client: from here on no more of its answer is read from Ollama.",
			CLIENT_UNSENT_HIGH},
		{"shared_ollama_bodies_bytes", "Kept request bodies.", (double)view->bodies_bytes},
		{"shared_ollama_bodies_limit_bytes", "body_total.", limit(settings->body_total)},
		{"shared_ollama_body_limit_bytes", "body_max, of one.", limit(settings->body_max)},
		{"shared_ollama_body_memory_limit_bytes", "body_memory, of one.",
			limit(settings->body_memory)},
		{"shared_ollama_head_limit_bytes", "head_max, of one.", limit(settings->head_max)},
		{"shared_ollama_paused", "1: jobs are held.", view->paused},
		{"shared_ollama_draining", "1: it is shutting down.", view->draining},
		{"shared_ollama_uptime_seconds", "Since the start.",
			(double)(view->now_us - view->started_us) / US_PER_S},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		put_gauge(exposition, rows[i].name, rows[i].help, rows[i].value);
}

static void put_log(struct exposition *exposition, const struct sink_report *log)
{
	put_counter(exposition, "shared_ollama_request_log_lines_total",
		"Lines for the request log, dropped ones included.", (double)log->lines);
	put_counter(exposition, "shared_ollama_request_log_dropped_lines_total",
		"Lines that could not be written.", (double)log->dropped);
	put_counter(exposition, "shared_ollama_request_log_writes_total",
		"Turns of the loop that wrote lines.", (double)log->writes);
	put_counter(exposition, "shared_ollama_request_log_write_seconds_total",
		"The loop's time that this took.", (double)log->write_us / US_PER_S);
	put_gauge(exposition, "shared_ollama_request_log_write_longest_seconds",
		"The longest of them.", (double)log->write_most_us / US_PER_S);
	put_gauge(exposition, "shared_ollama_request_log_waiting_bytes",
		"Bytes that the target has not taken yet.", (double)log->waiting_bytes);
}

static void put_known(
	struct exposition *exposition, const char *name, const char *help, int64_t value)
{
	if (value >= 0)
		put_gauge(exposition, name, help, (double)value);
}

/* Names that every exporter has. */
static void put_process(struct exposition *exposition, const struct admin_view *view)
{
	struct process process = process_read();

	put_counter(
		exposition, "process_cpu_seconds_total", "User and system time.", process.cpu_s);
	put_known(exposition, "process_resident_memory_bytes", "Memory in use.",
		process.resident_bytes);
	put_known(exposition, "process_virtual_memory_bytes", "Address space.",
		process.virtual_bytes);
	put_known(exposition, "process_open_fds", "Open descriptors.", process.open_fds);
	put_known(exposition, "process_max_fds", "Limit of open descriptors.", process.max_fds);
	put_gauge(exposition, "process_start_time_seconds", "Start, in seconds since the epoch.",
		(double)view->started_wall_us / US_PER_S);
}

void admin_write_metrics(struct evbuffer *out, const struct admin_view *view)
{
	struct exposition exposition = {.out = out};

	exposition_begin(&exposition, "shared_ollama_build_info", METRIC_GAUGE,
		"Always 1, with the version.");
	exposition_put(&exposition, LABEL("version", SHARED_OLLAMA_VERSION), 1);
	put_states(&exposition, view);
	put_outcomes(&exposition, "shared_ollama_jobs_ended_total",
		"Jobs by how they ended; the reason is the log's error_type.",
		view->stats->job_outcomes);
	put_outcomes(&exposition, "shared_ollama_passes_ended_total",
		"Passes by how they ended; the reason is the log's error_type.",
		view->stats->pass_outcomes);
	put_histograms(&exposition, view->stats);
	put_models(&exposition, view);
	put_projects(&exposition, view);
	put_turn(&exposition, view);
	put_runners(&exposition, view);
	put_upstream(&exposition, view);
	put_limits(&exposition, view);
	put_log(&exposition, &view->log);
	put_process(&exposition, view);
}
