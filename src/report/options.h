/*
 * The command line of `shared-ollama report` (PRODUCT 6.5, 8). Called by report/report. Strings are
 * argv's.
 */
#ifndef SO_REPORT_OPTIONS_H
#define SO_REPORT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "report/analysis.h"

enum report_form { FORM_TEXT, FORM_JSON, FORM_CSV, FORM_HTML };

enum { SHOWS_MOST = 16 };

struct report_options {
	bool is_help;
	enum report_form form;
	struct analysis_filter filter;
	const char **files; /* at least one */
	size_t files_count;
	const char *shows[SHOWS_MOST]; /* MODEL=FILE */
	size_t shows_count;
	const char *stats; /* NULL: not given */
};

/* `arguments` are those after the word report; `now_us` is the wall clock. false: wrong usage,
 * *ret_error is a new string. In both cases report_options_finish() is called. */
MUST_CHECK bool report_options_read(struct report_options *options, int count,
	char *const *arguments, int64_t now_us, char **ret_error);
void report_options_finish(struct report_options *options);
const char *report_options_help(void);

#endif
