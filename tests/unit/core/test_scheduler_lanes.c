/* How many of each runner the scheduler lets run (PRODUCT 3.1, 3.7), with fake time. */
#include "scheduler_fixture.h"

enum { P = 3, LIMIT = 8, LEARNT = 40, BATCH = 64 };

static int setup_with(enum scheduler_kind rule, enum concurrency_kind concurrency)
{
	begin((struct settings){.max_concurrent = P,
		.max_concurrent_limit = LIMIT,
		.max_turn_wait_ms = 45000,
		.scheduler = rule,
		.concurrency = concurrency});
	tell("a", "b");
	return 0;
}

static int setup_fifo(void **state)
{
	return setup_with(SCHEDULER_FIFO, CONCURRENCY_ADAPTIVE);
}

static int setup_fixed(void **state)
{
	return setup_with(SCHEDULER_TURNS, CONCURRENCY_FIXED);
}

static int setup_turns(void **state)
{
	return setup_with(SCHEDULER_TURNS, CONCURRENCY_ADAPTIVE);
}

/* Sends what may go; how many that were. */
static int send_all(void)
{
	int sent = 0;

	for (;;) {
		struct scheduler_answer answer = next();

		if (answer.verdict != SCHEDULER_DISPATCH)
			return sent;
		answer.job->record.dispatched_us = now_us;
		scheduler_sent(scheduler, answer.job);
		job_set_state(answer.job, JOB_CONNECTING);
		job_set_state(answer.job, JOB_AWAITING);
		sent++;
	}
}

static void finish(struct job *job, int64_t wait_us)
{
	int64_t held_us = now_us - job->record.dispatched_us;
	const struct lane_answer answer = {.now_us = now_us,
		.was_loaded = true,
		.wait_ns = wait_us * 1000,
		.prompt_tokens = -1,
		.tokens = 10};

	ring_remove(ring, job);
	job_set_state(job, JOB_STREAMING);
	scheduler_answered(scheduler, job, &answer);
	scheduler_slot_freed(scheduler, job, held_us);
	scheduler_released(scheduler, job, held_us, now_us);
	job_set_state(job, JOB_FLUSHING);
}

/* The client leaves before a byte came. */
static void leave(struct job *job)
{
	scheduler_left(scheduler, job, now_us);
	scheduler_released(scheduler, job, now_us - job->record.dispatched_us, now_us);
	ring_remove(ring, job);
	job->record.outcome = OUTCOME_CLIENT_GONE;
	job_set_state(job, JOB_DONE);
}

/* Ollama serves one of the model at a time, a second each, until that is found. */
static void learn_one(const char *model)
{
	for (int i = 0; i < LEARNT; i++)
		add(model);
	for (int i = job_count - LEARNT; i < job_count; i++) {
		send_all();
		now_us += S;
		finish(&jobs[i], now_us - jobs[i].record.dispatched_us - S);
	}
}

static uint64_t running(const struct job *job)
{
	return job->runner->jobs.running;
}

static void test_each_runner_has_its_own_limit(void **state)
{
	struct job *a;
	struct job *b;

	learn_one("a");
	for (int i = 0; i < LIMIT; i++) {
		a = add("a");
		b = add("b");
	}
	assert_int_equal(send_all(), 1 + P);
	assert_int_equal(running(a), 1);
	assert_int_equal(running(b), P);
	assert_int_equal(scheduler_slots(scheduler, &settings), 1 + P);
	assert_int_equal(scheduler_free_slots(scheduler, &settings, tally.in_progress), 0);
}

static void test_all_together_are_at_most_max_concurrent_limit(void **state)
{
	settings.max_concurrent_limit = P + 1;
	for (int i = 0; i < LIMIT; i++) {
		add("a");
		add("b");
	}
	assert_int_equal(send_all(), P + 1);
	assert_int_equal(scheduler_slots(scheduler, &settings), P + 1);
}

static void test_fixed_is_max_concurrent_for_all(void **state)
{
	for (int i = 0; i < LIMIT; i++) {
		add("a");
		add("b");
	}
	assert_int_equal(send_all(), P);
	assert_int_equal(scheduler_slots(scheduler, &settings), P);
}

