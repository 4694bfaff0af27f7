/*
 * Who made Ollama load what: cold starts in the order of the log, as swaps between two models and
 * as reloads of one model under other options. Called by report/analysis with each success;
 * bounded.
 */
#ifndef SO_REPORT_LOADS_H
#define SO_REPORT_LOADS_H

#include <stdint.h>

#include "report/line.h"
#include "report/names.h"
#include "report/usage.h"

struct loads_model {
	uint64_t successes;
	uint64_t loads;	  /* runs of cold starts in which no other model came between */
	uint64_t reloads; /* of these: the model was there, with other options */
	double reload_ms;
	char runner[NAME_BYTES_MOST + 1];      /* the latest; empty: unknown */
	char from_runner[NAME_BYTES_MOST + 1]; /* of the latest reload */
	char to_runner[NAME_BYTES_MOST + 1];
	char by_project[NAME_BYTES_MOST + 1]; /* who asked for it */
};

struct loads_swap {
	uint64_t count;
	double load_ms;
	char from[NAME_BYTES_MOST + 1];
	char to[NAME_BYTES_MOST + 1];
};

struct loads {
	uint64_t loads;
	uint64_t
		first_loads; /* models that were cold when they came first: nobody can save these */
	char last_model[NAME_BYTES_MOST + 1];
	struct names *models; /* struct loads_model */
	struct names *swaps;  /* struct loads_swap, by "from > to" */
};

void loads_init(struct loads *loads);
void loads_finish(struct loads *loads);
void loads_add(struct loads *loads, const struct line *line, const struct derived *derived);
/* NULL: it never happened. */
const struct loads_swap *loads_find_swap(
	const struct loads *loads, const char *from, const char *to);

#endif
