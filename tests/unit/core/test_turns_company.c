/* Another process at the same Ollama, during an upgrade (docs/decisions/0003). */
#include "turns_fixture.h"

static char pinned[] = "p";

static struct scheduler_answer next_beside(enum scheduler_company company, uint64_t others)
{
	struct scheduler_view seen = view();
	struct scheduler_answer answer;

	seen.company = company;
	seen.paused = company == COMPANY_BEFORE;
	seen.in_progress += others;
	seen.others = others;
	answer = scheduler_next(scheduler, &seen);
	if (answer.verdict != SCHEDULER_LOOK)
		return answer;
	scheduler_looked(scheduler, RUNNER_GENERATES, now_us);
	return next_beside(company, others);
}

static void test_beside_it_only_what_is_loaded_is_sent_and_nothing_is_moved(void **state)
{
	struct job *other, *same;
	struct scheduler_answer answer;

	tell("a", NULL);
	other = add("b");
	assert_int_equal(next_beside(COMPANY_BESIDE, 1).verdict, SCHEDULER_NOTHING);
	same = add("a");
	answer = next_beside(COMPANY_BESIDE, 1);
	assert_int_equal(answer.verdict, SCHEDULER_DISPATCH);
	assert_ptr_equal(answer.job, same);
	/* the slots are for both together */
	assert_int_equal(next_beside(COMPANY_BESIDE, P).verdict, SCHEDULER_NOTHING);
	/* however long it waits */
	now_us += 1000 * S;
	other->deadline_us = 0;
	same->deadline_us = now_us;
	assert_int_equal(next_beside(COMPANY_BESIDE, 1).verdict, SCHEDULER_NOTHING);
	assert_int_not_equal(next_beside(COMPANY_NONE, 0).verdict, SCHEDULER_NOTHING);
}

static void test_before_it_nothing_is_sent_and_the_reason_is_told(void **state)
{
	char reason[SCHEDULER_REASON_BYTES];
	struct scheduler_view seen;
	struct job *job;

	tell("a", NULL);
	job = add("a");
	assert_int_equal(next_beside(COMPANY_BEFORE, 0).verdict, SCHEDULER_NOTHING);
	seen = view();
	seen.company = COMPANY_BEFORE;
	seen.paused = true;
	scheduler_rank(scheduler, &seen);
	scheduler_explain(scheduler, &seen, job, reason);
	assert_string_equal(reason, "an upgrade: what came before it is served first");
}

static void test_the_old_one_takes_turns_but_preloads_nothing(void **state)
{
	char *preload[] = {pinned, NULL};

	settings.preload = preload;
	settings.keep_alive = (char *)"";
	scheduler_prepare(scheduler, &settings);
	tell(NULL, NULL);
	assert_int_equal(next_beside(COMPANY_AFTER, 0).verdict, SCHEDULER_NOTHING);
	add("b");
	assert_int_equal(next_beside(COMPANY_AFTER, 0).verdict, SCHEDULER_LOAD);
	settings.preload = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_beside_it_only_what_is_loaded_is_sent_and_nothing_is_moved, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_before_it_nothing_is_sent_and_the_reason_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(
			test_the_old_one_takes_turns_but_preloads_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
