#include "config/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"

#define READING_NAME "test.conf"
#include "reading.h"

static void test_keys_are_set(void **state)
{
	assert_fine("# a comment\n"
		    "listen = [\"127.0.0.1:1\", \"[::1]:2\"]\n"
		    "upstream = \"http://box:3\"\n"
		    "max_queue_size = 7 # so few\n"
		    "max_concurrent: 4;\n"
		    "default_timeout = 2.5\n"
		    "/* block\n comment */ request_log = \"a b\"\n"
		    "log_level = \"debug\"\n");
	assert_string_equal(settings->listen[0], "127.0.0.1:1");
	assert_string_equal(settings->listen[1], "[::1]:2");
	assert_null(settings->listen[2]);
	assert_string_equal(settings->upstream_host, "box");
	assert_int_equal(settings->max_queue_size, 7);
	assert_int_equal(settings->max_concurrent, 4);
	assert_int_equal(settings->default_timeout_ms, 2500);
	assert_string_equal(settings->request_log, "a b");
	assert_int_equal(settings->log_level, LOG_DEBUG);
}

static void test_lists_of_words_may_be_lists_or_texts_or_empty(void **state)
{
	assert_fine("server_names = [\"a.example\", \"b.example\"]\nallow_models = \"m n,o\"\n"
		    "admin_listen = []\ncors_origins = []\n");
	assert_string_equal(settings->server_names[1], "b.example");
	assert_null(settings->server_names[2]);
	assert_string_equal(settings->allow_models[2], "o");
	assert_null(settings->allow_models[3]);
	assert_null(settings->admin_listen[0]);
	assert_null(settings->cors_origins[0]);
}

static void test_suffixes_stand_in_quotes(void **state)
{
	assert_fine(
		"idle_timeout = \"5m\"\nbody_timeout = \"100ms\"\nwrite_timeout = \"2h\"\n"
		"head_max = \"64k\"\nbody_memory = \"1MiB\"\nbody_total=\"1g\";body_max=3145728\n");
	assert_int_equal(settings->idle_timeout_ms, 300000);
	assert_int_equal(settings->body_timeout_ms, 100);
	assert_int_equal(settings->write_timeout_ms, 7200000);
	assert_int_equal(settings->head_max, 65536);
	assert_int_equal(settings->body_memory, 1048576);
	assert_int_equal(settings->body_total, 1073741824);
	assert_int_equal(settings->body_max, 3145728);
}

static void test_numbers_over_31_bits_are_whole(void **state)
{
	assert_fine("body_total = 5000000000L\nbody_max = 0\n");
	assert_int_equal(settings->body_total, 5000000000);
	assert_int_equal(settings->body_max, 0);
}

static void test_empty_files_change_nothing(void **state)
{
	assert_fine("");
	assert_fine("\n\n# nothing\n");
	assert_null(settings->listen);
}

static void test_unknown_keys_name_the_line_and_the_nearest(void **state)
{
	assert_wrong("\n# max_queue = 1\nmax_queue = 3\n",
		"test.conf:3: unknown key \"max_queue\"; did you mean max_queue_size?");
	assert_wrong(
		"max_concurrent = 3\ncolour = \"red\"\n", "test.conf:2: unknown key \"colour\"");
	assert_wrong("max-queue-size = 3\n",
		"test.conf:1: unknown key \"max-queue-size\"; did you mean max_queue_size?");
	assert_wrong(
		"project = ();\n", "test.conf:1: unknown key \"project\"; did you mean projects?");
	assert_wrong("listener = ();\n",
		"test.conf:1: unknown key \"listener\"; did you mean listeners?");
	assert_wrong("place = { size = 3 }\n", "test.conf:1: unknown key \"place\"");
}

static void test_wrong_values_name_line_and_key(void **state)
{
	assert_wrong("\n\nmax_concurrent = 0\n",
		"test.conf:3: max_concurrent: out of range: 1 to 16384");
	assert_wrong("max_concurrent = \"three\"\n",
		"test.conf:1: max_concurrent: \"three\" is not a whole number");
	assert_wrong("max_concurrent = true\n",
		"test.conf:1: max_concurrent: \"true\" is not a whole number");
	assert_wrong("max_concurrent = \"3k\"\n",
		"test.conf:1: max_concurrent: \"3k\" is not a whole number");
	assert_wrong("max_concurrent = 3.5\n",
		"test.conf:1: max_concurrent: \"3.5\" is not a whole number");
	assert_wrong("max_concurrent = [1, 2]\n", "test.conf:1: max_concurrent: takes one value");
	assert_wrong(
		"max_concurrent = { a = 1 }\n", "test.conf:1: max_concurrent: takes one value");
	assert_wrong(
		"listen = [8000]\n", "test.conf:1: listen: every address must be a text in quotes");
	assert_wrong("listen = []\n", "test.conf:1: listen: no address: write ADDR:PORT");
	assert_wrong("server_names = [1]\n",
		"test.conf:1: server_names: every element must be a text in quotes");
	assert_wrong("listen = { a = 1 }\n", "test.conf:1: listen: takes one value");
}

