#include "observe/stats.h"

#include "config/model_name.h"
#include "config/settings.h"

static void add_wait(struct stats *stats, const struct record *record)
{
	bool is_dispatched = record->dispatched_us != 0;

	if (is_dispatched)
		histogram_add(&stats->wait_us, record->queue_wait_us);
	if ((is_dispatched || record->outcome == OUTCOME_QUEUE_TIMEOUT) &&
		record->queue_wait_us > stats->max_wait_us)
		stats->max_wait_us = record->queue_wait_us;
}

/* An error's latency says nothing about how fast answers are. */
static void add_latency(struct stats *stats, const struct record *record)
{
	int64_t latency_us = record_latency_us(record);

	histogram_add(&stats->latency_us, latency_us);
	if (record->warm == KNOWN_TRUE) {
		stats->warm++;
		histogram_add(&stats->latency_warm_us, latency_us);
	} else if (record->warm == KNOWN_FALSE) {
		stats->cold++;
		histogram_add(&stats->latency_cold_us, latency_us);
	}
}

static size_t project_index(struct stats *stats, const char *project, enum name_rank rank)
{
	bool is_replaced;
	size_t index = name_table_index(&stats->project_names, project, rank, &is_replaced);

	if (!is_replaced)
		return index;
	account_merge(&stats->projects[NAME_TABLE_OTHER], &stats->projects[index]);
	stats->projects[index] = (struct account){0};
	return index;
}

/* By whatever spelling. */
static size_t model_index(struct stats *stats, const char *model, enum name_rank rank)
{
	char canonical[MODEL_NAME_BYTES];
	bool is_replaced;
	size_t index;

	if (model)
		model_name_canonical(model, canonical, sizeof(canonical));
	index = name_table_index(&stats->model_names, model ? canonical : NULL, rank, &is_replaced);
	if (!is_replaced)
		return index;
	account_merge(&stats->models[NAME_TABLE_OTHER], &stats->models[index]);
	account_ladders_merge(&stats->ladders[NAME_TABLE_OTHER], &stats->ladders[index]);
	stats->models[index] = (struct account){0};
	stats->ladders[index] = (struct account_ladders){0};
	return index;
}

static void add_usage(struct stats *stats, const struct record *record)
{
	enum name_rank rank = record->outcome == OUTCOME_SUCCESS ? NAME_PROVEN : NAME_SEEN;
	size_t model = model_index(stats, record->model, rank);

	account_add(&stats->projects[project_index(stats, record->project, rank)], record);
	account_add(&stats->models[model], record);
	account_ladders_add(&stats->ladders[model], record);
}

void stats_add(struct stats *stats, const struct record *record)
{
	if (!record->is_job) {
		stats->pass_outcomes[record->outcome]++;
		return;
	}
	stats->job_outcomes[record->outcome]++;
	add_wait(stats, record);
	cuts_add(&stats->cuts, record);
	add_usage(stats, record);
	if (record->outcome == OUTCOME_SUCCESS)
		add_latency(stats, record);
	stats->patience_doubted += record->patience_doubted;
	if (record->is_load) {
		stats->model_loads++;
		if (record->load_duration >= 0)
			histogram_add(&stats->load_us, account_load_us(record));
	}
}

void stats_add_load(struct stats *stats, const struct stats_load *load)
{
	size_t model = model_index(stats, load->model, NAME_SEEN);

	stats->model_loads++;
	histogram_add(&stats->load_us, load->took_us);
	account_add_load(&stats->models[model], load->took_us);
	ladder_add(&stats->ladders[model].load, &ladder_waits, load->took_us);
	if (load->project)
		account_add_load(&stats->projects[project_index(stats, load->project, NAME_SEEN)],
			load->took_us);
}

void stats_meet_project(struct stats *stats, const char *project)
{
	(void)project_index(stats, project, NAME_SEEN);
}

void stats_meet_model(struct stats *stats, const char *model)
{
	(void)model_index(stats, model, NAME_SEEN);
}

static void keep_project(struct stats *stats, const char *project)
{
	if (project)
		(void)project_index(stats, project, NAME_KEPT);
}

void stats_prepare(struct stats *stats, const struct settings *settings)
{
	const struct rules *rules = &settings->rules;

	name_table_release(&stats->project_names);
	name_table_release(&stats->model_names);
	for (size_t i = 0; i < rules->projects_count; i++)
		keep_project(stats, rules->projects[i].name);
	for (size_t i = 0; i < settings->api_keys_count; i++)
		keep_project(stats, settings->api_keys[i].project);
	for (size_t i = 0; i < rules->agents_count; i++)
		keep_project(stats, rules->agents[i].project);
	for (size_t i = 0; i < rules->listeners_count; i++)
		keep_project(stats, rules->listeners[i].project);
	for (size_t i = 0; i < rules->models_count; i++)
		(void)model_index(stats, rules->models[i].name, NAME_KEPT);
	for (char **model = settings->preload; model && *model; model++)
		(void)model_index(stats, *model, NAME_KEPT);
}
