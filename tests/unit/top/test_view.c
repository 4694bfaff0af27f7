#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "top/snapshot.h"
#include "top/view.h"

struct fixture {
	struct snapshot now;
	struct view view;
};

static void set_up(struct fixture *fixture)
{
	*fixture = (struct fixture){0};
	view_init(&fixture->view);
	assert_true(snapshot_read_jobs(&fixture->now, jobs_answer, strlen(jobs_answer)));
	view_settle(&fixture->view, &fixture->now, 2);
}

static void tear_down(struct fixture *fixture)
{
	view_finish(&fixture->view);
	snapshot_finish(&fixture->now);
}

static enum view_action press(struct fixture *fixture, int key)
{
	return view_key(&fixture->view, &fixture->now, key);
}

static void check_order(struct fixture *fixture, int sort, bool is_reversed, const char *expected)
{
	char found[4] = "";
	size_t *order;

	fixture->view.sort = sort;
	fixture->view.is_reversed = is_reversed;
	order = view_order(&fixture->view, &fixture->now);
	for (size_t i = 0; i < fixture->now.jobs_count; i++)
		found[i] = fixture->now.jobs[order[i]].id[0];
	free(order);
	assert_string_equal(found, expected);
}

static void test_columns_sort_and_the_unknown_comes_last(void **state)
{
	struct fixture fixture;

	set_up(&fixture);
	check_order(&fixture, -1, false, "rfs");
	check_order(&fixture, -1, true, "sfr");
	check_order(&fixture, VIEW_AGE, false, "fsr");
	check_order(&fixture, VIEW_AGE, true, "rsf");
	check_order(&fixture, VIEW_PLACE, false, "fsr");
	check_order(&fixture, VIEW_PLACE, true, "sfr");
	check_order(&fixture, VIEW_PROJECT, false, "fsr");
	/* equal ones stay as they are */
	check_order(&fixture, VIEW_MODEL, false, "rfs");
	check_order(&fixture, VIEW_REASON, true, "sfr");
	tear_down(&fixture);
}

static void test_the_selection_moves_and_the_window_follows(void **state)
{
	struct fixture fixture;

	set_up(&fixture);
	press(&fixture, 'j');
	assert_string_equal(fixture.view.selected, "run");
	press(&fixture, VIEW_KEY_DOWN);
	press(&fixture, VIEW_KEY_DOWN);
	press(&fixture, VIEW_KEY_DOWN);
	assert_string_equal(fixture.view.selected, "second");
	assert_int_equal(fixture.view.top, 1);
	press(&fixture, VIEW_KEY_HOME);
	assert_string_equal(fixture.view.selected, "run");
	assert_int_equal(fixture.view.top, 0);
	press(&fixture, VIEW_KEY_ESCAPE);
	assert_null(fixture.view.selected);
	tear_down(&fixture);
}

static void test_a_cancel_is_asked_for_before_it_is_done(void **state)
{
	struct fixture fixture;

	set_up(&fixture);
	assert_int_equal(press(&fixture, 'c'), VIEW_NOTHING);
	assert_int_equal(fixture.view.mode, VIEW_TABLE);
	assert_non_null(fixture.view.message);
	press(&fixture, 'j');
	press(&fixture, 'c');
	assert_int_equal(fixture.view.mode, VIEW_ASKS_CANCEL);
	assert_int_equal(press(&fixture, 'q'), VIEW_NOTHING);
	press(&fixture, 'c');
	assert_int_equal(press(&fixture, 'y'), VIEW_CANCEL);
	tear_down(&fixture);
}

static void test_a_selected_request_that_ends_is_selected_no_more(void **state)
{
	static const char empty[] = "{\"requests\":[]}";
	struct fixture fixture;

	set_up(&fixture);
	press(&fixture, VIEW_KEY_END);
	press(&fixture, 'c');
	assert_true(snapshot_read_jobs(&fixture.now, empty, strlen(empty)));
	view_settle(&fixture.view, &fixture.now, 2);
	assert_null(fixture.view.selected);
	assert_int_equal(fixture.view.mode, VIEW_TABLE);
	assert_int_equal(fixture.view.top, 0);
	/* nothing to move to */
	press(&fixture, VIEW_KEY_DOWN);
	assert_null(fixture.view.selected);
	tear_down(&fixture);
}

static void test_keys_ask_for_what_they_say(void **state)
{
	struct fixture fixture;

	set_up(&fixture);
	assert_int_equal(press(&fixture, 'p'), VIEW_PAUSE);
	assert_int_equal(press(&fixture, 'P'), VIEW_PAUSE_UNLOAD);
	assert_int_equal(press(&fixture, 'r'), VIEW_RESUME);
	assert_int_equal(press(&fixture, ' '), VIEW_REFRESH);
	press(&fixture, '?');
	assert_int_equal(fixture.view.mode, VIEW_HELP);
	assert_int_equal(press(&fixture, 'q'), VIEW_NOTHING);
	assert_int_equal(press(&fixture, 'q'), VIEW_QUIT);
	tear_down(&fixture);
}

static void test_sort_keys_go_round(void **state)
{
	struct fixture fixture;

	set_up(&fixture);
	press(&fixture, '>');
	assert_int_equal(fixture.view.sort, VIEW_ID);
	press(&fixture, '<');
	press(&fixture, '<');
	assert_int_equal(fixture.view.sort, VIEW_REASON);
	press(&fixture, 'R');
	assert_true(fixture.view.is_reversed);
	press(&fixture, 'o');
	assert_int_equal(fixture.view.sort, -1);
	assert_false(fixture.view.is_reversed);
	tear_down(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_columns_sort_and_the_unknown_comes_last),
		cmocka_unit_test(test_the_selection_moves_and_the_window_follows),
		cmocka_unit_test(test_a_cancel_is_asked_for_before_it_is_done),
		cmocka_unit_test(test_a_selected_request_that_ends_is_selected_no_more),
		cmocka_unit_test(test_keys_ask_for_what_they_say),
		cmocka_unit_test(test_sort_keys_go_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
