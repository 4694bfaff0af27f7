#include "report/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static int *row(struct names *names, const char *name)
{
	return names_row(names, (struct text){name, name ? strlen(name) : 0});
}

static void test_a_row_for_each_name(void **state)
{
	struct names *names = names_create(10, sizeof(int));

	++*row(names, "a");
	++*row(names, "b");
	++*row(names, "a");
	++*row(names, NULL);
	++*row(names, "");
	assert_int_equal(names_count(names), 4);
	assert_int_equal(*row(names, "a"), 2);
	assert_int_equal(*row(names, "(none)"), 1);
	assert_string_equal(names_name(names, 1), "b");
	assert_string_equal(names_name(names, 2), "(none)");
	names_destroy(names);
}

static void test_endless_names_share_a_row(void **state)
{
	struct names *names = names_create(50, sizeof(int));

	for (int i = 0; i < 1000; i++) {
		char *name = mem_printf("project %d", i);

		++*row(names, name);
		free(name);
	}
	assert_int_equal(names_count(names), 51);
	assert_int_equal(*row(names, "project 49"), 1);
	assert_string_equal(names_name(names, 50), "(others)");
	assert_int_equal(*(int *)names_at(names, 50), 950);
	names_destroy(names);
}

static void test_long_names_are_cut_and_nul_ends_one(void **state)
{
	struct names *names = names_create(4, sizeof(int));
	char name[2 * NAME_BYTES_MOST];

	memset(name, 'x', sizeof(name));
	++*(int *)names_row(names, (struct text){name, sizeof(name)});
	++*(int *)names_row(names, (struct text){name, NAME_BYTES_MOST});
	++*(int *)names_row(names, (struct text){"a\0b", 3});
	++*row(names, "a");
	assert_int_equal(names_count(names), 2);
	assert_int_equal(*(int *)names_at(names, 0), 2);
	assert_int_equal(*(int *)names_at(names, 1), 2);
	names_destroy(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_row_for_each_name),
		cmocka_unit_test(test_endless_names_share_a_row),
		cmocka_unit_test(test_long_names_are_cut_and_nul_ends_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
