#include "observe/cuts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static struct cuts cuts;

static int setup(void **state)
{
	memset(&cuts, 0, sizeof(cuts));
	return 0;
}

static void add(enum known is_cut, const char *project, const char *model)
{
	struct record record = {.prompt_truncated = is_cut};
	char project_text[512];
	char model_text[512];

	if (project)
		record.project = strcpy(project_text, project);
	if (model)
		record.model = strcpy(model_text, model);
	cuts_add(&cuts, &record);
}

static void test_only_what_is_sure_counts(void **state)
{
	add(KNOWN_NOT, "a", "m");
	add(KNOWN_FALSE, "a", "m");
	assert_int_equal(cuts.count, 0);
	assert_int_equal(cuts.projects.count, 0);
	add(KNOWN_TRUE, NULL, NULL);
	assert_int_equal(cuts.count, 1);
	assert_int_equal(cuts.projects.count + cuts.models.count, 0);
}

static void test_names_are_counted_by_themselves(void **state)
{
	add(KNOWN_TRUE, "a", "m");
	add(KNOWN_TRUE, "b", "M:latest");
	add(KNOWN_TRUE, "a", "n:7b");
	assert_int_equal(cuts.count, 3);
	assert_int_equal(cuts.projects.count, 2);
	assert_string_equal(cuts.projects.items[0].name, "a");
	assert_int_equal(cuts.projects.items[0].count, 2);
	assert_int_equal(cuts.projects.items[1].count, 1);
	assert_int_equal(cuts.models.count, 2);
	assert_string_equal(cuts.models.items[0].name, "m:latest");
	assert_int_equal(cuts.models.items[0].count, 2);
	assert_string_equal(cuts.models.items[1].name, "n:7b");
}

static void test_names_beyond_the_bound_are_in_the_sum(void **state)
{
	char name[400];

	for (int i = 0; i < CUTS_NAMES + 10; i++) {
		snprintf(name, sizeof(name), "%d", i);
		add(KNOWN_TRUE, name, "m");
	}
	add(KNOWN_TRUE, "0", "m");
	assert_int_equal(cuts.count, CUTS_NAMES + 11);
	assert_int_equal(cuts.projects.count, CUTS_NAMES);
	assert_int_equal(cuts.projects.items[0].count, 2);
	assert_int_equal(cuts.models.items[0].count, CUTS_NAMES + 11);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	setup(NULL);
	add(KNOWN_TRUE, name, name);
	add(KNOWN_TRUE, name, name);
	assert_int_equal(cuts.projects.count, 1);
	assert_int_equal(strlen(cuts.projects.items[0].name), CUTS_NAME_BYTES - 1);
	assert_int_equal(cuts.models.items[0].count, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_only_what_is_sure_counts, setup),
		cmocka_unit_test_setup(test_names_are_counted_by_themselves, setup),
		cmocka_unit_test_setup(test_names_beyond_the_bound_are_in_the_sum, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
