#include "observe/stats.h"

#include "config/model_name.h"

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

/* By whatever spelling. */
static size_t model_index(struct stats *stats, const char *model)
{
	char canonical[MODEL_NAME_BYTES];

	if (!model)
		return name_table_index(&stats->model_names, NULL);
	model_name_canonical(model, canonical, sizeof(canonical));
	return name_table_index(&stats->model_names, canonical);
}

static void add_usage(struct stats *stats, const struct record *record)
{
	size_t model = model_index(stats, record->model);

	account_add(
		&stats->projects[name_table_index(&stats->project_names, record->project)], record);
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
	size_t model = model_index(stats, load->model);

	stats->model_loads++;
	histogram_add(&stats->load_us, load->took_us);
	account_add_load(&stats->models[model], load->took_us);
	ladder_add(&stats->ladders[model].load, &ladder_waits, load->took_us);
	if (load->project)
		account_add_load(
			&stats->projects[name_table_index(&stats->project_names, load->project)],
			load->took_us);
}

void stats_meet_project(struct stats *stats, const char *project)
{
	(void)name_table_index(&stats->project_names, project);
}

void stats_meet_model(struct stats *stats, const char *model)
{
	(void)model_index(stats, model);
}