static void test_a_key_twice_is_refused(void **state)
{
	assert_wrong("max_concurrent = 3\nmax_queue_size = 5\nmax_concurrent = 4\n",
		"test.conf:3: duplicate setting name");
}

static void test_syntax_errors_name_the_line(void **state)
{
	static const struct {
		const char *text, *where;
	} cases[] = {
		{"max_concurrent = 3\n= 4\n", "test.conf:2: "},
		{"listen = [\"a:1\"\n", "test.conf:"},
		{"request_log = \"abc\n", "test.conf:"},
		{"{ max_concurrent = 3\n", "test.conf:"},
		{"max_concurrent\n", "test.conf:"},
		{"max_concurrent 3\n", "test.conf:1: "},
		{"log_level = debug\n", "test.conf:1: "},
		{"[1, 2]", "test.conf:1: "},
	};

	for (unsigned i = 0; i < ARRAY_LENGTH(cases); i++) {
		char *error = NULL;

		assert_false(file_parse(
			"test.conf", cases[i].text, strlen(cases[i].text), settings, &error));
		assert_non_null(error);
		assert_ptr_equal(strstr(error, cases[i].where), error);
		assert_null(strchr(error, '\n'));
		free(error);
	}
}

static void test_a_nul_is_refused(void **state)
{
	char *error = NULL;

	assert_false(file_parse("test.conf", "a\0b", 3, settings, &error));
	assert_string_equal(error, "test.conf: is not a text");
	free(error);
}

static char path[64];

static void write_file(const void *text, size_t length)
{
	int file;

	strcpy(path, "/tmp/test_config_file.XXXXXX");
	file = mkstemp(path);
	assert_true(file >= 0);
	assert_true(write(file, text, length) == (ssize_t)length);
	close(file);
}

/* Neither read nor silently skipped. */
static void test_includes_do_not_exist(void **state)
{
	char text[200];
	char *error = NULL;

	write_file("max_concurrent = 9\n", strlen("max_concurrent = 9\n"));
	snprintf(text, sizeof(text), "max_reading = 5\n  @include \"%s\"\n", path);
	settings->max_concurrent = 1;
	assert_false(file_parse("test.conf", text, strlen(text), settings, &error));
	assert_string_equal(error, "test.conf: @include is not allowed");
	assert_int_equal(settings->max_concurrent, 1);
	free(error);
	unlink(path);
}

static void test_variables_are_not_expanded(void **state)
{
	assert_fine("request_log = \"$CURDIR/${HOME}/x\"\n");
	assert_string_equal(settings->request_log, "$CURDIR/${HOME}/x");
}

static void test_a_file_is_read(void **state)
{
	char *error = NULL;

	write_file("max_concurrent = 9\n", strlen("max_concurrent = 9\n"));
	assert_true(file_apply(path, settings, &error));
	assert_int_equal(settings->max_concurrent, 9);
	unlink(path);
}

static void test_unreadable_files_are_named(void **state)
{
	char *error = NULL;

	assert_false(file_apply("/nonexistent/x.conf", settings, &error));
	assert_string_equal(
		error, "/nonexistent/x.conf: cannot be opened: No such file or directory");
	free(error);
	assert_false(file_apply("/tmp", settings, &error));
	assert_string_equal(error, "/tmp: cannot be read: Is a directory");
	free(error);
}

static void test_size_is_bounded(void **state)
{
	char *text = malloc(FILE_MAX_BYTES + 1);
	char *error = NULL;

	memset(text, '\n', FILE_MAX_BYTES + 1);
	write_file(text, FILE_MAX_BYTES);
	assert_true(file_apply(path, settings, &error));
	unlink(path);
	write_file(text, FILE_MAX_BYTES + 1);
	assert_false(file_apply(path, settings, &error));
	assert_non_null(strstr(error, ": is over 1048576 bytes"));
	unlink(path);
	free(error);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_keys_are_set, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_lists_of_words_may_be_lists_or_texts_or_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_suffixes_stand_in_quotes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_numbers_over_31_bits_are_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty_files_change_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_unknown_keys_name_the_line_and_the_nearest, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_wrong_values_name_line_and_key, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_key_twice_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_syntax_errors_name_the_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_nul_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_includes_do_not_exist, setup, teardown),
		cmocka_unit_test_setup_teardown(test_variables_are_not_expanded, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_file_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreadable_files_are_named, setup, teardown),
		cmocka_unit_test_setup_teardown(test_size_is_bounded, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
