#include "report/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/moment.h"
#include "report/analysis.h"
#include "report/document.h"
#include "report/findings.h"
#include "report/hints.h"
#include "report/input.h"
#include "report/line.h"
#include "report/options.h"
#include "report/page_data.h"
#include "report/page_html.h"
#include "report/page_text.h"
#include "report/tables.h"

enum {
	EXIT_FINE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	US_PER_S = 1000 * 1000,
	NS_PER_US = 1000,
	COLUMNS_USUAL = 80,
	COLUMNS_LEAST = 60,
	COLUMNS_MOST = 160, /* a sentence that is wider cannot be read */
	/* Lines that are looked at for a time, to know where a file belongs. */
	FIRST_LINES = 20,
};

struct file {
	const char *path;
	size_t place; /* as given */
	int64_t first_us;
};

static int64_t wall_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US;
}

static int complain(char *error)
{
	fprintf(stderr, "shared-ollama report: %s\n", error);
	free(error);
	return EXIT_FAILED;
}

/* Sets the file's first time; standard input can be read only once, so it comes last. false: it
 * cannot be read. */
static bool look_at(struct file *file, struct line_reader *reader)
{
	struct input *input;
	char *error = NULL;
	const char *text;
	size_t length;

	file->first_us = INT64_MAX;
	if (strcmp(file->path, "-") == 0)
		return true;
	input = input_open(file->path, &error);
	if (!input) {
		complain(error);
		return false;
	}
	for (int i = 0; i < FIRST_LINES && input_next(input, &text, &length); i++) {
		struct line line;

		if (!line_read(reader, text, length, &line) || line.ended_us < 0)
			continue;
		file->first_us = line.ended_us;
		break;
	}
	input_close(input);
	return true;
}

static int compare_files(const void *one, const void *other)
{
	const struct file *a = one, *b = other;

	if (a->first_us != b->first_us)
		return a->first_us < b->first_us ? -1 : 1;
	return a->place < b->place ? -1 : 1;
}

/* Rotated logs in the order of time, however they were named. NULL: one cannot be read. */
static struct file *order_files(const struct report_options *options, struct line_reader *reader)
{
	struct file *files = mem_zalloc_array(options->files_count, sizeof(*files));

	for (size_t i = 0; i < options->files_count; i++) {
		files[i].path = options->files[i];
		files[i].place = i;
		if (!look_at(&files[i], reader)) {
			free(files);
			return NULL;
		}
	}
	qsort(files, options->files_count, sizeof(*files), compare_files);
	return files;
}

/* false: it cannot be read, or breaks off; what came before counts. */
static bool read_file(const struct file *file, struct line_reader *reader,
	struct analysis *analysis, struct document *document)
{
	char *error = NULL;
	struct input *input = input_open(file->path, &error);
	const char *text;
	size_t length;

	if (!input) {
		complain(error);
		return false;
	}
	while (input_next(input, &text, &length)) {
		struct line line;

		if (line_read(reader, text, length, &line))
			analysis_add(analysis, &line);
		else
			analysis->bad_lines++;
	}
	error = input_problem(input);
	input_close(input);
	if (!error)
		return true;
	document_note(document, "%s", error);
	complain(error);
	return false;
}

static void put_notes(struct document *document, const struct analysis *analysis)
{
	if (analysis->bad_lines > 0)
		document_note(document,
			"%" PRIu64 " lines are no lines of a request log and were left out.",
			analysis->bad_lines);
	if (analysis->traffic->late > 0)
		document_note(document,
			"%" PRIu64 " requests stand so far out of order in the log that they are "
			"missing from bursts and bounds.",
			analysis->traffic->late);
}

static void put_period(struct document *document, const struct analysis *analysis,
	const struct report_options *options)
{
	const struct analysis_filter *filter = &analysis->filter;

	document->period = mem_printf("%s%s: %" PRIu64 " requests%s%s%s%s%s", options->files[0],
		options->files_count > 1 ? " and others" : "", analysis->all.requests,
		filter->project ? " of project " : "", filter->project ? filter->project : "",
		filter->model ? " for model " : "", filter->model ? filter->model : "",
		filter->since_us >= 0 || filter->until_us >= 0 ? " in the period asked for" : "");
}

/* As wide as the terminal; COLUMNS where there is none, as in a pager or a test. */
static unsigned columns(void)
{
	const char *text = getenv("COLUMNS");
	struct winsize size = {0};
	long width = COLUMNS_USUAL;

	if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
		width = size.ws_col;
	else if (text && *text)
		width = strtol(text, NULL, 10);
	if (width < COLUMNS_LEAST)
		width = COLUMNS_LEAST;
	return width < COLUMNS_MOST ? (unsigned)width : COLUMNS_MOST;
}

/* The first that is set counts, as in setlocale(3), which this program never calls. */
static bool is_utf8_locale(void)
{
	static const char *const variables[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < ARRAY_LENGTH(variables); i++) {
		const char *value = getenv(variables[i]);

		if (value && *value)
			return strcasestr(value, "UTF-8") || strcasestr(value, "UTF8");
	}
	return false;
}

static bool write_document(const struct document *document, enum report_form form)
{
	switch (form) {
	case FORM_TEXT:
		page_text_write(stdout, document,
			(struct page_look){.width = columns(), .is_utf8 = is_utf8_locale()});
		break;
	case FORM_JSON:
		page_json_write(stdout, document);
		break;
	case FORM_CSV:
		page_csv_write(stdout, document);
		break;
	case FORM_HTML:
		page_html_write(stdout, document);
		break;
	}
	return fflush(stdout) == 0 && !ferror(stdout);
}

static int write_report(const struct report_options *options, const struct hints *hints,
	const struct file *files, struct line_reader *reader)
{
	struct analysis *analysis = analysis_create(&options->filter);
	struct document document = {0};
	int code = EXIT_FINE;

	for (size_t i = 0; i < options->files_count; i++) {
		if (!read_file(&files[i], reader, analysis, &document))
			code = EXIT_FAILED;
	}
	analysis_end(analysis);
	put_notes(&document, analysis);
	put_period(&document, analysis, options);
	tables_add(&document, analysis);
	findings_add(&document, analysis, hints);
	if (!write_document(&document, options->form))
		code = complain(mem_strdup("standard output: cannot be written"));
	document_finish(&document);
	analysis_destroy(analysis);
	return code;
}

/* false: it was said why. */
static bool read_hints(const struct report_options *options, struct hints *hints)
{
	char *error = NULL;

	for (size_t i = 0; i < options->shows_count; i++) {
		if (!hints_read_show(hints, options->shows[i], &error)) {
			complain(error);
			return false;
		}
	}
	if (options->stats && !hints_read_stats(hints, options->stats, &error)) {
		complain(error);
		return false;
	}
	return true;
}

static int report(const struct report_options *options)
{
	struct hints *hints = mem_zalloc(sizeof(*hints));
	struct line_reader *reader = line_reader_create();
	struct file *files = NULL;
	int code = EXIT_FAILED;

	if (read_hints(options, hints))
		files = order_files(options, reader);
	if (files)
		code = write_report(options, hints, files, reader);
	free(files);
	line_reader_destroy(reader);
	free(hints);
	return code;
}

int report_run(int count, char *const *arguments)
{
	struct report_options options;
	char *error = NULL;
	int code = EXIT_FINE;

	if (!report_options_read(&options, count, arguments, wall_us(), &error)) {
		complain(error);
		code = EXIT_USAGE;
	} else if (options.is_help) {
		fputs(report_options_help(), stdout);
	} else {
		code = report(&options);
	}
	report_options_finish(&options);
	return code;
}
