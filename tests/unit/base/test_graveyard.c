#include "base/graveyard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/compiler.h"

enum { MANY = 10000 };

static int order[MANY];
static int destroyed;
static struct graveyard *yard;

static int setup(void **state)
{
	destroyed = 0;
	yard = graveyard_create();
	return 0;
}

static void note(void *object)
{
	order[destroyed++] = *(int *)object;
}

static void note_and_add(void *object)
{
	int *number = object;

	note(number);
	if (--*number > 0)
		graveyard_add(yard, number, note_and_add);
}

static void note_and_run(void *object)
{
	note(object);
	graveyard_run(yard);
}

static void test_nothing_is_destroyed_before_the_run(void **state)
{
	int one = 1;

	assert_true(graveyard_is_empty(yard));
	graveyard_add(yard, &one, note);
	assert_false(graveyard_is_empty(yard));
	assert_int_equal(destroyed, 0);
	graveyard_run(yard);
	assert_int_equal(destroyed, 1);
	assert_true(graveyard_is_empty(yard));
	graveyard_run(yard);
	assert_int_equal(destroyed, 1);
	graveyard_destroy(yard);
}

static void test_objects_die_in_the_order_added(void **state)
{
	int numbers[] = {3, 1, 2};

	for (unsigned i = 0; i < ARRAY_LENGTH(numbers); i++)
		graveyard_add(yard, &numbers[i], note);
	graveyard_run(yard);
	assert_memory_equal(order, numbers, sizeof(numbers));
	graveyard_destroy(yard);
}

static void test_what_a_destroy_function_adds_dies_in_the_same_run(void **state)
{
	int left = 1000; /* more than the first array holds: it moves during the run */

	graveyard_add(yard, &left, note_and_add);
	for (int i = 0; i < 63; i++) {
		static int other = -1;

		graveyard_add(yard, &other, note);
	}
	graveyard_run(yard);
	assert_int_equal(destroyed, 1000 + 63);
	assert_int_equal(left, 0);
	graveyard_destroy(yard);
}

static void test_run_inside_a_run_destroys_nothing_twice(void **state)
{
	int numbers[] = {1, 2, 3};

	for (unsigned i = 0; i < ARRAY_LENGTH(numbers); i++)
		graveyard_add(yard, &numbers[i], note_and_run);
	graveyard_run(yard);
	assert_int_equal(destroyed, 3);
	graveyard_destroy(yard);
}

static void test_a_burst_leaves_it_usable(void **state)
{
	static int number = 7;

	for (int i = 0; i < MANY; i++)
		graveyard_add(yard, &number, note);
	graveyard_run(yard);
	assert_int_equal(destroyed, MANY);
	destroyed = 0;
	for (int i = 0; i < MANY; i++)
		graveyard_add(yard, &number, note);
	graveyard_run(yard);
	assert_int_equal(destroyed, MANY);
	graveyard_destroy(yard);
}

static void test_destroying_the_graveyard_runs_what_is_left(void **state)
{
	void *memory = malloc(10);

	graveyard_add(yard, memory, free);
	graveyard_destroy(yard); /* the leak checkers see it if not */
	graveyard_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nothing_is_destroyed_before_the_run, setup),
		cmocka_unit_test_setup(test_objects_die_in_the_order_added, setup),
		cmocka_unit_test_setup(
			test_what_a_destroy_function_adds_dies_in_the_same_run, setup),
		cmocka_unit_test_setup(test_run_inside_a_run_destroys_nothing_twice, setup),
		cmocka_unit_test_setup(test_a_burst_leaves_it_usable, setup),
		cmocka_unit_test_setup(test_destroying_the_graveyard_runs_what_is_left, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
