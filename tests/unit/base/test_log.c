#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/ticker.h"

enum { SAID_BYTES = 65536 };

static char said[SAID_BYTES];
static FILE *file;
static int real_stderr;

/* 2026-01-31T12:00:00.000042Z */
static const int64_t WALL_US = 1769860800000042;

static int setup(void **state)
{
	file = tmpfile();
	real_stderr = dup(STDERR_FILENO);
	dup2(fileno(file), STDERR_FILENO);
	log_set_level(LOG_INFO);
	ticker_set_for_test(1000000, WALL_US);
	return 0;
}

static int teardown(void **state)
{
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	fclose(file);
	return 0;
}

/* What was written to stderr since the test began. */
static const char *written(void)
{
	ssize_t length = pread(fileno(file), said, SAID_BYTES - 1, 0);

	assert_true(length >= 0);
	said[length] = '\0';
	return said;
}

static void test_line_has_time_level_message_and_fields(void **state)
{
	LOG(WARN, "upstream refuses connections", LOG_TEXT("upstream", "127.0.0.1:11434"),
		LOG_NUMBER("attempts", -3));
	assert_string_equal(written(),
		"ts=2026-01-31T12:00:00.000042Z level=warn msg=\"upstream refuses connections\" "
		"upstream=127.0.0.1:11434 attempts=-3\n");
}

static void test_message_alone(void **state)
{
	LOG(ERROR, "stopped");
	assert_string_equal(
		written(), "ts=2026-01-31T12:00:00.000042Z level=error msg=\"stopped\"\n");
}

static void test_level_hides_what_is_below(void **state)
{
	LOG(DEBUG, "hidden");
	assert_string_equal(written(), "");
	assert_false(log_is_on(LOG_DEBUG));
	log_set_level(LOG_DEBUG);
	LOG(DEBUG, "shown");
	assert_non_null(strstr(written(), "level=debug msg=\"shown\"\n"));
	log_set_level(LOG_ERROR);
	assert_true(log_is_on(LOG_ERROR));
	assert_false(log_is_on(LOG_WARN));
}

static void test_levels_have_names(void **state)
{
	enum log_level level = LOG_ERROR;

	assert_true(log_level_parse("debug", &level));
	assert_int_equal(level, LOG_DEBUG);
	assert_string_equal(log_level_name(LOG_WARN), "warn");
	assert_false(log_level_parse("loud", &level));
	assert_false(log_level_parse("", &level));
	assert_int_equal(level, LOG_DEBUG);
}

static void test_values_are_escaped(void **state)
{
	static const struct {
		const char *value, *expected;
	} cases[] = {
		{"plain/1.0", "v=plain/1.0\n"},
		{"", "v=\"\"\n"},
		{NULL, "v=\"\"\n"},
		{"two words", "v=\"two words\"\n"},
		{"a=b", "v=\"a=b\"\n"},
		{"say \"no\"", "v=\"say \\\"no\\\"\"\n"},
		{"back\\slash", "v=\"back\\\\slash\"\n"},
		{"x\nlevel=error", "v=\"x\\nlevel=error\"\n"},
		{"\r\t\x01\x1b[31m\x7f", "v=\"\\r\\t\\x01\\x1b[31m\\x7f\"\n"},
		{"Büro €\U0001F999", "v=\"Büro €\U0001F999\"\n"},
		{"\xff\xfe", "v=\"\\xff\\xfe\"\n"},
		{"cut \xe2\x82", "v=\"cut \\xe2\\x82\"\n"},
		{"\xc0\xaf", "v=\"\\xc0\\xaf\"\n"},		      /* overlong, 2 bytes */
		{"\xe0\x80\xaf", "v=\"\\xe0\\x80\\xaf\"\n"},	      /* overlong, 3 bytes */
		{"\xf0\x80\x80\xaf", "v=\"\\xf0\\x80\\x80\\xaf\"\n"}, /* overlong, 4 bytes */
		{"\xed\xa0\x80", "v=\"\\xed\\xa0\\x80\"\n"},	      /* surrogate */
		{"\xf4\x90\x80\x80", "v=\"\\xf4\\x90\\x80\\x80\"\n"}, /* over U+10FFFF */
		{"\xc2\x9b", "v=\"\\xc2\\x9b\"\n"},		      /* C1: one-character CSI */
		{"\xc2\xa0", "v=\"\xc2\xa0\"\n"},
		{"\xed\x9f\xbf\xf4\x8f\xbf\xbf", "v=\"\xed\x9f\xbf\xf4\x8f\xbf\xbf\"\n"},
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct log_site site = {0};
		const char *line;

		assert_int_equal(ftruncate(fileno(file), 0), 0);
		lseek(fileno(file), 0, SEEK_SET);
		log_write(LOG_INFO, &site, "m", &LOG_TEXT("v", cases[i].value), 1);
		line = strstr(written(), "v=");
		assert_non_null(line);
		assert_string_equal(line, cases[i].expected);
	}
}

