#include "admin/admin_accounts.h"

#include <string.h>

#include "admin/admin.h"
#include "base/histogram.h"
#include "core/share.h"
#include "observe/account.h"
#include "json/writer.h"

enum { DECIMALS = 3, US_PER_MS = 1000 };

#define US_PER_S 1e6
#define NS_PER_S 1e9

struct quantile {
	const char *key;
	double fraction;
};

static const struct quantile quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}};

void admin_meet(struct stats *stats, const struct scheduler *scheduler)
{
	const struct list *node;

	LIST_EACH(&scheduler_shares(scheduler)->all, node)
	{
		const struct share *share = CONTAINER_OF(node, struct share, link);

		if (share->jobs.waiting + share->jobs.running > 0)
			stats_meet_project(stats, share->project);
	}
	LIST_EACH(&scheduler_runners(scheduler)->all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);

		if (runner->jobs.waiting + runner->jobs.running > 0)
			stats_meet_model(stats, runner->model);
	}
}

static void add_live(struct admin_live *live, size_t index, const struct job_group *jobs)
{
	live->waiting[index] += jobs->waiting;
	live->running[index] += jobs->running;
}

void admin_live_projects(const struct admin_view *view, struct admin_live *ret_live)
{
	const struct list *node;

	memset(ret_live, 0, sizeof(*ret_live));
	LIST_EACH(&scheduler_shares(view->scheduler)->all, node)
	{
		const struct share *share = CONTAINER_OF(node, struct share, link);
		size_t index = name_table_find(&view->stats->project_names, share->project);

		add_live(ret_live, index, &share->jobs);
		if (index < NAME_TABLE_OTHER)
			ret_live->weight[index] = share->weight;
	}
}

void admin_live_models(const struct admin_view *view, struct admin_live *ret_live)
{
	const struct list *node;

	memset(ret_live, 0, sizeof(*ret_live));
	LIST_EACH(&scheduler_runners(view->scheduler)->all, node)
	{
		const struct runner *runner = CONTAINER_OF(node, struct runner, link);

		add_live(ret_live, name_table_find(&view->stats->model_names, runner->model),
			&runner->jobs);
	}
}

bool admin_is_shown(const struct name_table *names, const struct account *accounts,
	const struct admin_live *live, size_t index)
{
	uint64_t jobs = live->waiting[index] + live->running[index];

	for (int i = 0; i < COUNTER_COUNT; i++)
		jobs += accounts[index].ended[i];
	return (index < names->count || index == NAME_TABLE_OTHER) &&
	       jobs + accounts[index].loads > 0;
}

static void put_ms(struct json_writer *writer, const char *key, bool is_known, double us)
{
	if (is_known)
		json_put_fixed(writer, key, us / US_PER_MS, DECIMALS);
	else
		json_put_null(writer, key);
}

static void put_times(
	struct json_writer *writer, const char *key, const struct histogram *histogram)
{
	bool has_any = histogram->count > 0;

	json_begin_object(writer, key);
	put_ms(writer, "mean", has_any, histogram_mean(histogram));
	for (size_t i = 0; i < ARRAY_LENGTH(quantiles); i++)
		put_ms(writer, quantiles[i].key, has_any,
			(double)histogram_quantile(histogram, quantiles[i].fraction));
	json_end_object(writer);
}

/* Nothing was measured: null. */
static void put_ratio(struct json_writer *writer, const char *key, double part, double whole)
{
	if (whole > 0)
		json_put_fixed(writer, key, part / whole, DECIMALS);
	else
		json_put_null(writer, key);
}

static void put_tokens(struct json_writer *writer, const struct account *account)
{
	const struct account_tokens *prompt = &account->prompt;
	const struct account_tokens *generated = &account->generated;

	json_put_int(writer, "prompt_tokens", prompt->count);
	put_ratio(writer, "prompt_tokens_per_s", (double)prompt->timed,
		(double)prompt->ns / NS_PER_S);
	json_put_int(writer, "generated_tokens", generated->count);
	put_ratio(writer, "generated_tokens_per_s", (double)generated->timed,
		(double)generated->ns / NS_PER_S);
}

static void put_usage(struct json_writer *writer, const struct account *account)
{
	for (int i = 0; i < COUNTER_COUNT; i++)
		json_put_int(writer, counter_name((enum counter)i), (int64_t)account->ended[i]);
	put_times(writer, "wait_time_ms", &account->wait_us);
	put_times(writer, "latency_ms", &account->latency_us);
	put_ratio(writer, "warm_start_rate", (double)account->warm,
		(double)(account->warm + account->cold));
	json_put_fixed(writer, "served_s", (double)account->slot_us / US_PER_S, DECIMALS);
	json_put_int(writer, "loads", (int64_t)account->loads);
	put_ms(writer, "load_time_ms", account->timed_loads > 0,
		account->timed_loads ? (double)account->loads_us / (double)account->timed_loads
				     : 0);
	json_put_int(writer, "cut_prompts", (int64_t)account->cut_prompts);
	json_put_int(writer, "patience_doubted", (int64_t)account->patience_doubted);
	put_tokens(writer, account);
}

static void put_projects(struct json_writer *writer, const struct admin_view *view)
{
	const struct stats *stats = view->stats;
	struct admin_live live;

	admin_live_projects(view, &live);
	json_begin_object(writer, "projects");
	for (size_t i = 0; i < NAME_TABLE_ROOM; i++) {
		if (!admin_is_shown(&stats->project_names, stats->projects, &live, i))
			continue;
		json_begin_object(writer, name_table_get(&stats->project_names, i));
		json_put_int(writer, "waiting", (int64_t)live.waiting[i]);
		json_put_int(writer, "running", (int64_t)live.running[i]);
		if (live.weight[i] > 0)
			json_put_fixed(writer, "weight", live.weight[i], DECIMALS);
		else
			json_put_null(writer, "weight");
		put_usage(writer, &stats->projects[i]);
		json_end_object(writer);
	}
	json_end_object(writer);
}

/* FIFO knows no runners: it cannot say how many jobs of a model wait. */
static void put_live_count(
	struct json_writer *writer, const char *key, bool is_known, uint64_t count)
{
	if (is_known)
		json_put_int(writer, key, (int64_t)count);
	else
		json_put_null(writer, key);
}

static void put_models(struct json_writer *writer, const struct admin_view *view)
{
	bool has_turns = view->settings->scheduler == SCHEDULER_TURNS;
	const struct stats *stats = view->stats;
	struct admin_live live;

	admin_live_models(view, &live);
	json_begin_object(writer, "models");
	for (size_t i = 0; i < NAME_TABLE_ROOM; i++) {
		if (!admin_is_shown(&stats->model_names, stats->models, &live, i))
			continue;
		json_begin_object(writer, name_table_get(&stats->model_names, i));
		put_live_count(writer, "waiting", has_turns, live.waiting[i]);
		put_live_count(writer, "running", has_turns, live.running[i]);
		put_usage(writer, &stats->models[i]);
		json_end_object(writer);
	}
	json_end_object(writer);
}

void admin_put_usages(struct json_writer *writer, const struct admin_view *view)
{
	put_projects(writer, view);
	put_models(writer, view);
}
