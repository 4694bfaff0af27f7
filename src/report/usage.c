#include "report/usage.h"

#include <math.h>
#include <string.h>

#define US_PER_MS 1e3
#define MS_PER_S 1e3
/* A long answer, and what is early in it: a third, a person would have begun to read. */
#define LONG_MS 5000.0
#define EARLY_SHARE (1.0 / 3)
/* Base64 makes four characters of three bytes. */
#define BASE64_GROWTH (4.0 / 3)
/* Text has at least so many bytes a token, JSON's quotes and keys included: 4 is usual, and what is
 * over-counted as text is not blamed on an image. */
#define BYTES_A_TOKEN 3.0

static bool is_word(struct text text, const char *word)
{
	return text.at && strlen(word) == text.length && memcmp(text.at, word, text.length) == 0;
}

static double known_or_0(double value)
{
	return isnan(value) ? 0 : value;
}

static void derive_times(const struct line *line, struct derived *derived)
{
	double inside = known_or_0(line->upstream_wait_ms);

	derived->is_job = !isnan(line->queue_wait_ms);
	derived->wait_ms = derived->is_job ? line->queue_wait_ms + inside : NAN;
	derived->service_ms = derived->is_job && !isnan(line->latency_ms)
				      ? fmax(line->latency_ms - derived->wait_ms, 0)
				      : NAN;
	derived->has_run = line->attempts >= 1 && line->ended_us >= 0 && derived->service_ms > 0;
	derived->load_ms = NAN;
	if (line->is_warm == TRUTH_NO && (line->load_ms > 0 || line->load_wait_ms > 0))
		derived->load_ms = fmax(line->load_ms, line->load_wait_ms);
	derived->arrived_us = -1;
	if (line->ended_us >= 0 && !isnan(line->latency_ms))
		derived->arrived_us = line->ended_us - (int64_t)(line->latency_ms * US_PER_MS);
}

/* Ollama's first token is there when the prompt was read, all else is generation. */
static double first_token(const struct line *line)
{
	double first = line->latency_ms - line->generation_ms;

	return isnan(first) ? line->ttft_ms : fmax(fmin(first, line->latency_ms), 0);
}

static void derive_images(const struct line *line, struct derived *derived)
{
	double text;

	derived->pixels = NAN;
	derived->text_tokens = NAN;
	if (!(line->images_count >= 1) || !(line->images_pixels > 0) || !(line->prompt_tokens > 0))
		return;
	derived->pixels = line->images_pixels;
	text = known_or_0(line->request_bytes) - known_or_0(line->images_bytes) * BASE64_GROWTH;
	derived->text_tokens = fmin(fmax(text, 0) / BYTES_A_TOKEN, line->prompt_tokens);
}

void derive(const struct line *line, struct derived *ret_derived)
{
	ret_derived->is_success = is_word(line->status, "success");
	derive_times(line, ret_derived);
	ret_derived->first_ms = first_token(line);
	derive_images(line, ret_derived);
}

static void add_unheard(struct usage *usage, const struct line *line, const struct derived *derived)
{
	static const char *const words[] = {
#define X(symbol, word) [UNHEARD_##symbol] = word,
		USAGE_UNHEARD(X)
#undef X
	};

	for (int i = 0; i < UNHEARD_COUNT; i++) {
		if (!is_word(line->error_type, words[i]))
			continue;
		usage->unheard[i]++;
		if (derived->has_run)
			usage->unheard_service_ms += derived->service_ms;
		if (i == UNHEARD_GONE && derived->is_job)
			spread_add(&usage->gone, line->latency_ms);
	}
}

static void add_speed(double tokens, double ms, double *tokens_sum, double *ms_sum)
{
	if (!(tokens > 0) || !(ms > 0))
		return;
	*tokens_sum += tokens;
	*ms_sum += ms;
}

static void add_tokens(struct usage *usage, const struct line *line)
{
	usage->prompt_tokens += known_or_0(line->prompt_tokens);
	usage->prompt_most = fmax(usage->prompt_most, known_or_0(line->prompt_tokens));
	usage->generation_tokens += known_or_0(line->generation_tokens);
	add_speed(line->prompt_tokens, line->prompt_ms, &usage->timed_prompt_tokens,
		&usage->timed_prompt_ms);
	add_speed(line->generation_tokens, line->generation_ms, &usage->timed_generation_tokens,
		&usage->timed_generation_ms);
	if (line->is_truncated == TRUTH_YES) {
		usage->truncated++;
		usage->context_most = fmax(usage->context_most, known_or_0(line->context_length));
	}
}

