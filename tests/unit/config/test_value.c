#include "config/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "config/keys.h"
#include "config/settings.h"

static struct settings *settings;

static int setup(void **state)
{
	settings = settings_create();
	return 0;
}

static int teardown(void **state)
{
	settings_return(settings);
	return 0;
}

static const struct key *named(const char *name)
{
	const struct key *key = key_find(name, strlen(name));

	assert_non_null(key);
	return key;
}

static void assert_set(const char *name, const char *text)
{
	char *error = NULL;

	if (!value_parse(named(name), text, settings, &error)) {
		print_error("%s %s: %s\n", name, text, error);
		fail();
	}
}

static void assert_refused(const char *name, const char *text, const char *expected)
{
	char *error = NULL;

	assert_false(value_parse(named(name), text, settings, &error));
	assert_string_equal(error, expected);
	free(error);
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		int64_t ms;
	} cases[] = {
		{"0", 0},
		{"60", 60000},
		{"0.5", 500},
		{"1.25", 1250},
		{"0.0005", 1},
		{"250ms", 250},
		{"1.4ms", 1},
		{"30s", 30000},
		{"5m", 300000},
		{"1.5h", 5400000},
		{"2592000", 2592000000},
		{"1.0000000000000000000000001", 1000},
		{"00060", 60000},
		{"3M", 180000},
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
		assert_set("idle_timeout", cases[i].text);
		assert_int_equal(settings->idle_timeout_ms, cases[i].ms);
	}
}

static void test_wrong_durations(void **state)
{
	static const char *const wrong[] = {"", " ", "x", "-1", "+1", "1 s", "1.", ".5", "1.x",
		"1d", "1e3", "0x10", "inf", "nan", "1,5", "1h30m", "60 "};
	static const char *const beyond[] = {"0.0001", "0.0000000001", "0.4ms", "2592000.001",
		"721h", "9223372036854775807", "99999999999999999999999", "9223372036854775807h"};

	settings->idle_timeout_ms = 7;
	for (unsigned i = 0; i < ARRAY_LENGTH(wrong); i++) {
		char *expected = mem_printf("\"%s\" is not a duration (seconds, fractions allowed, "
					    "or with ms, s, m or h)",
			wrong[i]);

		assert_refused("idle_timeout", wrong[i], expected);
		free(expected);
	}
	for (unsigned i = 0; i < ARRAY_LENGTH(beyond); i++)
		assert_refused("idle_timeout", beyond[i],
			"out of range: 0 (no limit) or 0.001 to 2592000 seconds");
	assert_int_equal(settings->idle_timeout_ms, 7);
}

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		int64_t bytes;
	} cases[] = {
		{"0", 0},
		{"1", 1},
		{"100b", 100},
		{"64k", 65536},
		{"64K", 65536},
		{"64KiB", 65536},
		{"100m", 104857600},
		{"1MiB", 1048576},
		{"2g", 2147483648},
		{"2GiB", 2147483648},
		{"1024g", 1099511627776},
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
		assert_set("body_max", cases[i].text);
		assert_true(settings->body_max == cases[i].bytes);
	}
}

static void test_wrong_sizes(void **state)
{
	static const char *const wrong[] = {"", "k", "1.5m", "1 k", "-1", "1kb", "1t", "1kk"};

	settings->body_max = 7;
	for (unsigned i = 0; i < ARRAY_LENGTH(wrong); i++) {
		char *expected =
			mem_printf("\"%s\" is not a size (bytes, or with k, m or g)", wrong[i]);

		assert_refused("body_max", wrong[i], expected);
		free(expected);
	}
	assert_refused("body_max", "1025g", "out of range: 0 (no limit) or 1 to 1024g bytes");
	assert_refused("body_max", "9223372036854775807g",
		"out of range: 0 (no limit) or 1 to 1024g bytes");
	assert_refused("head_max", "1023", "out of range: 0 (no limit) or 1k to 16m bytes");
	assert_refused("head_max", "17m", "out of range: 0 (no limit) or 1k to 16m bytes");
	assert_int_equal(settings->body_max, 7);
	assert_set("head_max", "1k");
}

static void test_counts(void **state)
{
	assert_set("max_concurrent", "1");
	assert_int_equal(settings->max_concurrent, 1);
	assert_set("max_concurrent", "16384");
	assert_int_equal(settings->max_concurrent, 16384);
	assert_refused("max_concurrent", "0", "out of range: 1 to 16384");
	assert_refused("max_concurrent", "16385", "out of range: 1 to 16384");
	assert_refused("max_concurrent", "18446744073709551617", "out of range: 1 to 16384");
	assert_refused("max_concurrent", "3k", "\"3k\" is not a whole number");
	assert_refused("max_concurrent", "3.0", "\"3.0\" is not a whole number");
	assert_refused("max_concurrent", "many", "\"many\" is not a whole number");
	assert_int_equal(settings->max_concurrent, 16384);
	assert_set("max_connections_per_address", "0");
	assert_refused("max_queue_size", "0", "out of range: 1 to 100000");
}

