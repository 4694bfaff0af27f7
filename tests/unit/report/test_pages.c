#include "report/page_data.h"
#include "report/page_html.h"
#include "report/page_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const struct column columns[] = {{"name", "name"}, {"count", "how many"}};

static const char evil[] = "<script>alert('x')</script>\"&\x1b[2J\xff\xc2\x9b";

static void fill(struct document *document)
{
	static const struct column series[] = {{"begin", "begin"}, {"count", "arrivals"}};
	static const struct column prose[] = {{"id", ""}, {"project", "project"},
		{"model", "model"}, {"finding", "finding"}, {"change", "change"}};
	struct table *table;

	document->period = mem_strdup("a period");
	document_note(document, "%d lines are bad", 3);
	table = document_add(document, SHAPE_FACTS, "facts", "Facts", NULL, 0);
	table_fact(table, "requests", "requests", UNIT_COUNT, 1234567);
	table_fact(table, "mean_s", "mean", UNIT_SECONDS, 1.5);
	table_fact(table, "share", "share", UNIT_SHARE, NAN);
	table_fact_text(table, "first", "first", "now");
	table = document_add(
		document, SHAPE_LIST, "names", "Names", columns, ARRAY_LENGTH(columns));
	table->bar = 1;
	table_text(table, evil);
	table_number(table, UNIT_COUNT, 4);
	table_text(table, "=1+1");
	table_number(table, UNIT_COUNT, 1);
	table = document_add(document, SHAPE_SERIES, "timeline", "Time", series, 2);
	for (int i = 0; i < 500; i++) {
		table_text(table, "2026-01-01 00:00:00");
		table_number(table, UNIT_COUNT, i % 9);
	}
	table = document_add(document, SHAPE_PROSE, "findings", "Findings", prose, 5);
	table_text(table, "id");
	table_text(table, "p");
	table_text(table, "m");
	table_printf(table,
		"Something about %s that is long enough to be wrapped at a narrow width.",
		"a project");
	table_text(table, "Change it.");
}

typedef void writer(FILE *out, const struct document *document);

static char *write_page(writer *write)
{
	struct document document = {0};
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	assert_non_null(out);
	fill(&document);
	write(out, &document);
	assert_int_equal(fclose(out), 0);
	document_finish(&document);
	return text;
}

static void write_ascii(FILE *out, const struct document *document)
{
	page_text_write(out, document, (struct page_look){.width = 60, .is_utf8 = false});
}

static void write_utf8(FILE *out, const struct document *document)
{
	page_text_write(out, document, (struct page_look){.width = 60, .is_utf8 = true});
}

static void assert_has(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("%s is missing", part);
}

static void assert_lines_fit(const char *text, size_t width)
{
	while (*text) {
		size_t columns_used = 0;

		for (; *text && *text != '\n'; text++)
			columns_used += (*text & 0xc0) != 0x80;
		assert_in_range(columns_used, 0, width);
		text += *text == '\n';
	}
}

static void test_text_is_plain_ascii_where_asked(void **state)
{
	char *text = write_page(write_ascii);

	for (const char *at = text; *at; at++)
		assert_true(*at == '\n' || (*at >= ' ' && *at < 0x7f));
	assert_has(text, "1,234,567");
	assert_has(text, "1.50 s");
	assert_has(text, "####");
	assert_has(text, "note: 3 lines are bad");
	assert_lines_fit(text, 60);
	free(text);
}

static void test_text_has_bars_and_no_controls(void **state)
{
	char *text = write_page(write_utf8);

	assert_null(strchr(text, '\x1b'));
	assert_null(strstr(text, "\xc2\x9b"));
	assert_null(strchr(text, '\xff'));
	assert_has(text, "█");
	assert_lines_fit(text, 60);
	free(text);
}

static void test_json_has_ids_and_plain_numbers(void **state)
{
	char *text = write_page(page_json_write);

	assert_has(text, "\"facts\":{\"requests\":1234567,\"mean_s\":1.500000,\"share\":null,"
			 "\"first\":\"now\"}");
	assert_has(text, "{\"name\":\"=1+1\",\"count\":1}");
	assert_has(text, "\"notes\":[\"3 lines are bad\"]");
	free(text);
}

static void test_csv_is_quoted_and_no_formula(void **state)
{
	char *text = write_page(page_csv_write);

	assert_has(text, "table,row,name,value\r\n");
	assert_has(text, "facts,1,requests,1234567\r\n");
	assert_has(text, "facts,3,share,\r\n");
	assert_has(text, "names,2,name,\"'=1+1\"\r\n");
	assert_has(text, "names,1,name,\"<script>alert('x')</script>\"\"&");
	free(text);
}

static void test_html_is_escaped_and_fetches_nothing(void **state)
{
	char *text = write_page(page_html_write);

	assert_null(strstr(text, "<script"));
	assert_null(strchr(text, '\x1b'));
	assert_null(strchr(text, '\xff'));
	assert_has(text, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;");
	assert_null(strstr(text, "http:"));
	assert_null(strstr(text, "https:"));
	assert_null(strstr(text, "url("));
	assert_has(text, "default-src 'none'");
	assert_has(text, "prefers-color-scheme:dark");
	assert_has(text, "<svg viewBox");
	assert_has(text, "</html>");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_is_plain_ascii_where_asked),
		cmocka_unit_test(test_text_has_bars_and_no_controls),
		cmocka_unit_test(test_json_has_ids_and_plain_numbers),
		cmocka_unit_test(test_csv_is_quoted_and_no_formula),
		cmocka_unit_test(test_html_is_escaped_and_fetches_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
