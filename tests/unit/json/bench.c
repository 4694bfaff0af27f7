/*
 * What the json folder costs: a request body with a large image in the pieces that bufferevents
 * deliver, token lines of both stream formats, a final line, a final line with a large context,
 * embeddings. Run by `meson test --benchmark`.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "json/peek.h"
#include "json/tap.h"

#define PIECE 4096
#define IMAGE_DIGITS ((size_t)10 * 1024 * 1024)
#define RUNS 7
#define LINES 100000

static double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* The fastest of several runs, in nanoseconds. */
static double best_of(void (*run)(const char *text, size_t length), const char *text, size_t length)
{
	double best = 0;

	for (int i = 0; i < RUNS; i++) {
		double begin = now_ns();
		double took;

		run(text, length);
		took = now_ns() - begin;
		if (i == 0 || took < best)
			best = took;
	}
	return best;
}

static void run_peek(const char *text, size_t length)
{
	struct peek *peek = peek_create();

	for (size_t at = 0; at < length; at += PIECE)
		peek_feed(peek, text + at, length - at < PIECE ? length - at : PIECE);
	if (!peek_finish(peek)->valid)
		abort();
	peek_destroy(peek);
}

static void run_tap_lines(enum tap_format format, const char *line, size_t length)
{
	struct tap *tap = tap_create(format);

	for (int i = 0; i < LINES; i++)
		tap_feed(tap, line, length);
	if (tap_finish(tap)->lines != LINES)
		abort();
	tap_destroy(tap);
}

static void run_ndjson_lines(const char *line, size_t length)
{
	run_tap_lines(TAP_NDJSON, line, length);
}

static void run_sse_lines(const char *line, size_t length)
{
	run_tap_lines(TAP_SSE, line, length);
}

static void run_json(const char *text, size_t length)
{
	struct tap *tap = tap_create(TAP_JSON);

	for (size_t at = 0; at < length; at += PIECE)
		tap_feed(tap, text + at, length - at < PIECE ? length - at : PIECE);
	if (tap_finish(tap)->total_duration != 5)
		abort();
	tap_destroy(tap);
}

static void print_per_line(const char *name, void (*run)(const char *, size_t), const char *line)
{
	printf("%-44s %8.1f ns a line of %zu bytes\n", name,
		best_of(run, line, strlen(line)) / LINES, strlen(line));
}

static void print_whole(
	const char *name, void (*run)(const char *, size_t), const char *text, size_t length)
{
	printf("%-44s %8.3f ms for %.1f MB\n", name, best_of(run, text, length) / 1e6,
		(double)length / 1e6);
}

/* begin, then `part` over and over up to IMAGE_DIGITS bytes, then end */
static char *fill(const char *begin, const char *part, const char *end, size_t *ret_length)
{
	size_t begin_length = strlen(begin);
	size_t count = IMAGE_DIGITS / strlen(part);
	char *text = mem_alloc(begin_length + count * strlen(part) + strlen(end) + 1);
	char *at = text + begin_length;

	memcpy(text, begin, begin_length);
	for (size_t i = 0; i < count; i++)
		at = mempcpy(at, part, strlen(part));
	memcpy(at, end, strlen(end) + 1);
	*ret_length = (size_t)(at - text) + strlen(end);
	return text;
}

int main(void)
{
	size_t length;
	char *text;

	text = fill("{\"messages\":[{\"role\":\"user\",\"images\":[\"",
		"iVBORw0KGgoAAAANSUhEUgA/+w", "\"]}],\"model\":\"m\"}", &length);
	print_whole("peek, one image, 4 KiB pieces", run_peek, text, length);
	free(text);
	text = fill("{\"messages\":[{\"role\":\"user\",\"images\":[\"",
		"iVBORw0KGgoAAAANSUhEUgA\\/w", "\"]}],\"model\":\"m\"}", &length);
	print_whole("peek, one image with escaped slashes", run_peek, text, length);
	free(text);
	text = fill("{\"messages\":[{}",
		",{\"role\":\"user\",\"content\":\"What is the colour of it?\"}",
		"],\"model\":\"m\"}", &length);
	print_whole("peek, many short messages", run_peek, text, length);
	free(text);
	text = fill("{\"response\":\"", "some words, ", "\",\"done\":true,\"total_duration\":5}",
		&length);
	print_whole("tap, one long answer", run_json, text, length);
	free(text);
	text = fill("{\"embeddings\":[[0", ",-0.054352775", "]],\"total_duration\":5}", &length);
	print_whole("tap, embeddings", run_json, text, length);
	free(text);

	print_per_line("tap, NDJSON token line", run_ndjson_lines,
		"{\"model\":\"tiny\",\"created_at\":\"2026-11-23T22:26:40.353001361Z\",\"message\":"
		"{\"role\":\"assistant\",\"content\":\" blue\"},\"done\":false}\n");
	print_per_line("tap, NDJSON final line", run_ndjson_lines,
		"{\"model\":\"tiny\",\"created_at\":\"2026-11-23T22:26:40.358530597Z\",\"message\":"
		"{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":"
		"\"length\","
		"\"total_duration\":20691852,\"load_duration\":816068,\"prompt_eval_count\":11,"
		"\"prompt_eval_duration\":3815000,\"eval_count\":8,\"eval_duration\":14210000}\n");
	print_per_line("tap, SSE chat token", run_sse_lines,
		"data: {\"id\":\"chatcmpl-958\",\"object\":\"chat.completion.chunk\",\"created\":"
		"1795472801,\"model\":\"tiny\",\"system_fingerprint\":\"fp_ollama\",\"choices\":"
		"[{\"index\":0,\"delta\":{\"content\":\" blue\"},\"finish_reason\":null}]}\n\n");
	print_per_line("tap, SSE completion token with zero usage", run_sse_lines,
		"data: {\"id\":\"cmpl-775\",\"object\":\"text_completion\",\"created\":1795472802,"
		"\"choices\":[{\"text\":\" "
		"sky\",\"index\":0,\"finish_reason\":null}],\"model\":\"tiny\","
		"\"system_fingerprint\":\"fp_ollama\",\"usage\":{\"prompt_tokens\":0,"
		"\"completion_tokens\":0,\"total_tokens\":0}}\n\n");
	return 0;
}
