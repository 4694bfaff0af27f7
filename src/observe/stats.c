#include "observe/stats.h"

enum { NS_PER_US = 1000 };

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

void stats_add(struct stats *stats, const struct record *record)
{
	if (!record->is_job)
		return;
	add_wait(stats, record);
	cuts_add(&stats->cuts, record);
	if (record->outcome == OUTCOME_SUCCESS)
		add_latency(stats, record);
	stats->patience_doubted += record->patience_doubted;
	if (record->is_load) {
		stats->model_loads++;
		if (record->load_duration >= 0)
			histogram_add(&stats->load_us, record->load_duration / NS_PER_US);
	}
}

void stats_add_load(struct stats *stats, int64_t took_us)
{
	stats->model_loads++;
	histogram_add(&stats->load_us, took_us);
}