static void test_fifo_has_one_limit_for_all(void **state)
{
	struct scheduler_report report;
	struct scheduler_view seen;

	learn_one("a");
	for (int i = 0; i < LIMIT; i++)
		add("b");
	assert_int_equal(send_all(), 1);
	assert_int_equal(scheduler_slots(scheduler, &settings), 1);
	seen = view();
	scheduler_report(scheduler, &seen, &report);
	assert_int_equal(report.lane.limit, 1);
	assert_non_null(strstr(report.lane.reason, "one is served at a time"));
}

static void expect_one_place_less_for(int64_t span_us)
{
	struct scheduler_answer answer = next();

	assert_int_equal(answer.verdict, SCHEDULER_NOTHING);
	assert_int_equal(answer.look_again_us, now_us + span_us);
	now_us += span_us - 1;
	assert_int_equal(send_all(), 0);
	now_us++;
	assert_int_equal(send_all(), 1);
}

/* The slot is free at once, the place in Ollama when the batch of the prompt is over. */
static void test_a_client_that_left_in_prefill_keeps_a_place_busy(void **state)
{
	settings.max_concurrent = settings.max_concurrent_limit = 1;
	for (int i = 0; i < P; i++)
		add("a");
	assert_int_equal(send_all(), 1);
	leave(&jobs[0]);
	assert_int_equal(tally.in_progress, 0);
	expect_one_place_less_for(INT64_C(512) * 2 * S / 1000);
}

/* Its own size of a batch, at the speed that answers told. */
static void test_the_batch_is_as_long_as_was_measured(void **state)
{
	struct peek_result seen = {
		.has_option = {[PEEK_NUM_BATCH] = true}, .option = {[PEEK_NUM_BATCH] = BATCH}};
	const struct lane_answer answer = {.now_us = now_us,
		.wait_ns = -1,
		.prompt_tokens = 1000,
		.prompt_ns = 3000 * S, /* 3 ms a token */
		.tokens = -1};

	settings.max_concurrent = settings.max_concurrent_limit = 1;
	residency_forget(residency);
	residency_begin(residency);
	residency_end(residency, now_us);
	for (int i = 0; i < P; i++)
		add_with("c", "p", &seen);
	assert_int_equal(next().verdict, SCHEDULER_LOAD);
	now_us += S;
	residency_begin(residency);
	residency_add(residency, "c", 1, 1, 4096);
	residency_end(residency, now_us);
	scheduler_loaded(scheduler, S, now_us, now_us);
	assert_int_equal(send_all(), 1);
	scheduler_answered(scheduler, &jobs[0], &answer);
	leave(&jobs[0]);
	expect_one_place_less_for(INT64_C(3) * BATCH * S / 1000);
}

static const char *reason(void)
{
	struct scheduler_report report;
	struct scheduler_view seen = view();

	scheduler_report(scheduler, &seen, &report);
	return report.lane.reason;
}

/* What is loaded is not known any more: Ollama was restarted, perhaps with other places. */
static void test_a_restart_of_ollama_begins_the_search_again(void **state)
{
	learn_one("a");
	add("a");
	send_all();
	assert_non_null(strstr(reason(), "one is served at a time"));
	residency_forget(residency);
	next();
	residency_begin(residency);
	residency_add(residency, "a", 1, 1, 4096);
	residency_end(residency, now_us);
	next();
	assert_non_null(strstr(reason(), "measured again"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_each_runner_has_its_own_limit, setup_turns, teardown),
		cmocka_unit_test_setup_teardown(
			test_all_together_are_at_most_max_concurrent_limit, setup_turns, teardown),
		cmocka_unit_test_setup_teardown(
			test_fixed_is_max_concurrent_for_all, setup_fixed, teardown),
		cmocka_unit_test_setup_teardown(
			test_fifo_has_one_limit_for_all, setup_fifo, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_client_that_left_in_prefill_keeps_a_place_busy, setup_fixed,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_a_client_that_left_in_prefill_keeps_a_place_busy, setup_turns,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_a_client_that_left_in_prefill_keeps_a_place_busy, setup_fifo,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_the_batch_is_as_long_as_was_measured, setup_turns, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_restart_of_ollama_begins_the_search_again, setup_turns, teardown),
		cmocka_unit_test_setup_teardown(
			test_a_restart_of_ollama_begins_the_search_again, setup_fifo, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
