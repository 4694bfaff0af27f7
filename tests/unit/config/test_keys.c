#include "config/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "config/settings.h"

static void test_every_key_is_found_by_its_three_names(void **state)
{
	for (size_t i = 0; i < keys_count; i++) {
		char *flag = key_flag(&keys[i]);
		char *variable = key_variable(&keys[i]);
		const char *short_variable = variable + strlen("SHARED_OLLAMA_");

		assert_ptr_equal(key_find(keys[i].name, strlen(keys[i].name)), &keys[i]);
		assert_ptr_equal(key_find_flag(flag + 2, strlen(flag + 2)), &keys[i]);
		assert_ptr_equal(
			key_find_variable(short_variable, strlen(short_variable)), &keys[i]);
		free(flag);
		free(variable);
	}
}

static void test_names_are_spelled_as_documented(void **state)
{
	const struct key *key = key_find("max_queue_size", strlen("max_queue_size"));
	char *flag = key_flag(key);
	char *variable = key_variable(key);

	assert_string_equal(flag, "--max-queue-size");
	assert_string_equal(variable, "SHARED_OLLAMA_MAX_QUEUE_SIZE");
	free(flag);
	free(variable);
}

static void test_near_misses_are_not_found(void **state)
{
	assert_null(key_find("max-queue-size", strlen("max-queue-size")));
	assert_null(key_find("max_queue_siz", strlen("max_queue_siz")));
	assert_null(key_find("max_queue_sizes", strlen("max_queue_sizes")));
	assert_null(key_find("", 0));
	assert_null(key_find_flag("max_queue_size", strlen("max_queue_size")));
	assert_null(key_find_variable("max_queue_size", strlen("max_queue_size")));
}

/* A field that two keys or none set would be a mistake of the table. */
static void test_keys_cover_the_settings_without_overlap(void **state)
{
	char covered[sizeof(struct settings)] = {0};
	size_t count = 0;

	for (size_t i = 0; i < keys_count; i++) {
		size_t size = keys[i].type == KEY_CHOICE ? sizeof(int) : sizeof(int64_t);

		for (size_t byte = 0; byte < size; byte++) {
			assert_int_equal(covered[keys[i].offset + byte], 0);
			covered[keys[i].offset + byte] = 1;
		}
		count += size;
	}
	/* references, upstream_host, upstream_port, api_keys, their count and the rules are the
	 * only others; 8 bytes each with their padding, and 4 before an odd enum */
	assert_true(
		sizeof(struct settings) - count - sizeof(struct rules) <= 8 + 8 + 8 + 8 + 8 + 4);
}

static void test_every_row_is_complete(void **state)
{
	assert_non_null(keys[0].section);
	for (size_t i = 0; i < keys_count; i++) {
		assert_non_null(keys[i].fallback);
		assert_non_null(keys[i].placeholder);
		assert_true(strlen(keys[i].help) > 10);
		assert_null(strchr(keys[i].help, '\n'));
		assert_int_not_equal(keys[i].help[strlen(keys[i].help) - 1], '.');
		assert_true((keys[i].type == KEY_CHOICE) == (keys[i].choices != NULL));
		if (keys[i].type <= KEY_COUNT)
			assert_true(keys[i].minimum >= 1 && keys[i].minimum < keys[i].maximum);
	}
}

static void test_units(void **state)
{
	assert_string_equal(key_unit(key_find("body_max", 8)), "bytes");
	assert_string_equal(key_unit(key_find("idle_timeout", 12)), "seconds");
	assert_string_equal(key_unit(key_find("max_concurrent", 14)), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_is_found_by_its_three_names),
		cmocka_unit_test(test_names_are_spelled_as_documented),
		cmocka_unit_test(test_near_misses_are_not_found),
		cmocka_unit_test(test_keys_cover_the_settings_without_overlap),
		cmocka_unit_test(test_every_row_is_complete),
		cmocka_unit_test(test_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
