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

static size_t ask(const char *name, enum name_rank rank)
{
	bool is_replaced;

	return name_table_index(&table, name, rank, &is_replaced);
}

static size_t see(const char *name)
{
	return ask(name, NAME_SEEN);
}

static void fill(const char *prefix, int count, enum name_rank rank)
{
	char name[16];

	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%s%d", prefix, i);
		ask(name, rank);
	}
}

static void expect_replaced(const char *name, enum name_rank rank, size_t index)
{
	bool is_replaced = false;

	assert_int_equal(name_table_index(&table, name, rank, &is_replaced), index);
	assert_true(is_replaced);
	assert_string_equal(name_table_get(&table, index), name);
}

static void test_names_keep_their_index(void **state)
{
	assert_int_equal(name_table_find(&table, "a"), NAME_TABLE_OTHER);
	assert_int_equal(see("a"), 0);
	assert_int_equal(see("b"), 1);
	assert_int_equal(see("a"), 0);
	assert_int_equal(name_table_find(&table, "b"), 1);
	assert_string_equal(name_table_get(&table, 1), "b");
	assert_string_equal(name_table_get(&table, see(NULL)), "none");
}

static void test_names_beyond_the_bound_are_others(void **state)
{
	char name[16];

	for (int i = 0; i < NAME_TABLE_MOST; i++) {
		snprintf(name, sizeof(name), "%d", i);
		assert_int_equal(see(name), i);
	}
	assert_int_equal(see("new"), NAME_TABLE_OTHER);
	assert_int_equal(name_table_find(&table, "new"), NAME_TABLE_OTHER);
	assert_int_equal(see("7"), 7);
	assert_string_equal(name_table_get(&table, NAME_TABLE_OTHER), "other");
}

/* Two lines of metrics with the same labels would cost the whole scrape. */
static void test_no_two_names_are_shown_alike(void **state)
{
	char name[2 * NAME_TABLE_BYTES];

	assert_int_equal(see("other"), NAME_TABLE_OTHER);
	assert_int_equal(table.count, 0);
	assert_int_equal(see("a\xff"), 0);
	assert_int_equal(see("a\xfe"), 0);
	assert_string_equal(name_table_get(&table, 0), "a\xef\xbf\xbd");
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(see(name), 1);
	name[NAME_TABLE_BYTES] = 'y';
	assert_int_equal(see(name), 1);
	assert_int_equal(strlen(name_table_get(&table, 1)), NAME_TABLE_BYTES - 1);
}

static void test_no_character_is_cut(void **state)
{
	char name[2 * NAME_TABLE_BYTES];

	memset(name, 'x', sizeof(name));
	strcpy(name + NAME_TABLE_BYTES - 2, "\xc3\xa4");
	assert_int_equal(see(name), 0);
	assert_int_equal(strlen(name_table_get(&table, 0)), NAME_TABLE_BYTES - 2);
}

static void test_a_proven_name_takes_the_place_of_one_that_is_not(void **state)
{
	fill("junk", NAME_TABLE_MOST, NAME_SEEN);
	see("junk0"); /* so junk1 was not asked for longest */
	assert_int_equal(see("real"), NAME_TABLE_OTHER);
	expect_replaced("real", NAME_PROVEN, 1);
	assert_int_equal(name_table_find(&table, "junk1"), NAME_TABLE_OTHER);
	assert_int_equal(see("junk1"), NAME_TABLE_OTHER);
	assert_int_equal(see("real"), 1);
}

/* Each invented name, though it proves itself, takes the place of another one. */
static void test_invented_names_push_out_each_other(void **state)
{
	for (int i = 0; i < 3; i++)
		ask("real", NAME_PROVEN);
	fill("junk", 10 * NAME_TABLE_MOST, NAME_PROVEN);
	assert_int_equal(name_table_find(&table, "real"), 0);
	assert_int_not_equal(name_table_find(&table, "junk639"), NAME_TABLE_OTHER);
	assert_int_equal(name_table_find(&table, "junk62"), NAME_TABLE_OTHER);
}

static void test_kept_names_have_places_of_their_own(void **state)
{
	fill("junk", NAME_TABLE_MOST, NAME_PROVEN);
	expect_replaced("configured", NAME_KEPT, 0);
	fill("more", 2 * NAME_TABLE_MOST, NAME_PROVEN);
	assert_int_equal(name_table_find(&table, "configured"), 0);
	name_table_release(&table);
	fill("again", NAME_TABLE_MOST, NAME_PROVEN);
	assert_int_equal(name_table_find(&table, "configured"), NAME_TABLE_OTHER);
}

static void test_not_all_places_are_kept(void **state)
{
	fill("kept", 2 * NAME_TABLE_MOST, NAME_KEPT);
	assert_int_equal(table.kept, NAME_TABLE_KEPT_MOST);
	assert_int_equal(name_table_find(&table, "kept47"), NAME_TABLE_KEPT_MOST - 1);
	assert_int_not_equal(ask("real", NAME_PROVEN), NAME_TABLE_OTHER);
	assert_int_equal(ask("other", NAME_KEPT), NAME_TABLE_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_names_keep_their_index, set_up),
		cmocka_unit_test_setup(test_names_beyond_the_bound_are_others, set_up),
		cmocka_unit_test_setup(
			test_a_proven_name_takes_the_place_of_one_that_is_not, set_up),
		cmocka_unit_test_setup(test_invented_names_push_out_each_other, set_up),
		cmocka_unit_test_setup(test_kept_names_have_places_of_their_own, set_up),
		cmocka_unit_test_setup(test_not_all_places_are_kept, set_up),
		cmocka_unit_test_setup(test_no_two_names_are_shown_alike, set_up),
		cmocka_unit_test_setup(test_no_character_is_cut, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
