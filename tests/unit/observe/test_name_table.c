#include "observe/name_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

static struct name_table table;

static int set_up(void **state)
{
	memset(&table, 0, sizeof(table));
	return 0;
}

static void test_names_keep_their_index(void **state)
{
	assert_int_equal(name_table_find(&table, "a"), NAME_TABLE_OTHER);
	assert_int_equal(name_table_index(&table, "a"), 0);
	assert_int_equal(name_table_index(&table, "b"), 1);
	assert_int_equal(name_table_index(&table, "a"), 0);
	assert_int_equal(name_table_find(&table, "b"), 1);
	assert_string_equal(name_table_get(&table, 1), "b");
	assert_string_equal(name_table_get(&table, name_table_index(&table, NULL)), "none");
}

static void test_names_beyond_the_bound_are_others(void **state)
{
	char name[16];

	for (int i = 0; i < NAME_TABLE_MOST; i++) {
		snprintf(name, sizeof(name), "%d", i);
		assert_int_equal(name_table_index(&table, name), i);
	}
	assert_int_equal(name_table_index(&table, "new"), NAME_TABLE_OTHER);
	assert_int_equal(name_table_find(&table, "new"), NAME_TABLE_OTHER);
	assert_int_equal(name_table_index(&table, "7"), 7);
	assert_string_equal(name_table_get(&table, NAME_TABLE_OTHER), "other");
}

/* Two lines of metrics with the same labels would cost the whole scrape. */
static void test_no_two_names_are_shown_alike(void **state)
{
	char name[2 * NAME_TABLE_BYTES];

	assert_int_equal(name_table_index(&table, "other"), NAME_TABLE_OTHER);
	assert_int_equal(table.count, 0);
	assert_int_equal(name_table_index(&table, "a\xff"), 0);
	assert_int_equal(name_table_index(&table, "a\xfe"), 0);
	assert_string_equal(name_table_get(&table, 0), "a\xef\xbf\xbd");
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(name_table_index(&table, name), 1);
	name[NAME_TABLE_BYTES] = 'y';
	assert_int_equal(name_table_index(&table, name), 1);
	assert_int_equal(strlen(name_table_get(&table, 1)), NAME_TABLE_BYTES - 1);
}

static void test_no_character_is_cut(void **state)
{
	char name[2 * NAME_TABLE_BYTES];

	memset(name, 'x', sizeof(name));
	strcpy(name + NAME_TABLE_BYTES - 2, "\xc3\xa4");
	assert_int_equal(name_table_index(&table, name), 0);
	assert_int_equal(strlen(name_table_get(&table, 0)), NAME_TABLE_BYTES - 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_names_keep_their_index, set_up),
		cmocka_unit_test_setup(test_names_beyond_the_bound_are_others, set_up),
		cmocka_unit_test_setup(test_no_two_names_are_shown_alike, set_up),
		cmocka_unit_test_setup(test_no_character_is_cut, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