static void test_long_values_are_cut_and_marked(void **state)
{
	char *value = malloc(100000);
	const char *line;

	memset(value, 'a', 99999);
	value[99999] = '\0';
	LOG(INFO, "long", LOG_TEXT("v", value), LOG_NUMBER("after", 1));
	line = written();
	assert_true(strlen(line) < 1200);
	assert_non_null(strstr(line, "aaa...\" after=1\n"));
	free(value);
}

/* Wide escapes and many long fields: still one line of at most 4 KiB, ended by a newline. */
static void test_line_is_bounded(void **state)
{
	struct log_field fields[20];
	char value[901];
	const char *line;

	memset(value, '\x01', 900);
	value[900] = '\0';
	for (unsigned i = 0; i < ARRAY_LENGTH(fields); i++)
		fields[i] = LOG_TEXT("field", value);
	log_write(LOG_INFO, &(struct log_site){0}, "m", fields, ARRAY_LENGTH(fields));
	line = written();
	assert_true(strlen(line) <= 4096);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	assert_int_equal(line[strlen(line) - 2], '"');
}

static void say(int64_t at_ms)
{
	ticker_set_for_test(at_ms * 1000, WALL_US);
	LOG(WARN, "again");
}

static unsigned count_lines(void)
{
	unsigned lines = 0;

	for (const char *at = written(); (at = strchr(at, '\n')); at++)
		lines++;
	return lines;
}

static void test_repeats_are_limited_and_counted(void **state)
{
	for (int i = 0; i < LOG_BURST + 5; i++)
		say(1000 + i);
	assert_int_equal(count_lines(), LOG_BURST);
	say(1000 + LOG_WINDOW_MS - 1);
	assert_int_equal(count_lines(), LOG_BURST);
	assert_null(strstr(written(), "suppressed"));
	say(1000 + LOG_WINDOW_MS);
	assert_int_equal(count_lines(), LOG_BURST + 1);
	assert_non_null(strstr(written(), "msg=\"again\" suppressed=6\n"));
	say(1001 + LOG_WINDOW_MS);
	assert_int_equal(count_lines(), LOG_BURST + 2);
	assert_non_null(strstr(written(), "msg=\"again\" suppressed=6\nts="));
}

static void test_call_sites_are_limited_separately(void **state)
{
	for (int i = 0; i < 50; i++) {
		LOG(WARN, "first");
		LOG(WARN, "second");
	}
	assert_int_equal(count_lines(), 2 * LOG_BURST);
}

static void test_errno_is_kept_and_a_closed_stderr_is_ignored(void **state)
{
	close(STDERR_FILENO);
	errno = ENOSPC;
	LOG(WARN, "nobody hears");
	assert_int_equal(errno, ENOSPC);
	dup2(fileno(file), STDERR_FILENO);
	assert_string_equal(written(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_line_has_time_level_message_and_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_message_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_level_hides_what_is_below, setup, teardown),
		cmocka_unit_test_setup_teardown(test_levels_have_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_values_are_escaped, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_long_values_are_cut_and_marked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_line_is_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_repeats_are_limited_and_counted, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_call_sites_are_limited_separately, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_errno_is_kept_and_a_closed_stderr_is_ignored, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
