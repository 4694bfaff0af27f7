#include "config/old_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

static void test_an_old_variable_is_named_with_its_successors(void **state)
{
	char *environment[] = {(char *)"HOME=/", (char *)"MAX_QUEUE_SIZE=secret", NULL};
	char *hints = old_names_hints(environment);

	assert_string_equal(hints,
		"MAX_QUEUE_SIZE, probably a variable of the old service, is not read: use "
		"SHARED_OLLAMA_MAX_QUEUE_SIZE, --max-queue-size or max_queue_size in the file\n");
	free(hints);
}

static void test_every_old_variable_has_a_successor(void **state)
{
	char *environment[] = {
		(char *)"OLLAMA_BASE_URL=", (char *)"MAX_CONCURRENT=", (char *)"DEFAULT_TIMEOUT=",
		(char *)"API_HOST=", (char *)"API_PORT=", (char *)"LOG_LEVEL=", NULL};
	char *hints = old_names_hints(environment);
	int lines = 0;

	for (const char *at = hints; *at; at++)
		lines += *at == '\n';
	assert_int_equal(lines, 6);
	free(hints);
}

static void test_others_are_not_ours_to_name(void **state)
{
	char *environment[] = {(char *)"OLLAMA_HOST=http://box:8000", (char *)"MAX_QUEUE_SIZES=3",
		(char *)"SHARED_OLLAMA_MAX_QUEUE_SIZE=3", (char *)"MAX_QUEUE_SIZE", NULL};

	assert_null(old_names_hints(environment));
	assert_null(old_names_hints(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_old_variable_is_named_with_its_successors),
		cmocka_unit_test(test_every_old_variable_has_a_successor),
		cmocka_unit_test(test_others_are_not_ours_to_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
