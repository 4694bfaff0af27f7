#include "report/loads.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { MODELS_MOST = 256, SWAPS_MOST = 256 };

void loads_init(struct loads *loads)
{
	memset(loads, 0, sizeof(*loads));
	loads->models = names_create(MODELS_MOST, sizeof(struct loads_model));
	loads->swaps = names_create(SWAPS_MOST, sizeof(struct loads_swap));
}

void loads_finish(struct loads *loads)
{
	names_destroy(loads->models);
	names_destroy(loads->swaps);
}

static void copy(char ret_name[NAME_BYTES_MOST + 1], struct text text)
{
	size_t length = text.length < NAME_BYTES_MOST ? text.length : NAME_BYTES_MOST;

	if (text.at)
		memcpy(ret_name, text.at, length);
	ret_name[text.at ? length : 0] = '\0';
}

static double known_or_0(double value)
{
	return isnan(value) ? 0 : value;
}

static void add_swap(struct loads *loads, const char *model, double load_ms)
{
	char name[2 * NAME_BYTES_MOST + 4];
	struct loads_swap *swap;
	int length = snprintf(name, sizeof(name), "%s > %s", loads->last_model, model);

	swap = names_row(loads->swaps, (struct text){name, (size_t)length});
	swap->count++;
	swap->load_ms += load_ms;
	memcpy(swap->from, loads->last_model, sizeof(swap->from));
	memcpy(swap->to, model, sizeof(swap->to));
}

static void add_reload(
	struct loads_model *row, const struct line *line, const char *runner, double load_ms)
{
	row->reloads++;
	row->reload_ms += load_ms;
	memcpy(row->from_runner, row->runner, sizeof(row->from_runner));
	memcpy(row->to_runner, runner, sizeof(row->to_runner));
	copy(row->by_project, line->project);
}

void loads_add(struct loads *loads, const struct line *line, const struct derived *derived)
{
	char model[NAME_BYTES_MOST + 1], runner[NAME_BYTES_MOST + 1];
	bool is_other_model, is_other_runner;
	struct loads_model *row;
	double load_ms = known_or_0(derived->load_ms);

	if (!derived->is_success || !line->model.at || line->is_warm == TRUTH_UNKNOWN)
		return;
	copy(model, line->model);
	copy(runner, line->runner);
	row = names_row(loads->models, line->model);
	is_other_model = strcmp(model, loads->last_model) != 0;
	is_other_runner = row->runner[0] && runner[0] && strcmp(runner, row->runner) != 0;
	if (line->is_warm == TRUTH_NO) {
		/* Several that waited for one load follow each other. */
		if (row->successes == 0 || is_other_model || is_other_runner) {
			loads->loads++;
			row->loads++;
		}
		if (row->successes == 0)
			loads->first_loads++;
		else if (is_other_model)
			add_swap(loads, model, load_ms);
		else if (is_other_runner)
			add_reload(row, line, runner, load_ms);
	}
	row->successes++;
	memcpy(loads->last_model, model, sizeof(model));
	if (runner[0])
		memcpy(row->runner, runner, sizeof(runner));
}

const struct loads_swap *loads_find_swap(
	const struct loads *loads, const char *from, const char *to)
{
	for (size_t i = 0; i < names_count(loads->swaps); i++) {
		const struct loads_swap *swap = names_at(loads->swaps, i);

		if (strcmp(swap->from, from) == 0 && strcmp(swap->to, to) == 0)
			return swap;
	}
	return NULL;
}