static uint64_t take_digits(const char **at, const char *end)
{
	uint64_t value = 0;

	/* images have less than 2^32 columns */
	for (; *at < end && **at >= '0' && **at <= '9' && value < UINT32_MAX; ++*at)
		value = value * 10 + (uint64_t)(**at - '0');
	return value;
}

/* "827x1169" */
static void add_size(struct usage_images *images, struct text size)
{
	const char *at = size.at, *end;
	uint64_t wide, high;

	if (!size.at)
		return;
	end = size.at + size.length;
	wide = take_digits(&at, end);
	if (at == end || *at++ != 'x')
		return;
	high = take_digits(&at, end);
	if (wide * high <= images->widest * images->highest)
		return;
	images->widest = wide;
	images->highest = high;
}

static void add_images(
	struct usage_images *images, const struct line *line, const struct derived *derived)
{
	int bucket;

	if (isnan(derived->pixels))
		return;
	images->jobs++;
	images->pixels += derived->pixels;
	images->tokens += line->prompt_tokens;
	images->text_tokens += derived->text_tokens;
	add_size(images, line->images_max);
	if (!isnan(line->prompt_ms) && !isnan(derived->service_ms)) {
		images->timed++;
		images->timed_prompt_ms += line->prompt_ms;
		images->timed_service_ms += derived->service_ms;
	}
	if (line->images_count > 1)
		return;
	bucket = (int)fmin(2 * log2(derived->pixels), PIXEL_BUCKETS - 1);
	images->bucket_jobs[bucket < 0 ? 0 : bucket]++;
	images->bucket_tokens[bucket < 0 ? 0 : bucket] += (float)line->prompt_tokens;
}

static void add_unstreamed(
	struct usage *usage, const struct line *line, const struct derived *derived)
{
	if (!derived->is_success || line->is_stream != TRUTH_NO || !(line->latency_ms >= LONG_MS) ||
		!(derived->first_ms <= line->latency_ms * EARLY_SHARE))
		return;
	usage->unstreamed++;
	usage->unstreamed_ms += line->latency_ms;
	usage->unstreamed_first_ms += derived->first_ms;
}

void usage_add(struct usage *usage, const struct line *line, const struct derived *derived)
{
	usage->requests++;
	usage->jobs += derived->is_job;
	spread_add(&usage->latency, line->latency_ms);
	spread_add(&usage->wait, derived->wait_ms);
	usage->service_ms += derived->has_run ? derived->service_ms : 0;
	if (derived->is_success) {
		usage->successes++;
		usage->warm += line->is_warm == TRUTH_YES;
		usage->cold += line->is_warm == TRUTH_NO;
		spread_add(&usage->service, derived->service_ms);
	}
	if (!isnan(line->upstream_wait_ms)) {
		usage->upstream_waits++;
		usage->upstream_wait_ms += line->upstream_wait_ms;
	}
	add_tokens(usage, line);
	add_unheard(usage, line, derived);
	add_unstreamed(usage, line, derived);
	add_images(&usage->images, line, derived);
}

double usage_warm_share(const struct usage *usage)
{
	uint64_t judged = usage->warm + usage->cold;

	return judged ? (double)usage->warm / (double)judged : NAN;
}

double usage_prompt_speed(const struct usage *usage)
{
	return usage->timed_prompt_ms > 0
		       ? usage->timed_prompt_tokens / usage->timed_prompt_ms * MS_PER_S
		       : NAN;
}

double usage_generation_speed(const struct usage *usage)
{
	return usage->timed_generation_ms > 0
		       ? usage->timed_generation_tokens / usage->timed_generation_ms * MS_PER_S
		       : NAN;
}

uint64_t usage_unheard(const struct usage *usage)
{
	uint64_t sum = 0;

	for (int i = 0; i < UNHEARD_COUNT; i++)
		sum += usage->unheard[i];
	return sum;
}
