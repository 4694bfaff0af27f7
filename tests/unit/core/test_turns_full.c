/* Where all that wait do so for a runner that is full, a decision looks at no job: the looks at all
 * who wait are counted by wrapping turns_survey(). */
#include "turns_fixture.h"

#include "core/turns/turns_parts.h"

static size_t surveys;

void __real_turns_survey(struct turns *turns, const struct scheduler_view *view);
void __wrap_turns_survey(struct turns *turns, const struct scheduler_view *view);

void __wrap_turns_survey(struct turns *turns, const struct scheduler_view *view)
{
	surveys++;
	__real_turns_survey(turns, view);
}

/* As many as may run on "a", and so many more that wait for it. */
static void fill(int waiting)
{
	tell("a", NULL);
	for (int i = 0; i < P + waiting; i++)
		add("a");
	for (int i = 0; i < P; i++)
		send_next(&jobs[i]);
}

static void test_one_look_serves_a_slot_that_falls_free(void **state)
{
	fill(3);
	finish(&jobs[0]);
	surveys = 0;
	send_next(&jobs[P]);
	assert_int_equal(surveys, 1);
	expect_nothing();
	add("a");
	expect_nothing();
	assert_int_equal(surveys, 1);
}

static void test_one_for_another_model_is_seen(void **state)
{
	fill(1);
	add("b");
	surveys = 0;
	expect_nothing();
	assert_int_not_equal(surveys, 0);
	leave(&jobs[P]);
	leave(&jobs[P + 1]);
	add("b");
	for (int i = 0; i < P; i++)
		finish(&jobs[i]);
	expect_verdict(SCHEDULER_LOAD, "b:latest");
}

static void test_one_without_a_model_is_seen(void **state)
{
	struct job *nameless;

	fill(1);
	settings.max_concurrent = P + 1;
	scheduler_left(scheduler, &jobs[0], now_us);
	nameless = add(NULL);
	surveys = 0;
	send_next(nameless);
	expect_nothing();
	assert_int_equal(surveys, 1);
}

static void test_a_place_that_falls_free_by_itself_is_told(void **state)
{
	struct scheduler_view seen;
	int64_t look_again_us;

	fill(1);
	jobs[0].record.request_bytes = 100;
	scheduler_left(scheduler, &jobs[0], now_us);
	finish(&jobs[0]);
	surveys = 0;
	seen = view();
	look_again_us = scheduler_next(scheduler, &seen).look_again_us;
	assert_int_equal(surveys, 0);
	assert_true(look_again_us > now_us);
	now_us = look_again_us;
	send_next(&jobs[P]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_one_look_serves_a_slot_that_falls_free, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_one_for_another_model_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_without_a_model_is_seen, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_place_that_falls_free_by_itself_is_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