/* Each numeric key refuses what is beyond its row and takes both ends. */
static void test_every_number_is_bounded_by_its_row(void **state)
{
	for (size_t i = 0; i < keys_count; i++) {
		int64_t *field = (int64_t *)(void *)((char *)settings + keys[i].offset);
		char *low, *high, *error = NULL;

		if (keys[i].type > KEY_COUNT)
			continue;
		low = value_print_number(&keys[i], keys[i].minimum);
		high = value_print_number(&keys[i], keys[i].maximum);
		assert_true(value_parse(&keys[i], low, settings, &error));
		assert_true(*field == keys[i].minimum);
		assert_true(value_parse(&keys[i], high, settings, &error));
		assert_true(*field == keys[i].maximum);
		assert_true(
			value_parse(&keys[i], "0", settings, &error) == keys[i].zero_is_no_limit);
		free(error);
		free(low);
		low = mem_printf("1%s", high);
		assert_false(value_parse(&keys[i], low, settings, &error));
		assert_ptr_equal(strstr(error, "out of range: "), error);
		free(error);
		assert_false(value_parse(&keys[i], "abc", settings, &error));
		assert_ptr_equal(strstr(error, "\"abc\" is not a"), error);
		free(error);
		free(low);
		free(high);
	}
}

static void test_choices(void **state)
{
	assert_set("log_level", "debug");
	assert_int_equal(settings->log_level, LOG_DEBUG);
	assert_set("log_level", "error");
	assert_int_equal(settings->log_level, LOG_ERROR);
	assert_set("log_operations", "all");
	assert_int_equal(settings->log_operations, LOG_OPERATIONS_ALL);
	assert_refused("log_level", "Debug", "\"Debug\" is not one of: error, warn, info, debug");
	assert_refused("scheduler", "lifo", "\"lifo\" is not one of: fifo, turns");
	assert_refused("concurrency", "", "\"\" is not one of: fixed, adaptive");
	assert_refused("log_operations", "none", "\"none\" is not one of: default, all");
}

static void test_texts_are_taken_as_they_are(void **state)
{
	assert_set("request_log", "a b=c");
	assert_string_equal(settings->request_log, "a b=c");
	assert_set("request_log", "");
	assert_string_equal(settings->request_log, "");
	assert_set("spool_directory", "/tmp");
	assert_string_equal(settings->spool_directory, "/tmp");
}

static void test_upstream_sets_three_fields(void **state)
{
	assert_set("upstream", "http://box:1");
	assert_refused("upstream", "https:/box",
		"\"https:/box\": write http://HOST[:PORT] or https://HOST[:PORT]");
	assert_string_equal(settings->upstream, "http://box:1");
	assert_string_equal(settings->upstream_host, "box");
	assert_int_equal(settings->upstream_port, 1);
	assert_set("upstream", "http://[::1]");
	assert_string_equal(settings->upstream_host, "::1");
	assert_int_equal(settings->upstream_port, 11434);
}

static void test_addresses_replace_the_list(void **state)
{
	assert_set("listen", "127.0.0.1:1");
	assert_set("listen", " *:2, [::1]:3,,localhost:4 ");
	assert_string_equal(settings->listen[0], "*:2");
	assert_string_equal(settings->listen[1], "[::1]:3");
	assert_string_equal(settings->listen[2], "localhost:4");
	assert_null(settings->listen[3]);
	assert_refused("listen", "", "no address: write ADDR:PORT");
	assert_refused("listen", " , ", "no address: write ADDR:PORT");
	assert_refused("listen", "*:5,*",
		"\"*\": no port: write ADDR:PORT (IPv6 addresses stand in brackets)");
	assert_refused("listen", "unix:", "\"unix:\": no path after unix:");
	assert_string_equal(settings->listen[0], "*:2");
}

static void test_printed_values_read_back(void **state)
{
	static const struct {
		const char *name, *text;
	} cases[] = {
		{"idle_timeout", "60"},
		{"idle_timeout", "0.5"},
		{"idle_timeout", "1.025"},
		{"idle_timeout", "100"},
		{"idle_timeout", "0"},
		{"body_max", "0"},
		{"body_max", "1000"},
		{"body_max", "64k"},
		{"body_max", "1025k"},
		{"body_max", "2g"},
		{"body_max", "1024g"},
		{"max_concurrent", "7"},
		{"request_log", "x y"},
		{"log_level", "warn"},
		{"upstream", "http://box"},
		{"listen", "*:1,[::1]:2"},
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
		char *printed;

		assert_set(cases[i].name, cases[i].text);
		printed = value_print(named(cases[i].name), settings);
		assert_string_equal(printed, cases[i].text);
		free(printed);
	}
}

static void test_quotes_cut_and_hide_control_bytes(void **state)
{
	char text[301];
	char *quoted = value_quote("a\nb\x1b\x7f");

	assert_string_equal(quoted, "\"a?b??\"");
	free(quoted);
	memset(text, 'x', 300);
	text[300] = '\0';
	quoted = value_quote(text);
	assert_int_equal(strlen(quoted), 105);
	assert_string_equal(quoted + 100, "x...\"");
	free(quoted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_durations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_durations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_sizes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_every_number_is_bounded_by_its_row, setup, teardown),
		cmocka_unit_test_setup_teardown(test_choices, setup, teardown),
		cmocka_unit_test_setup_teardown(test_texts_are_taken_as_they_are, setup, teardown),
		cmocka_unit_test_setup_teardown(test_upstream_sets_three_fields, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses_replace_the_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_printed_values_read_back, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_quotes_cut_and_hide_control_bytes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
