#include "observe/request_line.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/ticker.h"
#include "json/writer.h"

enum {
	DECIMALS = 3,	      /* of milliseconds, so that no microsecond is lost */
	TIMESTAMP_BYTES = 24, /* 2026-11-24T10:00:00.000Z */
	SIZE_BYTES = 24,      /* two 32-bit numbers, x and NUL */
	US_PER_MS = 1000,
	US_PER_S = 1000 * 1000,
	FIRST_ERROR_STATUS = 400,
	DECIMAL = 10,
};

#define NS_PER_MS 1e6

static void put_us(struct json_writer *writer, const char *key, bool is_known, int64_t us)
{
	if (is_known)
		json_put_fixed(writer, key, (double)us / US_PER_MS, DECIMALS);
	else
		json_put_null(writer, key);
}

/* -1: unknown. */
static void put_ns(struct json_writer *writer, const char *key, int64_t ns)
{
	if (ns >= 0)
		json_put_fixed(writer, key, (double)ns / NS_PER_MS, DECIMALS);
	else
		json_put_null(writer, key);
}

/* -1: unknown. */
static void put_count(struct json_writer *writer, const char *key, int64_t count)
{
	if (count >= 0)
		json_put_int(writer, key, count);
	else
		json_put_null(writer, key);
}

static void put_known(struct json_writer *writer, const char *key, enum known known)
{
	if (known == KNOWN_NOT)
		json_put_null(writer, key);
	else
		json_put_bool(writer, key, known == KNOWN_TRUE);
}

/* Arrays in the record are empty where nothing is known. */
static void put_word(struct json_writer *writer, const char *key, const char *word)
{
	json_put_string(writer, key, word[0] ? word : NULL);
}

static const char *status_of(const struct record *record)
{
	if (record->outcome == OUTCOME_NONE)
		return NULL;
	return outcome_counter(record->outcome) == COUNTER_COMPLETED &&
			       record->http_status < FIRST_ERROR_STATUS
		       ? "success"
		       : "error";
}

static void put_images_max(struct json_writer *writer, const struct record *record)
{
	char size[SIZE_BYTES];

	if (!record->images_width || !record->images_height) {
		json_put_null(writer, "images_max");
		return;
	}
	snprintf(size, sizeof(size), "%" PRIu32 "x%" PRIu32, record->images_width,
		record->images_height);
	json_put_string(writer, "images_max", size);
}

/* `digits` of them, then a byte more. */
static char *put_digits(char *at, int number, int digits, char behind)
{
	for (int i = digits - 1; i >= 0; i--, number /= DECIMAL)
		at[i] = (char)('0' + number % DECIMAL);
	at[digits] = behind;
	return at + digits + 1;
}

/* Not by printf, which would be a fifth of the line's instructions. */
static void put_timestamp(struct json_writer *writer, const struct record *record)
{
	enum { YEAR = 4, PART = 2, MILLISECONDS = 3, FIRST_YEAR = 1900 };
	int64_t wall_us = ticker_wall_us();
	char text[TIMESTAMP_BYTES];
	char *at = text;
	struct tm parts = {0};
	time_t seconds;

	if (record->ended_us)
		wall_us -= ticker_now_us() - record->ended_us;
	seconds = (time_t)(wall_us / US_PER_S);
	gmtime_r(&seconds, &parts);
	at = put_digits(at, parts.tm_year + FIRST_YEAR, YEAR, '-');
	at = put_digits(at, parts.tm_mon + 1, PART, '-');
	at = put_digits(at, parts.tm_mday, PART, 'T');
	at = put_digits(at, parts.tm_hour, PART, ':');
	at = put_digits(at, parts.tm_min, PART, ':');
	at = put_digits(at, parts.tm_sec, PART, '.');
	at = put_digits(at, (int)(wall_us % US_PER_S / US_PER_MS), MILLISECONDS, 'Z');
	json_put_string_n(writer, "timestamp", text, (size_t)(at - text));
}

/* The keys that the old service wrote. */
static void put_old_keys(struct json_writer *writer, const struct record *record)
{
	bool has_latency = record->arrived_us && record->ended_us;

	json_put_string(writer, "event", "api_request");
	json_put_string(writer, "client_type", "rest_api");
	json_put_string(writer, "operation", operation_name(record->operation));
	json_put_string(writer, "status", status_of(record));
	json_put_string(writer, "model", record->model);
	put_word(writer, "request_id", record->request_id);
	put_word(writer, "client_ip", record->client_ip);
	json_put_string(writer, "project_name", record->project);
	put_us(writer, "latency_ms", has_latency, record_latency_us(record));
	put_ns(writer, "model_load_ms", record->load_duration);
	put_known(writer, "model_warm_start", record->warm);
}

static void put_end(struct json_writer *writer, const struct record *record)
{
	json_put_string(writer, "error_type", outcome_word(record->outcome));
	json_put_string(writer, "error_message", record->error_message);
	if (record->http_status)
		json_put_int(writer, "http_status", record->http_status);
	else
		json_put_null(writer, "http_status");
	json_put_string(writer, "method", record->method);
	json_put_string(writer, "path", record->path);
	put_known(writer, "stream", record->stream);
}

static void put_times(struct json_writer *writer, const struct record *record)
{
	/* A pass never waits; a job waits from its complete body on (PRODUCT 3.2). */
	bool has_wait = record->is_job && record->body_complete_us;

	put_us(writer, "queue_wait_ms", has_wait, record->queue_wait_us);
	put_us(writer, "load_wait_ms", record->load_wait_us >= 0, record->load_wait_us);
	put_us(writer, "ttft_ms", record->arrived_us && record->first_byte_us,
		record->first_byte_us - record->arrived_us);
	put_ns(writer, "total_duration_ms", record->total_duration);
	put_count(writer, "prompt_eval_count", record->prompt_eval_count);
	put_ns(writer, "prompt_eval_ms", record->prompt_eval_duration);
	put_count(writer, "generation_eval_count", record->eval_count);
	put_ns(writer, "generation_eval_ms", record->eval_duration);
	put_ns(writer, "upstream_wait_ms", record_upstream_wait(record));
}

static void put_content(struct json_writer *writer, const struct record *record)
{
	put_count(writer, "context_length", record->context_length);
	put_known(writer, "prompt_truncated", record->prompt_truncated);
	json_put_string(writer, "priority", record->priority);
	json_put_string(writer, "runner", record->runner);
	put_count(writer, "images_count", record->images_count);
	put_count(writer, "images_bytes", record->images_bytes);
	put_count(writer, "images_pixels", record->images_pixels);
	put_images_max(writer, record);
	put_count(writer, "request_bytes", record->request_bytes);
	put_count(writer, "response_bytes", record->response_bytes);
	json_put_string(writer, "user_agent", record->user_agent);
	json_put_string(writer, "traceparent", record->traceparent);
	json_put_int(writer, "attempts", record->attempts);
}

void request_line_write(struct json_writer *writer, const struct record *record)
{
	json_begin_object(writer, NULL);
	put_old_keys(writer, record);
	put_end(writer, record);
	put_times(writer, record);
	put_content(writer, record);
	put_timestamp(writer, record);
	json_end_object(writer);
}
