/*
 * One line of a request log (docs/schemas/request-log.schema.json) as values. Any JSON object with
 * such keys will do, in any order; the old service's lines, which have fewer keys, too. Called by
 * report/report for each line.
 */
#ifndef SO_REPORT_LINE_H
#define SO_REPORT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Longer lines are no lines of ours. */
enum { LINE_BYTES_MOST = 256 * 1024 };

/* X(field, key) */
#define LINE_TEXTS(X)               \
	X(operation, "operation")   \
	X(status, "status")         \
	X(model, "model")           \
	X(client_ip, "client_ip")   \
	X(project, "project_name")  \
	X(error_type, "error_type") \
	X(path, "path")             \
	X(runner, "runner")         \
	X(images_max, "images_max") \
	X(user_agent, "user_agent")

#define LINE_NUMBERS(X)                               \
	X(latency_ms, "latency_ms")                   \
	X(load_ms, "model_load_ms")                   \
	X(http_status, "http_status")                 \
	X(queue_wait_ms, "queue_wait_ms")             \
	X(load_wait_ms, "load_wait_ms")               \
	X(ttft_ms, "ttft_ms")                         \
	X(prompt_tokens, "prompt_eval_count")         \
	X(prompt_ms, "prompt_eval_ms")                \
	X(generation_tokens, "generation_eval_count") \
	X(generation_ms, "generation_eval_ms")        \
	X(upstream_wait_ms, "upstream_wait_ms")       \
	X(context_length, "context_length")           \
	X(images_count, "images_count")               \
	X(images_bytes, "images_bytes")               \
	X(images_pixels, "images_pixels")             \
	X(request_bytes, "request_bytes")             \
	X(attempts, "attempts")

#define LINE_TRUTHS(X)                 \
	X(is_warm, "model_warm_start") \
	X(is_stream, "stream")         \
	X(is_truncated, "prompt_truncated")

enum truth { TRUTH_UNKNOWN, TRUTH_NO, TRUTH_YES };

/* Not NUL-terminated; NULL: the line does not say. */
struct text {
	const char *at;
	size_t length;
};

struct line {
#define X(field, key) struct text field;
	LINE_TEXTS(X)
#undef X
#define X(field, key) double field; /* NAN: the line does not say; never negative */
	LINE_NUMBERS(X)
#undef X
#define X(field, key) enum truth field;
	LINE_TRUTHS(X)
#undef X
	int64_t ended_us; /* by the wall clock; -1: the line does not say */
};

struct line_reader;

struct line_reader *line_reader_create(void);
void line_reader_destroy(struct line_reader *reader);

/* false: not a JSON object, or one without an `operation`, so none of a request log. The
 * texts live until the next call. */
MUST_CHECK bool line_read(
	struct line_reader *reader, const char *json, size_t length, struct line *ret_line);

#endif
