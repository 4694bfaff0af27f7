#include "core/record.h"

#include <stdlib.h>
#include <string.h>

void record_init(struct record *record)
{
	memset(record, 0, sizeof(*record));
	record->load_wait_us = -1;
	record->request_bytes = -1;
	record->images_count = -1;
	record->images_bytes = -1;
	record->images_pixels = -1;
	record->response_bytes = -1;
	record->total_duration = -1;
	record->load_duration = -1;
	record->prompt_eval_count = -1;
	record->prompt_eval_duration = -1;
	record->eval_count = -1;
	record->eval_duration = -1;
	record->context_length = -1;
}

void record_finish(struct record *record)
{
	free(record->project);
	free(record->model);
	free(record->method);
	free(record->path);
	free(record->user_agent);
	free(record->traceparent);
	free(record->error_message);
	free(record->priority);
	free(record->runner);
	record_init(record);
}

int64_t record_upstream_wait(const struct record *record)
{
	int64_t wait = record->total_duration;

	if (record->total_duration < 0 || record->load_duration < 0 ||
		record->prompt_eval_duration < 0)
		return -1;
	wait -= record->load_duration + record->prompt_eval_duration;
	if (record->eval_duration > 0)
		wait -= record->eval_duration;
	return wait > 0 ? wait : 0;
}

int64_t record_latency_us(const struct record *record)
{
	return record->ended_us - record->arrived_us;
}
