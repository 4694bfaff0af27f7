#include "config/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/changes.h"
#include "config/file.h"
#include "config/groups.h"
#include "config/keys.h"
#include "config/load.h"
#include "config/settings.h"

/* The defaults, and then what the text says. */
static struct settings *with(const char *text)
{
	char *argv[] = {(char *)"shared-ollama", NULL};
	struct load_result result = load_settings(1, argv, NULL);
	char *error = NULL;

	assert_int_equal(result.action, LOAD_SERVE);
	if (!file_parse("f", text, strlen(text), result.settings, &error))
		fail_msg("%s in:\n%s", error, text);
	return result.settings;
}

static void assert_round_trip(const char *text)
{
	struct settings *settings = with(text);
	char *printed = print_config(settings);
	struct settings *again = with(printed);
	char *changes = changes_list(again, settings);

	assert_null(changes);
	settings_return(settings);
	settings_return(again);
	free(printed);
}

static void test_what_is_printed_is_read_as_the_same(void **state)
{
	assert_round_trip("");
	assert_round_trip("listen = [ \"127.0.0.1:1\", \"unix:/a-b\" ]; body_max = \"3g\";"
			  "body_total = \"100g\"; default_timeout = 0.25; drain_timeout = 0;"
			  "request_log_max = 5000000000L; log_level = \"debug\";"
			  "allow_paths = [ \"/a\", \"read-only\" ]; max_turn_wait = \"2h\";"
			  "on_runner_stuck = \"echo \\\"a\\\\\\\\b\\\" # \\t c\";");
}

static void test_every_key_and_list_stands_there_with_its_default(void **state)
{
	struct settings *settings = with("");
	char *printed = print_config(settings);

	for (size_t i = 0; i < keys_count; i++) {
		char *line = mem_printf("\n%s%s = ", keys[i].is_secret ? "# " : "", keys[i].name);

		assert_non_null(strstr(printed, line));
		free(line);
	}
	for (size_t i = 0; i < GROUP_LISTS; i++) {
		char *line = mem_printf("\n# %s = (\n", group_lists[i]->name);

		assert_non_null(strstr(printed, line));
		free(line);
	}
	assert_non_null(
		strstr(printed, "# seconds; default 60; 0: no limit\ndefault_timeout = 60;\n"));
	assert_non_null(strstr(printed, "needs a restart; default 127.0.0.1:8000\n"));
	settings_return(settings);
	free(printed);
}

/* The comments in front of the lists are taken away. */
static void test_the_examples_of_rules_are_valid(void **state)
{
	for (size_t i = 0; i < GROUP_LISTS; i++) {
		char *text =
			mem_printf("%s = ( %s );", group_lists[i]->name, group_lists[i]->example);
		size_t count;
		struct settings *settings;

		/* its hash is left out */
		if (strcmp(group_lists[i]->name, "keys") != 0) {
			settings = with(text);
			(void)groups_rows(group_lists[i], settings, &count);
			assert_int_equal(count, 1);
			settings_return(settings);
		}
		free(text);
	}
}

static void test_a_secret_is_not_printed(void **state)
{
	struct settings *settings =
		with("key_salt = \"grains\"; projects = ( { name = \"p\"; } );");
	char *printed = print_config(settings);

	assert_null(strstr(printed, "grains"));
	assert_non_null(strstr(printed, "# key_salt is set; a secret is not shown\n"));
	assert_non_null(
		strstr(printed, "# 1 in force, which GET /api/v1/config shows\n# projects"));
	settings_return(settings);
	free(printed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_printed_is_read_as_the_same),
		cmocka_unit_test(test_every_key_and_list_stands_there_with_its_default),
		cmocka_unit_test(test_the_examples_of_rules_are_valid),
		cmocka_unit_test(test_a_secret_is_not_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
