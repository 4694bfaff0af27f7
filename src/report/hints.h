/*
 * What the log cannot know and saved answers tell: how a model cuts images into tokens (Ollama's
 * POST /api/show) and how much of a loaded model is on the GPU (our /api/v1/queue/stats). Files
 * given by --show MODEL=FILE and --stats FILE. Called by report/report, read by report/findings.
 */
#ifndef SO_REPORT_HINTS_H
#define SO_REPORT_HINTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* More are ignored: nobody gives so many by hand. */
enum { HINTS_MOST = 32, HINT_NAME_BYTES = 160 };

struct hint_vision {
	char model[HINT_NAME_BYTES];
	double patch; /* pixels along an edge */
	double merge; /* patches along the edge of a token */
};

struct hint_runner {
	char model[HINT_NAME_BYTES];
	double vram_share;
};

struct hints {
	struct hint_vision visions[HINTS_MOST];
	size_t visions_count;
	struct hint_runner runners[HINTS_MOST];
	size_t runners_count;
};

/* `argument` is MODEL=FILE. false: *ret_error is a new string. */
MUST_CHECK bool hints_read_show(struct hints *hints, const char *argument, char **ret_error);
MUST_CHECK bool hints_read_stats(struct hints *hints, const char *path, char **ret_error);
/* The texts themselves, as those two find them in their files. */
MUST_CHECK bool hints_take_show(
	struct hints *hints, const char *model, const char *json, size_t length);
MUST_CHECK bool hints_take_stats(struct hints *hints, const char *json, size_t length);
/* NULL: not told. */
const struct hint_vision *hints_vision(const struct hints *hints, const char *model);

#endif
