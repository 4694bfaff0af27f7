#include "doctor/log_tail.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "json/walk.h"

enum { MS_PER_S = 1000 };

/* What of a line counts here. */
struct line {
	char *model;
	char *runner;
	char *timestamp;
	char *warm;
	double latency_ms;
	double wait_ms;
	double prompt;
	double context;
};

static void on_scalar(
	void *arg, const char *path, enum walk_kind kind, const char *text, size_t length)
{
	struct line *line = arg;
	const struct {
		const char *path;
		char **text;
		double *number;
	} members[] = {
		{"model", &line->model, NULL},
		{"runner", &line->runner, NULL},
		{"timestamp", &line->timestamp, NULL},
		{"model_warm_start", &line->warm, NULL},
		{"latency_ms", NULL, &line->latency_ms},
		{"upstream_wait_ms", NULL, &line->wait_ms},
		{"prompt_eval_count", NULL, &line->prompt},
		{"context_length", NULL, &line->context},
	};

	for (size_t i = 0; kind != WALK_NULL && i < ARRAY_LENGTH(members); i++) {
		char *copy;

		if (strcmp(members[i].path, path) != 0)
			continue;
		copy = mem_strndup(text, length);
		if (members[i].text) {
			free(*members[i].text);
			*members[i].text = copy;
			continue;
		}
		if (kind == WALK_NUMBER && members[i].number)
			*members[i].number = strtod(copy, NULL);
		free(copy);
	}
}

/* "2026-11-24T13:43:47.685Z" as seconds; NAN: it is none. */
static double seconds_of(const char *timestamp)
{
	struct tm parts = {0};
	const char *rest = timestamp ? strptime(timestamp, "%Y-%m-%dT%H:%M:%S", &parts) : NULL;

	if (!rest)
		return NAN;
	return (double)timegm(&parts) + (*rest == '.' ? strtod(rest, NULL) : 0);
}

static void note_time(struct log_tail *tail, double now_s)
{
	double back_s = tail->last_s - now_s;

	if (tail->last_s > 0 && back_s > 1) {
		tail->back_steps++;
		tail->back_s = fmax(tail->back_s, back_s);
	}
	tail->last_s = now_s;
}

static void note_reload(struct log_tail *tail, const struct line *line, double now_s)
{
	double pause_s = now_s - line->latency_ms / MS_PER_S - tail->last_s;

	if (!line->warm || strcmp(line->warm, "false") != 0 || !tail->last_model ||
		strcmp(tail->last_model, line->model) != 0 || !(pause_s >= LOG_TAIL_PAUSE_S))
		return;
	if (tail->reloads++ == 0 || pause_s < tail->shortest_pause_s)
		tail->shortest_pause_s = pause_s;
	free(tail->reloaded);
	tail->reloaded = mem_strdup(line->model);
}

static void note_prompt(struct log_tail *tail, const struct line *line)
{
	double share = line->prompt / line->context;

	if (!(line->context > 0) || !(share > tail->prompt_share))
		return;
	tail->prompt_share = share;
	tail->prompt_tokens = line->prompt;
	tail->prompt_context = line->context;
	free(tail->prompt_model);
	tail->prompt_model = mem_strdup(line->model ? line->model : "");
}

static void note(struct log_tail *tail, const struct line *line)
{
	double now_s = seconds_of(line->timestamp);

	tail->lines++;
	if (line->runner)
		words_add(&tail->runners, line->runner);
	if (!isnan(line->wait_ms) && !isnan(line->latency_ms)) {
		tail->waits++;
		tail->wait_ms += line->wait_ms;
		tail->latency_ms += line->latency_ms;
	}
	note_prompt(tail, line);
	if (isnan(now_s))
		return;
	if (line->model && line->runner && tail->last_s > 0)
		note_reload(tail, line, now_s);
	note_time(tail, now_s);
	if (line->model && line->runner) {
		free(tail->last_model);
		tail->last_model = mem_strdup(line->model);
	}
}

static void read_line(struct log_tail *tail, const char *text, size_t length)
{
	struct line line = {.latency_ms = NAN, .wait_ms = NAN, .prompt = NAN, .context = NAN};

	if (walk_object(text, length, on_scalar, &line))
		note(tail, &line);
	free(line.model);
	free(line.runner);
	free(line.timestamp);
	free(line.warm);
}

void log_tail_read(struct log_tail *tail, const char *text, size_t length)
{
	const char *end = text + length;

	tail->is_read = true;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));

		if (!newline)
			return;
		if (newline > text)
			read_line(tail, text, (size_t)(newline - text));
		text = newline + 1;
	}
}

bool log_tail_read_file(struct log_tail *tail, const char *path)
{
	FILE *file = fopen(path, "re");
	char *text;
	size_t length;
	long size;

	if (!file)
		return false;
	if (fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 ||
		fseek(file, size > LOG_TAIL_BYTES ? size - LOG_TAIL_BYTES : 0, SEEK_SET) != 0) {
		fclose(file);
		return false;
	}
	text = mem_alloc(LOG_TAIL_BYTES);
	length = fread(text, 1, LOG_TAIL_BYTES, file);
	log_tail_read(tail, text, length);
	free(text);
	fclose(file);
	return true;
}

void log_tail_finish(struct log_tail *tail)
{
	words_finish(&tail->runners);
	free(tail->reloaded);
	free(tail->prompt_model);
	free(tail->last_model);
	*tail = (struct log_tail){0};
}
