/* What the turn is doing and why a job waits, in words (PRODUCT 6.2, 6.6). */
#include "turns_fixture.h"

static struct scheduler_report report(void)
{
	struct scheduler_view seen = view();
	struct scheduler_report told;

	scheduler_report(scheduler, &seen, &told);
	return told;
}

static void expect_report(enum turn_state state, const char *runner, const char *next_key)
{
	struct scheduler_report told = report();

	assert_true(told.has_turns);
	assert_int_equal(told.state, state);
	if (runner)
		assert_string_equal(told.runner, runner);
	else
		assert_null(told.runner);
	if (next_key)
		assert_string_equal(told.next, next_key);
	else
		assert_null(told.next);
}

static int64_t place(const struct job *job)
{
	struct scheduler_view seen = view();
	char reason[SCHEDULER_REASON_BYTES];

	scheduler_rank(scheduler, &seen);
	return scheduler_explain(scheduler, &seen, job, reason);
}

static void test_states_have_names(void **state)
{
	assert_string_equal(turn_state_name(TURN_SERVING), "serving");
	assert_string_equal(turn_state_name(TURN_HOLDING), "holding");
	assert_string_equal(turn_state_name(TURN_LOADING), "loading");
}

static void test_a_load_is_told_to_those_who_wait_for_it_and_to_others(void **state)
{
	struct scheduler_view seen;

	tell(NULL, NULL);
	add("a");
	seen = view();
	assert_int_equal(scheduler_next(scheduler, &seen).verdict, SCHEDULER_LOOK);
	explain(&jobs[0], "Ollama is asked about a:latest");
	scheduler_looked(scheduler, RUNNER_GENERATES, now_us);
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	add("b");
	next();
	explain(&jobs[0], "a:latest is being loaded");
	explain(&jobs[1], "a:latest is being loaded; b:latest next");
	expect_report(TURN_LOADING, "a:latest", "b:latest");
	assert_int_equal(place(&jobs[0]), 1);
	assert_int_equal(place(&jobs[1]), 2);
	scheduler_load_failed(scheduler, false, now_us);
	leave(&jobs[1]);
	explain(&jobs[0], "a:latest is loaded next");
	expect_report(TURN_SERVING, NULL, "a:latest");
}

static void test_places_follow_what_is_served_and_what_is_next(void **state)
{
	settings.max_concurrent = 1;
	tell("a", NULL);
	add("few");
	for (int i = 0; i < 3; i++)
		add("many");
	add("a");
	add("a");
	next();
	expect_report(TURN_SERVING, "a:latest", "many:latest");
	assert_int_equal(report().left, 2);
	assert_int_equal(place(&jobs[4]), 1);
	assert_int_equal(place(&jobs[5]), 2);
	assert_int_equal(place(&jobs[1]), 3);
	assert_int_equal(place(&jobs[3]), 5);
	assert_int_equal(place(&jobs[0]), 6);
	explain(&jobs[0], "a:latest is being served, 2 left; many:latest next");
}

/* The rule's index would take the many first; those that are overdue go before them. */
static void test_places_follow_who_is_overdue(void **state)
{
	settings.max_concurrent = 1;
	tell(NULL, NULL);
	add("a");
	load("a:latest");
	send_next(&jobs[0]);
	now_us += S / 10; /* so jobs are known to be short, and loads to be dear */
	finish(&jobs[0]);
	add("a");
	add("first");
	now_us += S;
	add("second");
	now_us += 6 * S;
	for (int i = 0; i < 6; i++)
		add("many");
	now_us += 40 * S;
	next();
	expect_report(TURN_LOADING, "first:latest", "second:latest");
	assert_int_equal(place(&jobs[1]), 1);
	assert_int_equal(place(&jobs[2]), 2);
	assert_int_equal(place(&jobs[3]), 3);
	assert_int_equal(place(&jobs[4]), 4);
	assert_int_equal(place(&jobs[9]), 9);
}

