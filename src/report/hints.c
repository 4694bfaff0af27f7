#include "report/hints.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "json/walk.h"

enum {
	/* An answer of /api/show carries licence and template. */
	FILE_BYTES_MOST = 8 * 1024 * 1024,
	NUMBER_BYTES = 32,
};

static double number(const char *text, size_t length)
{
	char copy[NUMBER_BYTES];

	if (length >= sizeof(copy))
		return 0;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return strtod(copy, NULL);
}

static bool ends_with(const char *path, const char *end)
{
	size_t length = strlen(path), end_length = strlen(end);

	return length >= end_length && strcmp(path + length - end_length, end) == 0;
}

static void on_show(
	void *arg, const char *path, enum walk_kind kind, const char *text, size_t length)
{
	struct hint_vision *vision = arg;

	if (kind != WALK_NUMBER || strncmp(path, "model_info/", strlen("model_info/")) != 0)
		return;
	if (ends_with(path, ".vision.patch_size"))
		vision->patch = number(text, length);
	else if (ends_with(path, ".vision.spatial_merge_size"))
		vision->merge = number(text, length);
}

bool hints_take_show(struct hints *hints, const char *model, const char *json, size_t length)
{
	struct hint_vision vision = {.patch = 0};

	snprintf(vision.model, sizeof(vision.model), "%s", model);
	if (hints->visions_count == HINTS_MOST || !walk_object(json, length, on_show, &vision) ||
		!(vision.patch >= 1) || !(vision.merge >= 1))
		return false;
	hints->visions[hints->visions_count++] = vision;
	return true;
}

struct stats_reading {
	struct hints *hints;
	char model[HINT_NAME_BYTES];
};

/* Our stats have a runner's name before its share. */
static void on_stats(
	void *arg, const char *path, enum walk_kind kind, const char *text, size_t length)
{
	struct stats_reading *reading = arg;
	struct hints *hints = reading->hints;
	struct hint_runner *runner;

	if (kind == WALK_STRING &&
		(strcmp(path, "runners/*/model") == 0 || strcmp(path, "runners/*/name") == 0))
		snprintf(reading->model, sizeof(reading->model), "%.*s", (int)length, text);
	if (kind != WALK_NUMBER || strcmp(path, "runners/*/vram_share") != 0 ||
		hints->runners_count == HINTS_MOST)
		return;
	runner = &hints->runners[hints->runners_count++];
	memcpy(runner->model, reading->model, sizeof(runner->model));
	runner->vram_share = number(text, length);
}

bool hints_take_stats(struct hints *hints, const char *json, size_t length)
{
	struct stats_reading reading = {.hints = hints};

	return walk_object(json, length, on_stats, &reading);
}

/* NULL: *ret_error says why. */
static char *read_file(const char *path, size_t *ret_length, char **ret_error)
{
	FILE *file = fopen(path, "rb");
	char *text;

	if (!file) {
		*ret_error = mem_printf("%s: %s", path, strerror(errno));
		return NULL;
	}
	text = mem_alloc(FILE_BYTES_MOST);
	*ret_length = fread(text, 1, FILE_BYTES_MOST, file);
	if (ferror(file) || *ret_length == FILE_BYTES_MOST) {
		*ret_error = mem_printf("%s: cannot be read, or is too long", path);
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

bool hints_read_show(struct hints *hints, const char *argument, char **ret_error)
{
	const char *path = strchr(argument, '=');
	char *model, *text;
	size_t length = 0;
	bool is_good;

	if (!path || path == argument) {
		*ret_error = mem_printf("--show %s: MODEL=FILE is wanted", argument);
		return false;
	}
	text = read_file(path + 1, &length, ret_error);
	if (!text)
		return false;
	model = mem_strndup(argument, (size_t)(path - argument));
	is_good = hints_take_show(hints, model, text, length);
	free(model);
	free(text);
	if (!is_good)
		*ret_error = mem_printf("%s: no answer of POST /api/show that tells how images are "
					"cut (vision.patch_size, vision.spatial_merge_size)",
			path + 1);
	return is_good;
}

bool hints_read_stats(struct hints *hints, const char *path, char **ret_error)
{
	size_t length = 0;
	char *text = read_file(path, &length, ret_error);
	bool is_good;

	if (!text)
		return false;
	is_good = hints_take_stats(hints, text, length);
	free(text);
	if (!is_good)
		*ret_error = mem_printf("%s: no answer of GET /api/v1/queue/stats", path);
	return is_good;
}

const struct hint_vision *hints_vision(const struct hints *hints, const char *model)
{
	for (size_t i = 0; i < hints->visions_count; i++) {
		if (strcmp(hints->visions[i].model, model) == 0)
			return &hints->visions[i];
	}
	return NULL;
}
