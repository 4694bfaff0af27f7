/*
 * GET /api/v1/queue/requests (PRODUCT 6.6): first the jobs that do not wait for their turn, in
 * order of arrival, then those that do, in order of arrival too: `place` says who is next.
 */
#include "admin/admin.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/ticker.h"
#include "core/job.h"
#include "core/places.h"
#include "json/writer.h"

enum {
	DECIMALS = 3,
	RATE_DECIMALS = 1,
	US_PER_MS = 1000,
	US_PER_S = 1000 * 1000,
	MORE_BYTES = 96, /* what is added to the scheduler's reason */
};

#define NS_PER_S 1e9

static void put_us(struct json_writer *writer, const char *key, int64_t us)
{
	json_put_fixed(writer, key, (double)us / US_PER_MS, DECIMALS);
}

static void put_speed(struct json_writer *writer, const struct record *record)
{
	if (record->eval_count >= 0)
		json_put_int(writer, "tokens", record->eval_count);
	else
		json_put_null(writer, "tokens");
	if (record->eval_count >= 0 && record->eval_duration > 0)
		json_put_fixed(writer, "tokens_per_s",
			(double)record->eval_count * NS_PER_S / (double)record->eval_duration,
			RATE_DECIMALS);
	else
		json_put_null(writer, "tokens_per_s");
}

static void append(char *reason, const char *more)
{
	size_t used = strlen(reason);

	snprintf(reason + used, SCHEDULER_REASON_BYTES + MORE_BYTES - used, "%s", more);
}

/* Below 0: nobody knows when the gates will open, or it does not wait for its turn. */
static int64_t forecast_of(const struct admin_view *view, const struct job *job)
{
	bool is_open = view->turns.upstream_usable && !view->turns.paused;

	return is_open && job->state == JOB_QUEUED ? job->start_us : -1;
}

static void add_forecast(char *reason, int64_t start_us)
{
	char words[MORE_BYTES];

	if (start_us < US_PER_S)
		return;
	snprintf(words, sizeof(words), ", about %lld s",
		(long long)((start_us + US_PER_S / 2) / US_PER_S));
	append(reason, words);
}

/* "12:00:03", the clock of this machine. */
static void add_kept_place(char *reason, const struct admin_view *view, const struct job *job)
{
	char words[MORE_BYTES];
	int64_t until_us =
		view->turns.places ? places_before(view->turns.places, job, view->now_us) : 0;
	time_t wall_s = (time_t)((ticker_wall_us() + until_us - view->now_us) / US_PER_S);
	struct tm local;

	if (!until_us || !localtime_r(&wall_s, &local))
		return;
	if (strftime(words, sizeof(words),
		    "; a place before it is kept for its client until %H:%M:%S", &local) > 0)
		append(reason, words);
}

/* Where it stands among those that wait for their turn, and why. */
static void put_wait(
	struct json_writer *writer, const struct admin_view *view, const struct job *job)
{
	char reason[SCHEDULER_REASON_BYTES + MORE_BYTES];
	int64_t start_us = forecast_of(view, job);

	if (job->state == JOB_QUEUED) {
		json_put_int(writer, "place",
			scheduler_explain(view->scheduler, &view->turns, job, reason));
		add_forecast(reason, start_us);
		add_kept_place(reason, view, job);
		json_put_string(writer, "reason", reason);
	} else {
		json_put_null(writer, "place");
		json_put_null(writer, "reason");
	}
	if (start_us >= 0)
		put_us(writer, "forecast_ms", start_us);
	else
		json_put_null(writer, "forecast_ms");
}

static void put_job(
	struct json_writer *writer, const struct admin_view *view, const struct job *job)
{
	const struct record *record = &job->record;
	int64_t wait_us = record->queue_wait_us;

	if (job->state == JOB_QUEUED)
		wait_us += view->now_us - job->queued_since_us;
	json_begin_object(writer, NULL);
	json_put_string(writer, "id", record->request_id);
	json_put_string(writer, "project", record->project);
	json_put_string(writer, "class", record->priority);
	json_put_string(writer, "model", record->model);
	json_put_string(writer, "operation", operation_name(record->operation));
	json_put_string(writer, "state", job_state_name(job->state));
	put_us(writer, "age_ms", view->now_us - record->arrived_us);
	put_us(writer, "wait_ms", wait_us);
	put_wait(writer, view, job);
	put_speed(writer, record);
	json_end_object(writer);
}

void admin_write_requests(struct json_writer *writer, const struct admin_view *view)
{
	const struct list *node;

	scheduler_rank(view->scheduler, &view->turns);
	scheduler_forecast(view->scheduler, &view->turns);
	json_begin_object(writer, NULL);
	json_begin_array(writer, "requests");
	LIST_EACH(view->living_jobs, node)
	{
		const struct job *job = CONTAINER_OF(node, struct job, link);

		if (job->state != JOB_QUEUED)
			put_job(writer, view, job);
	}
	for (size_t i = 0; i < ring_count(view->ring); i++) {
		const struct job *job = ring_at(view->ring, i);

		if (job->state == JOB_QUEUED)
			put_job(writer, view, job);
	}
	json_end_array(writer);
	json_end_object(writer);
}