/* Two projects go on by turns, though one has sent all of its jobs first. */
static void test_places_follow_the_shares(void **state)
{
	settings.max_concurrent = 1;
	tell("a", NULL);
	for (int i = 0; i < 3; i++)
		add_with("a", "p", NULL);
	for (int i = 0; i < 2; i++)
		add_with("a", "q", NULL);
	next();
	assert_int_equal(place(&jobs[0]), 1);
	assert_int_equal(place(&jobs[3]), 2);
	assert_int_equal(place(&jobs[1]), 3);
	assert_int_equal(place(&jobs[4]), 4);
	assert_int_equal(place(&jobs[2]), 5);
}

static void test_one_without_a_runner_is_before_all(void **state)
{
	settings.max_concurrent = 1;
	tell("a", NULL);
	add("a");
	send_next(&jobs[0]);
	add("a");
	add_with(NULL, "p", NULL);
	add_with(NULL, "p", NULL);
	add("b");
	next();
	explain(&jobs[2], "waits for a free slot");
	assert_int_equal(place(&jobs[2]), 1);
	assert_int_equal(place(&jobs[3]), 2);
	assert_int_equal(place(&jobs[1]), 3);
}

static void test_what_gives_way_is_told(void **state)
{
	tell("b", NULL);
	add("a");
	expect_verdict(SCHEDULER_LOAD, "a:latest"); /* evicts b */
	loaded("a", NULL);
	send_next(&jobs[0]);
	for (int i = 0; i < 4; i++)
		add("a");
	add("b");
	send_next(&jobs[1]);
	now_us += 60 * S;
	finish(&jobs[0]);
	expect_nothing();
	explain(&jobs[3], "a:latest gives way to b:latest");
	explain(&jobs[5], "a:latest is being served, 4 left; b:latest next");
	expect_report(TURN_DRAINING, "a:latest", "b:latest");
	finish(&jobs[1]);
	expect_verdict(SCHEDULER_UNLOAD, "a:latest");
	explain(&jobs[3], "a:latest gives way to b:latest");
	expect_report(TURN_UNLOADING, "a:latest", "b:latest");
	unloaded(NULL);
	explain(&jobs[5], "b:latest is loaded next");
	expect_report(TURN_DRAINING, NULL, "b:latest");
}

static void test_a_hold_is_told(void **state)
{
	tell("a", NULL);
	add("b");
	expect_verdict(SCHEDULER_LOAD, "b:latest");
	loaded("b", NULL);
	send_next(&jobs[0]);
	finish(&jobs[0]);
	for (int i = 1; i < 4; i++) {
		now_us += S / 10;
		add("b");
		send_next(&jobs[i]);
		now_us += S;
		finish(&jobs[i]);
	}
	add("a");
	expect_nothing();
	expect_report(TURN_HOLDING, "b:latest", "a:latest");
	explain(&jobs[4], "b:latest is held a moment for a client that comes back; a:latest next");
}

/* Of several that are loaded the one that has most to do is the one that is served. */
static void test_the_busiest_is_told(void **state)
{
	tell("a", "b");
	add("b");
	add("a");
	add("a");
	next();
	expect_report(TURN_SERVING, "a:latest", NULL);
	add("b");
	add("b");
	next();
	expect_report(TURN_SERVING, "b:latest", NULL);
}

static void test_fifo_has_no_turns(void **state)
{
	settings.scheduler = SCHEDULER_FIFO;
	assert_false(report().has_turns);
}

#define REPORT_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REPORT_TEST(test_states_have_names),
		REPORT_TEST(test_a_load_is_told_to_those_who_wait_for_it_and_to_others),
		REPORT_TEST(test_places_follow_what_is_served_and_what_is_next),
		REPORT_TEST(test_places_follow_who_is_overdue),
		REPORT_TEST(test_places_follow_the_shares),
		REPORT_TEST(test_one_without_a_runner_is_before_all),
		REPORT_TEST(test_what_gives_way_is_told),
		REPORT_TEST(test_a_hold_is_told),
		REPORT_TEST(test_the_busiest_is_told),
		REPORT_TEST(test_fifo_has_no_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
