/* Each finding (PRODUCT 6.5): a log that has it and one that has not, line by line through the same
 * reader and analysis as the program's. */
#include "report/findings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

enum { SHAPES = 3, LINE_BYTES = 1024, ID_COLUMN = 0, FINDING_COLUMN = 3, LAST_COLUMN = 5 };

/* `count` lines, one each `every_s`, with the members of one shape after the other. */
struct lines {
	int count;
	int every_s;
	const char *shapes[SHAPES]; /* up to the first NULL; each line has all its members */
};

/* Two kinds of lines one after the other make one log. */
struct log {
	struct lines parts[2];
	const char *show; /* Ollama's answer on the model "m"; NULL: none */
	const char *stats;
};

struct row {
	const char *id;
	const char *word; /* in the finding's sentence */
	struct log has;
	struct log has_not;
};

#define OF(project, model) "\"project_name\":\"" project "\",\"model\":\"" model "\""
#define RAN ",\"queue_wait_ms\":0,\"attempts\":1"
#define GOOD OF("p", "m") ",\"status\":\"success\",\"model_warm_start\":true" RAN
#define TOOK(ms) ",\"latency_ms\":" #ms
#define COLD(model)    \
	OF("p", model) \
	",\"status\":\"success\",\"model_warm_start\":false,\"model_load_ms\":8000" RAN TOOK(10000)
#define RUNNER(name) ",\"runner\":\"" name "\""
#define FAILED(word) OF("p", "m") ",\"status\":\"error\",\"error_type\":\"" word "\"" RAN
#define WHOLE ",\"stream\":false,\"generation_eval_ms\":20000"
#define CUT(truth) ",\"context_length\":4096,\"prompt_truncated\":" truth
#define IMAGE(size, pixels, tokens)                                             \
	TOOK(8000)                                                              \
	",\"images_count\":1,\"images_bytes\":900000,\"request_bytes\":1200300" \
	",\"images_max\":\"" size "\",\"images_pixels\":" #pixels               \
	",\"prompt_eval_count\":" #tokens
#define READ_IN(ms) ",\"prompt_eval_ms\":" #ms
#define INSIDE(ms) ",\"upstream_wait_ms\":" #ms
#define WAITED(ms) ",\"queue_wait_ms\":" #ms ",\"attempts\":1"
#define WARM OF("p", "m") ",\"status\":\"success\",\"model_warm_start\":true"
#define SHOW(patch, merge)                                 \
	"{\"model_info\":{\"x.vision.patch_size\":" #patch \
	",\"x.vision.spatial_merge_size\":" #merge "}}"
#define STATS(share) "{\"runners\":[{\"model\":\"m\",\"vram_share\":" #share "}]}"

static const struct row rows[] = {
	{
		.id = "swaps",
		.word = "pushed each other out of memory 6 times",
		.has = {{{8, 12, {COLD("a"), COLD("b")}}}},
		/* each is loaded once, whoever comes next */
		.has_not = {{{2, 12, {COLD("a"), COLD("b")}}, {50, 12, {GOOD TOOK(1000)}}}},
	},
	{
		.id = "swaps",
		.word = "3 models pushed each other",
		.has = {{{9, 12, {COLD("a"), COLD("b"), COLD("c")}}}},
		/* one that is loaded again after a night is no swap */
		.has_not = {{{9, 40000, {COLD("a")}}}},
	},
	{
		.id = "option_reloads",
		.word = "num_ctx=8192",
		.has = {{{10, 12, {COLD("m") RUNNER("m"), COLD("m") RUNNER("m num_ctx=8192")}}}},
		.has_not = {{{10, 1200, {COLD("m") RUNNER("m num_ctx=8192")}}}},
	},
	{
		.id = "unheard",
		.word = "6 of 12 requests of p",
		.has = {{{6, 9, {GOOD TOOK(1000)}},
			{6, 9,
				{FAILED("queue_timeout") TOOK(60000),
					FAILED("client_gone") TOOK(3000),
					FAILED("no_time_left") TOOK(1)}}}},
		.has_not = {{{200, 9, {GOOD TOOK(1000)}},
			{2, 9, {FAILED("client_gone") TOOK(999)}}}},
	},
	{
		.id = "impatient_client",
		.word = "leave after 20.",
		.has = {{{20, 30, {GOOD TOOK(24000)}},
			{8, 30, {FAILED("client_gone") TOOK(20000)}}}},
		/* people leave when they like */
		.has_not = {{{20, 30, {GOOD TOOK(24000)}},
			{9, 30,
				{FAILED("client_gone") TOOK(2000), FAILED("client_gone") TOOK(9000),
					FAILED("client_gone") TOOK(19000)}}}},
	},
	{
		.id = "unstreamed",
		.word = "first token was there after 2.0 s",
		.has = {{{10, 30, {GOOD TOOK(22000) WHOLE}}}},
		.has_not = {{{10, 30,
			{GOOD TOOK(22000) ",\"stream\":true",
				GOOD TOOK(2000) ",\"stream\":false"}}}},
	},
	{
		.id = "cut_prompts",
		.word = "2 of 4 prompts",
		.has = {{{4, 9, {GOOD TOOK(1000) CUT("true"), GOOD TOOK(1000) CUT("false")}}}},
		.has_not = {{{4, 9, {GOOD TOOK(1000) CUT("null"), GOOD TOOK(1000) CUT("false")}}}},
	},
	{
		.id = "partly_on_cpu",
		.word = "Only 62 % of m",
		.has = {{{4, 9, {GOOD TOOK(1000)}}}, .stats = STATS(0.62)},
		.has_not = {{{4, 9, {GOOD TOOK(1000)}}}, .stats = STATS(1)},
	},
	{
		.id = "images_too_large",
		.word = "2480x3508",
		.has = {{{10, 9, {GOOD IMAGE("2480x3508", 8699840, 1400)}}}, .show = SHOW(14, 2)},
		/* 1,036 * 1,456 pixels are 1,924 tokens of 28 * 28 */
		.has_not = {{{10, 9, {GOOD IMAGE("1036x1456", 1508416, 1944)}}},
			.show = SHOW(14, 2)},
	},
	{
		/* nobody says how the model cuts them: twice the pixels, as many tokens */
		.id = "images_too_large",
		.word = "become no more tokens",
		.has = {{{20, 9,
			{GOOD IMAGE("1000x1000", 1000000, 1300),
				GOOD IMAGE("2000x2000", 4000000, 1300)}}}},
		.has_not = {{{20, 9,
			{GOOD IMAGE("1000x1000", 1000000, 1300),
				GOOD IMAGE("2000x2000", 4000000, 5200)}}}},
	},
	{
		.id = "images_dominate",
		.word = "3.00 s of 8.00 s",
		.has = {{{10, 9, {GOOD IMAGE("1000x1400", 1400000, 1800) READ_IN(3000)}}}},
		.has_not = {{{10, 9, {GOOD IMAGE("1000x1400", 1400000, 1800) READ_IN(100)}}}},
	},
	{
		.id = "too_many_slots",
		.word = "2.00 s on average inside Ollama",
		.has = {{{50, 2, {GOOD TOOK(4000) INSIDE(2000)}}}},
		.has_not = {{{50, 2, {GOOD TOOK(4000) INSIDE(1)}}}},
	},
	{
		.id = "too_few_slots",
		.word = "ran at once",
		.has = {{{60, 4, {WARM WAITED(4000) TOOK(8000) INSIDE(1)}}}},
		.has_not = {{{60, 4, {WARM WAITED(100) TOOK(4100) INSIDE(1)}}}},
	},
};

