#include "core/lane.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "config/settings.h"
#include "core/concurrency.h"
#include "core/job.h"

enum {
	/* More that left in one moment than this are not counted. */
	LEFT_MOST = 16,
	/* Ollama's num_batch where a request names none. */
	BATCH_TOKENS = 512,
	/* For a token of a prompt where no answer told (/v1 never does): a small model on a CPU. */
	PROMPT_GUESS_US = 2000,
	/* The longest batch that was measured took 7.2 s. */
	LEFT_MOST_US = 10 * 1000 * 1000,
	NS_PER_US = 1000,
	/* Of English. */
	BYTES_A_TOKEN = 4,
};

/* Weight of a new sample in the speeds: the last ten or so answers count. */
#define SPEED_WEIGHT 0.2
/* A prompt's token costs this much of a generated one where neither was measured. */
#define PROMPT_SHARE 0.05

struct lane {
	struct concurrency *concurrency; /* NULL: it was never adaptive */
	int64_t left_us[LEFT_MOST];	 /* when their batches are over */
	size_t left_count;
	double prompt_us; /* for one token; 0: not measured */
};

struct lane *lane_create(void)
{
	return mem_zalloc(sizeof(struct lane));
}

void lane_destroy(struct lane *lane)
{
	if (!lane)
		return;
	free(lane->concurrency);
	free(lane);
}

static bool is_adaptive(const struct settings *settings)
{
	return settings->concurrency == CONCURRENCY_ADAPTIVE;
}

int64_t lane_total(const struct settings *settings)
{
	return is_adaptive(settings) ? settings->max_concurrent_limit : settings->max_concurrent;
}

int64_t lane_start(const struct settings *settings)
{
	int64_t total = lane_total(settings);

	return settings->max_concurrent < total ? settings->max_concurrent : total;
}

int64_t lane_limit(struct lane *lane, const struct settings *settings)
{
	if (!is_adaptive(settings))
		return settings->max_concurrent;
	if (!lane->concurrency)
		lane->concurrency = mem_zalloc(sizeof(*lane->concurrency));
	return concurrency_limit(
		lane->concurrency, settings->max_concurrent, settings->max_concurrent_limit);
}

struct lane_report lane_report(struct lane *lane, const struct settings *settings)
{
	struct lane_report report = {.limit = lane_limit(lane, settings)};

	if (!is_adaptive(settings)) {
		report.least = report.most = report.limit;
		report.reason = "fixed by max_concurrent";
		return report;
	}
	report.least = lane->concurrency->least_seen;
	report.most = lane->concurrency->most_seen;
	report.reason = concurrency_reason(lane->concurrency);
	return report;
}

uint64_t lane_busy(struct lane *lane, uint64_t running, int64_t now_us)
{
	size_t kept = 0;

	for (size_t i = 0; i < lane->left_count; i++) {
		if (lane->left_us[i] > now_us)
			lane->left_us[kept++] = lane->left_us[i];
	}
	lane->left_count = kept;
	return running + kept;
}

int64_t lane_look_again_us(const struct lane *lane)
{
	int64_t next_us = 0;

	for (size_t i = 0; i < lane->left_count; i++) {
		if (!next_us || lane->left_us[i] < next_us)
			next_us = lane->left_us[i];
	}
	return next_us;
}

void lane_sent(struct lane *lane, const struct job *job)
{
	if (lane->concurrency)
		concurrency_sent(lane->concurrency, job, job->record.dispatched_us);
}

static void note_speed(struct lane *lane, const struct lane_answer *answer)
{
	double sample;

	if (answer->prompt_tokens <= 0 || answer->prompt_ns <= 0)
		return;
	sample = (double)answer->prompt_ns / NS_PER_US / (double)answer->prompt_tokens;
	if (lane->prompt_us <= 0)
		lane->prompt_us = sample;
	else
		lane->prompt_us += SPEED_WEIGHT * (sample - lane->prompt_us);
}

/* In generated tokens; 0: unknown. Where nothing is counted (/api/embeddings) the text tells. */
static double work_of(const struct job *job, const struct lane_answer *answer)
{
	double work = 0;

	if (answer->tokens <= 0 && answer->prompt_tokens <= 0 && job->record.request_bytes > 0)
		return PROMPT_SHARE / BYTES_A_TOKEN * (double)job->record.request_bytes;

	if (answer->tokens > 0)
		work += (double)answer->tokens;
	if (answer->prompt_tokens > 0)
		work += PROMPT_SHARE * (double)answer->prompt_tokens;
	return work;
}

void lane_answered(struct lane *lane, const struct job *job, const struct lane_answer *answer)
{
	const struct gauge_end end = {
		.now_us = answer->now_us,
		.is_good = answer->was_loaded,
		.wait_us = answer->wait_ns < 0 ? -1 : answer->wait_ns / NS_PER_US,
		.first_byte_us = answer->first_byte_us,
		.work = work_of(job, answer),
	};

	note_speed(lane, answer);
	if (lane->concurrency)
		concurrency_ended(lane->concurrency, job, &end);
}

void lane_released(struct lane *lane, const struct job *job, int64_t now_us)
{
	const struct gauge_end nothing = {.now_us = now_us, .wait_us = -1};

	/* One that was answered is not known any more. */
	if (lane->concurrency)
		concurrency_ended(lane->concurrency, job, &nothing);
}

void lane_left(struct lane *lane, const struct job *job, int64_t batch, int64_t now_us)
{
	double tokens = batch > 0 ? (double)batch : BATCH_TOKENS;
	double token_us = lane->prompt_us > 0 ? lane->prompt_us : PROMPT_GUESS_US;
	double left_us;

	/* A text has no more tokens than bytes. */
	if (job->record.images_count <= 0 && job->record.request_bytes >= 0 &&
		(double)job->record.request_bytes < tokens)
		tokens = (double)job->record.request_bytes;
	left_us = tokens * token_us;
	if (left_us > LEFT_MOST_US)
		left_us = LEFT_MOST_US;
	if (lane->left_count < LEFT_MOST)
		lane->left_us[lane->left_count++] = now_us + (int64_t)left_us;
}

void lane_forget(struct lane *lane)
{
	lane->left_count = 0;
	if (lane->concurrency)
		concurrency_forget(lane->concurrency);
}
