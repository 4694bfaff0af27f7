#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

struct thing {
	int number;
	struct list node;
};

static void test_new_list_is_empty(void **state)
{
	struct list head;

	list_init(&head);
	assert_true(list_is_empty(&head));
	assert_null(LIST_FIRST(&head, struct thing, node));
}

static void test_append_keeps_the_order(void **state)
{
	struct thing things[] = {{.number = 1}, {.number = 2}, {.number = 3}};
	struct list head, *node;
	int expected = 1;

	list_init(&head);
	for (int i = 0; i < 3; i++)
		list_append(&head, &things[i].node);
	assert_ptr_equal(LIST_FIRST(&head, struct thing, node), &things[0]);
	LIST_EACH(&head, node)
	assert_int_equal(CONTAINER_OF(node, struct thing, node)->number, expected++);
	assert_int_equal(expected, 4);
}

static void test_removing_twice_is_harmless(void **state)
{
	struct thing things[] = {{.number = 1}, {.number = 2}};
	struct list head;

	list_init(&head);
	list_append(&head, &things[0].node);
	list_append(&head, &things[1].node);
	list_remove(&things[0].node);
	list_remove(&things[0].node);
	assert_ptr_equal(LIST_FIRST(&head, struct thing, node), &things[1]);
	list_remove(&things[1].node);
	assert_true(list_is_empty(&head));
}

static void test_safe_loop_allows_removal(void **state)
{
	struct thing things[] = {{.number = 1}, {.number = 2}, {.number = 3}};
	struct list head, *node, *following;
	int seen = 0;

	list_init(&head);
	for (int i = 0; i < 3; i++)
		list_append(&head, &things[i].node);
	LIST_EACH_SAFE(&head, node, following)
	{
		list_remove(node);
		seen++;
	}
	assert_int_equal(seen, 3);
	assert_true(list_is_empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_list_is_empty),
		cmocka_unit_test(test_append_keeps_the_order),
		cmocka_unit_test(test_removing_twice_is_harmless),
		cmocka_unit_test(test_safe_loop_allows_removal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