static void add_line(
	struct analysis *analysis, struct line_reader *reader, int at_s, const char *members)
{
	char json[LINE_BYTES];
	struct line line;
	int length = snprintf(json, sizeof(json),
		"{\"operation\":\"chat\",\"path\":\"/api/chat\",%s,"
		"\"timestamp\":\"2026-11-%02dT%02d:%02d:%02d.000Z\"}",
		members, 1 + at_s / 86400, at_s / 3600 % 24, at_s / 60 % 60, at_s % 60);

	assert_in_range(length, 1, sizeof(json) - 1);
	assert_true(line_read(reader, json, (size_t)length, &line));
	assert_true(line.ended_us > 0);
	analysis_add(analysis, &line);
}

static void take_hints(struct hints *hints, const struct log *log)
{
	if (log->show)
		assert_true(hints_take_show(hints, "m", log->show, strlen(log->show)));
	if (log->stats)
		assert_true(hints_take_stats(hints, log->stats, strlen(log->stats)));
}

static void find(struct document *document, const struct log *log)
{
	const struct analysis_filter filter = {.since_us = -1, .until_us = -1, .time_scale = 1};
	struct analysis *analysis = analysis_create(&filter);
	struct line_reader *reader = line_reader_create();
	struct hints hints = {0};
	int at_s = 0;

	for (size_t i = 0; i < ARRAY_LENGTH(log->parts); i++) {
		const struct lines *lines = &log->parts[i];
		int shapes = 0;

		while (shapes < SHAPES && lines->shapes[shapes])
			shapes++;
		for (int j = 0; j < lines->count; j++) {
			at_s += lines->every_s;
			add_line(analysis, reader, at_s, lines->shapes[j % shapes]);
		}
	}
	analysis_end(analysis);
	take_hints(&hints, log);
	findings_add(document, analysis, &hints);
	line_reader_destroy(reader);
	analysis_destroy(analysis);
}

/* The row of this finding; -1: it is not there. */
static int row_of(const struct table *table, const char *id)
{
	for (size_t i = 0; i < table_rows(table); i++) {
		if (strcmp(table_cell(table, i, ID_COLUMN)->text, id) == 0)
			return (int)i;
	}
	return -1;
}

static void test_a_log_that_has_it(void **state)
{
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct document document = {0};
		const struct table *table;
		int found;

		find(&document, &rows[i].has);
		table = &document.tables[0];
		found = row_of(table, rows[i].id);
		if (found < 0)
			fail_msg("row %zu: no %s", i, rows[i].id);
		if (!strstr(table_cell(table, (size_t)found, FINDING_COLUMN)->text, rows[i].word))
			fail_msg("row %zu: %s", i,
				table_cell(table, (size_t)found, FINDING_COLUMN)->text);
		/* what it is, what to change and what that brings */
		for (size_t j = FINDING_COLUMN; j <= LAST_COLUMN; j++)
			assert_true(strlen(table_cell(table, (size_t)found, j)->text) > 0);
		document_finish(&document);
	}
}

static void test_a_log_that_has_it_not(void **state)
{
	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
		struct document document = {0};

		find(&document, &rows[i].has_not);
		if (row_of(&document.tables[0], rows[i].id) >= 0)
			fail_msg("row %zu: %s", i, rows[i].id);
		document_finish(&document);
	}
}

static void test_an_empty_log_has_none(void **state)
{
	const struct log nothing = {0};
	struct document document = {0};

	find(&document, &nothing);
	assert_int_equal(document.tables_count, 1);
	assert_int_equal(table_rows(&document.tables[0]), 0);
	document_finish(&document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_log_that_has_it),
		cmocka_unit_test(test_a_log_that_has_it_not),
		cmocka_unit_test(test_an_empty_log_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
