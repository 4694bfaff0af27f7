/*
 * The lines of log files one by one, plain or gzip, or of standard input; constant memory. Called
 * by report/report.
 */
#ifndef SO_REPORT_INPUT_H
#define SO_REPORT_INPUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct input;

/* "-": standard input. NULL: *ret_error is a new string. */
MUST_CHECK struct input *input_open(const char *path, char **ret_error);
void input_close(struct input *input);
/* The next line without its end, not empty; it lives until the next call. false: no more. One that
 * is longer than a log line can be is given as its beginning, which is no JSON. */
MUST_CHECK bool input_next(struct input *input, const char **ret_line, size_t *ret_length);
/* After the last line: NULL, or why there may be more: a new string. */
char *input_problem(struct input *input);

#endif
