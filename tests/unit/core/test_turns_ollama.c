/* Turns beside an Ollama that others use too: what is listed, evicted, late, unknown or full. */
#include "turns_fixture.h"

#include "core/fits.h"

/* /api/ps is asked at `asked_us`, answers now: this is loaded. */
static void tell_late(const char *model, int64_t asked_us)
{
	residency_begin(residency);
	if (model)
		residency_add(residency, model, 1, 1, 4096);
	residency_asked(residency, asked_us);
	residency_end(residency, now_us);
}

static struct peek_result with_ctx(int64_t num_ctx)
{
	return (struct peek_result){
		.has_option = {[PEEK_NUM_CTX] = true}, .option = {[PEEK_NUM_CTX] = num_ctx}};
}

static void test_destroying_nothing_is_fine(void **state)
{
	scheduler_destroy(NULL);
}

static void test_an_embedding_model_has_turns_too(void **state)
{
	struct scheduler_view seen;

	tell(NULL, NULL);
	add("embed");
	seen = view();
	assert_int_equal(scheduler_next(scheduler, &seen).verdict, SCHEDULER_LOOK);
	scheduler_looked(scheduler, RUNNER_EMBEDS, now_us);
	load("embed:latest");
	send_next(&jobs[0]);
}

/* One that could not be asked about is asked again; meanwhile its jobs wait. */
static void test_a_model_that_could_not_be_asked_about_is_asked_again(void **state)
{
	struct scheduler_view seen;

	tell(NULL, NULL);
	add("a");
	seen = view();
	assert_int_equal(scheduler_next(scheduler, &seen).verdict, SCHEDULER_LOOK);
	assert_int_equal(scheduler_next(scheduler, &seen).verdict, SCHEDULER_NOTHING);
	scheduler_looked(scheduler, RUNNER_UNKNOWN, now_us);
	assert_int_equal(scheduler_next(scheduler, &seen).verdict, SCHEDULER_LOOK);
}

static void test_a_name_that_was_not_there_is_looked_for_again_later(void **state)
{
	struct scheduler_view seen;

	tell(NULL, NULL);
	add("a");
	seen = view();
	assert_int_equal(scheduler_next(scheduler, &seen).verdict, SCHEDULER_LOOK);
	scheduler_looked(scheduler, RUNNER_NOT_LOCAL, now_us);
	assert_true(scheduler_runs_elsewhere(&jobs[0]));
	send_next(&jobs[0]);
	now_us += 4 * S;
	add("a");
	send_next(&jobs[1]);
	finish(&jobs[0]);
	now_us += S;
	add("a");
	seen = view();
	assert_int_equal(scheduler_next(scheduler, &seen).verdict, SCHEDULER_LOOK);
	assert_false(scheduler_runs_elsewhere(&jobs[2]));
}

/* /v1 has no runner options: what stands there under their name is not Ollama's. */
static void test_options_count_on_the_native_api_only(void **state)
{
	struct peek_result seen = with_ctx(8192);
	struct job *job = &jobs[job_count++];

	job_init(job, &tally);
	job->record.family = API_OPENAI;
	job->record.model = mem_strdup("a");
	scheduler_enter(scheduler, &settings, job, &seen, now_us);
	assert_string_equal(job->runner->key, "a:latest");
}

static void test_what_others_loaded_is_served_at_once(void **state)
{
	struct peek_result small = with_ctx(4096), large = with_ctx(8192);

	tell(NULL, NULL);
	add_with("a", "p", &large);
	add_with("a", "p", &small);
	tell("a", NULL); /* with 4,096 */
	send_next(&jobs[1]);
	assert_false(jobs[0].runner->is_resident);
}

static void test_the_key_that_answers_is_the_one_that_is_loaded(void **state)
{
	struct peek_result small = with_ctx(4096);

	add_with("a", "p", &small);
	add("a");
	expect_nothing();
	now_us += 2 * S; /* nothing is known: in order of arrival */
	send_next(&jobs[0]);
	tell("a", NULL);
	expect_nothing();
	assert_true(jobs[0].runner->is_resident);
	assert_false(jobs[1].runner->is_resident);
}

/* What /api/ps shows of a load of ours without num_ctx is what everybody has who asks for none. */
static void test_asking_for_the_default_context_swaps_nothing(void **state)
{
	struct peek_result same = with_ctx(4096), other = with_ctx(8192);

	tell(NULL, NULL);
	add("a");
	load("a:latest"); /* with 4,096 */
	send_next(&jobs[0]);
	add_with("a", "p", &same);
	add_with("a", "p", &other);
	assert_ptr_equal(jobs[1].runner, jobs[0].runner);
	assert_ptr_not_equal(jobs[2].runner, jobs[0].runner);
	send_next(&jobs[1]);
}

/* Our load is over when the loader says so. */
static void test_a_list_does_not_end_a_load(void **state)
{
	tell(NULL, NULL);
	add("a");
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	now_us += S;
	tell("a", NULL);
	expect_nothing();
	loaded("a", NULL);
	send_next(&jobs[0]);
}

static void test_a_list_from_before_a_load_says_nothing_of_it(void **state)
{
	int64_t asked_us;

	tell(NULL, NULL);
	add("a");
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	asked_us = now_us;
	now_us += LOAD_US;
	tell_late(NULL, asked_us);
	scheduler_loaded(scheduler, LOAD_US, now_us, now_us);
	send_next(&jobs[0]);
	finish(&jobs[0]);
	now_us += S;
	tell_late(NULL, asked_us + S);
	add("a");
	send_next(&jobs[1]); /* it is still thought to be there */
	finish(&jobs[1]);
	tell(NULL, NULL);
	add("a");
	expect_verdict(SCHEDULER_LOAD, "a:latest");
}

static void test_a_list_from_before_an_unload_brings_nothing_back(void **state)
{
	int64_t asked_us;

	tell("b", NULL);
	add("a");
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	loaded("a", NULL);
	send_next(&jobs[0]);
	finish(&jobs[0]);
	add("b");
	expect_verdict(SCHEDULER_UNLOAD, "a:latest");
	asked_us = now_us;
	now_us += S;
	unloaded(NULL);
	tell_late("a", asked_us);
	expect_verdict(SCHEDULER_LOAD, "b:latest");
	assert_false(jobs[0].runner->is_resident);
}

/* The time-out of a keep_alive, or somebody's ollama stop. */
static void test_what_vanished_is_loaded_again(void **state)
{
	tell("a", NULL);
	add("a");
	send_next(&jobs[0]);
	tell(NULL, NULL);
	add("a");
	send_next(&jobs[1]); /* one that answers is there */
	finish(&jobs[0]);
	finish(&jobs[1]);
	now_us += S;
	tell(NULL, NULL);
	add("a");
	expect_verdict(SCHEDULER_LOAD, "a:latest");
}

static void load_unseen(const char *key)
{
	expect_verdict(SCHEDULER_LOAD, key);
	now_us += LOAD_US;
	tell(NULL, NULL);
	scheduler_loaded(scheduler, LOAD_US, now_us, now_us);
}

/* OLLAMA_KEEP_ALIVE=0, or an upstream that does not list everything: each load is answered well,
 * and none is ever seen. Its jobs are sent all the same, others have their turn. */
static void test_one_that_is_never_listed_is_believed_after_two_loads(void **state)
{
	tell(NULL, NULL);
	add("a");
	add("a");
	load_unseen("a:latest");
	load_unseen("a:latest");
	send_next(&jobs[0]);
	tell(NULL, NULL);
	finish(&jobs[0]);
	now_us += S;
	tell(NULL, NULL);
	send_next(&jobs[1]);
	finish(&jobs[1]);
	now_us += S;
	tell(NULL, NULL);
	expect_nothing();
	assert_false(jobs[1].runner->is_resident);
	add("a");
	load_unseen("a:latest");
	send_next(&jobs[2]);
}

/* One load that others undid does not make it believed, nor does one before it was seen again. */
static void test_one_that_was_seen_is_loaded_again_when_it_vanished(void **state)
{
	tell(NULL, NULL);
	add("a");
	load_unseen("a:latest");
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	loaded("a", NULL);
	send_next(&jobs[0]);
	finish(&jobs[0]);
	add("a");
	now_us += S;
	tell(NULL, NULL);
	load_unseen("a:latest");
	expect_verdict(SCHEDULER_LOAD, "a:latest");
}

static void test_nothing_is_known_while_an_unload_is_under_way(void **state)
{
	tell("b", NULL);
	add("a");
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	loaded("a", NULL);
	send_next(&jobs[0]);
	finish(&jobs[0]);
	add("b");
	expect_verdict(SCHEDULER_UNLOAD, "a:latest");
	residency_forget(residency);
	now_us += 10 * S;
	expect_nothing(); /* not in order of arrival either: it would meet the unload */
	scheduler_unloaded(scheduler, now_us);
	tell(NULL, NULL);
	expect_verdict(SCHEDULER_LOAD, "b:latest");
}

/* The set is judged by a list that was asked for after the load. */
static void test_a_late_list_is_no_verdict_on_what_fits(void **state)
{
	int64_t asked_us;

	tell("a", NULL);
	add("b");
	expect_verdict(SCHEDULER_LOAD, "b:latest");
	asked_us = now_us;
	now_us += LOAD_US;
	tell_late("a", asked_us);
	scheduler_loaded(scheduler, LOAD_US, now_us, now_us);
	send_next(&jobs[0]);
	finish(&jobs[0]);
	now_us += S;
	tell("a", "b"); /* now it is seen that both fit */
	expect_nothing();
	now_us += S;
	tell("a", NULL);
	add("a");
	send_next(&jobs[1]);
	add("b");
	expect_verdict(SCHEDULER_LOAD, "b:latest");
}

/* "b" is loaded beside "a", which is not listed any more when that is done. */
static void load_beside_one_that_goes(void)
{
	add("b");
	expect_verdict(SCHEDULER_LOAD, "b:latest");
	loaded("b", NULL);
	send_next(&jobs[job_count - 1]);
	finish(&jobs[job_count - 1]);
	now_us += S;
	tell("b", NULL);
	add("a");
}

/* /api/ps: "a" alone, until then. */
static void tell_expiry(int64_t expires_us)
{
	residency_begin(residency);
	residency_add(residency, "a", 1, 1, 4096);
	residency_add_expiry_us(residency, expires_us);
	residency_end(residency, now_us);
}

static void test_one_that_expired_during_a_load_was_not_evicted(void **state)
{
	tell_expiry(now_us + LOAD_US / 2);
	load_beside_one_that_goes();
	expect_verdict(SCHEDULER_LOAD, "a:latest"); /* a trial again */
}

static void test_one_that_had_not_expired_was_evicted(void **state)
{
	tell_expiry(now_us + LOAD_US + 1);
	load_beside_one_that_goes();
	expect_verdict(SCHEDULER_UNLOAD, "b:latest");
}

static void test_one_that_a_client_unloads_during_a_load_was_not_evicted(void **state)
{
	tell_expiry(0);
	add("b");
	expect_verdict(SCHEDULER_LOAD, "b:latest");
	residency_note_unloaded(residency, "a");
	expect_nothing();
	loaded("b", NULL);
	send_next(&jobs[0]);
	finish(&jobs[0]);
	now_us += S;
	add("a");
	expect_verdict(SCHEDULER_LOAD, "a:latest");
}

/* Others may have used the memory. */
static void test_what_did_not_fit_is_tried_again_later(void **state)
{
	tell("a", NULL);
	load_beside_one_that_goes();
	expect_verdict(SCHEDULER_UNLOAD, "b:latest");
	unloaded(NULL);
	load("a:latest");
	send_next(&jobs[1]);
	finish(&jobs[1]);
	now_us += FITS_AGAIN_US;
	tell("a", NULL);
	add("b");
	expect_verdict(SCHEDULER_LOAD, "b:latest");
}

/* Somebody else loaded the other one: both are there. */
static void test_what_did_not_fit_fits_when_it_is_seen_together(void **state)
{
	tell("a", NULL);
	load_beside_one_that_goes();
	expect_verdict(SCHEDULER_UNLOAD, "b:latest");
	unloaded(NULL);
	load("a:latest");
	send_next(&jobs[1]);
	finish(&jobs[1]);
	now_us += S;
	tell("a", "b");
	expect_nothing();
	now_us += S;
	tell("a", NULL);
	add("b");
	expect_verdict(SCHEDULER_LOAD, "b:latest");
}

/* Another key of a model that is busy waits for its turn like any. */
static void test_a_sibling_waits_until_the_floor(void **state)
{
	struct peek_result seen = with_ctx(8192);

	tell("a", NULL);
	for (int i = 0; i < 4; i++)
		add("a");
	send_next(&jobs[0]);
	send_next(&jobs[1]);
	add_with("a", "p", &seen);
	now_us += S;
	finish(&jobs[0]);
	send_next(&jobs[2]);
	finish(&jobs[1]);
	send_next(&jobs[3]);
	finish(&jobs[2]);
	expect_nothing();
	finish(&jobs[3]);
	expect_verdict(SCHEDULER_UNLOAD, "a:latest");
}

/* More than a set can hold: one must go, whatever fits. */
static void test_beyond_the_largest_set_one_goes(void **state)
{
	residency_begin(residency);
	for (int i = 0; i < FITS_RUNNERS_MOST + 1; i++) {
		char name[16];

		snprintf(name, sizeof(name), "m%d", i);
		residency_add(residency, name, 1, 1, 4096);
	}
	residency_end(residency, now_us);
	add("m0");
	send_next(&jobs[0]);
	add("new");
	assert_int_equal(next().verdict, SCHEDULER_UNLOAD);
	assert_true(jobs[0].runner->is_resident); /* an idle one goes */
}

/* One that is busy and has no more work is drained before one that has. */
static void test_a_dry_one_gives_way_before_one_with_work(void **state)
{
	tell("a", "b");
	add("c");
	expect_verdict(SCHEDULER_LOAD, "c:latest");
	loaded("a", "b"); /* three do not fit */
	residency_note_used(residency, "c");
	leave(&jobs[0]);
	tell("a", "b");
	for (int i = 0; i < 3; i++)
		add("a");
	add("b");
	send_next(&jobs[1]);
	send_next(&jobs[2]);
	settings.max_concurrent = 3;
	send_next(&jobs[3]);
	add("c");
	now_us += 60 * S;
	settings.max_concurrent = 4;
	send_next(&jobs[4]);
	expect_nothing();
	finish(&jobs[4]);
	expect_verdict(SCHEDULER_UNLOAD, "b:latest");
}

static void test_a_load_that_breaks_is_tried_again_only_once(void **state)
{
	tell(NULL, NULL);
	add("a");
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	assert_false(scheduler_load_failed(scheduler, false, now_us));
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	loaded("a", NULL); /* it went well: the next break is the first again */
	send_next(&jobs[0]);
	finish(&jobs[0]);
	now_us += S;
	tell(NULL, NULL);
	add("a");
	expect_verdict(SCHEDULER_LOAD, "a:latest");
	assert_false(scheduler_load_failed(scheduler, false, now_us));
}

static void test_pause_and_a_dead_ollama_hold_everybody(void **state)
{
	struct scheduler_view seen;

	tell("a", NULL);
	add("a");
	seen = view();
	seen.paused = true;
	assert_int_equal(scheduler_next(scheduler, &seen).verdict, SCHEDULER_NOTHING);
	seen.paused = false;
	seen.upstream_usable = false;
	assert_int_equal(scheduler_next(scheduler, &seen).verdict, SCHEDULER_NOTHING);
	send_next(&jobs[0]);
}

/* A retry goes to its old place, and before what came later. */
static void test_a_retry_is_before_later_ones(void **state)
{
	settings.max_concurrent = 1;
	tell("a", NULL);
	add("a");
	add("a");
	send_next(&jobs[0]);
	scheduler_released(scheduler, &jobs[0], 0, now_us);
	job_set_state(&jobs[0], JOB_QUEUED);
	send_next(&jobs[0]);
}

#define OLLAMA_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OLLAMA_TEST(test_destroying_nothing_is_fine),
		OLLAMA_TEST(test_an_embedding_model_has_turns_too),
		OLLAMA_TEST(test_a_model_that_could_not_be_asked_about_is_asked_again),
		OLLAMA_TEST(test_a_name_that_was_not_there_is_looked_for_again_later),
		OLLAMA_TEST(test_options_count_on_the_native_api_only),
		OLLAMA_TEST(test_what_others_loaded_is_served_at_once),
		OLLAMA_TEST(test_the_key_that_answers_is_the_one_that_is_loaded),
		OLLAMA_TEST(test_asking_for_the_default_context_swaps_nothing),
		OLLAMA_TEST(test_a_list_does_not_end_a_load),
		OLLAMA_TEST(test_a_list_from_before_a_load_says_nothing_of_it),
		OLLAMA_TEST(test_a_list_from_before_an_unload_brings_nothing_back),
		OLLAMA_TEST(test_what_vanished_is_loaded_again),
		OLLAMA_TEST(test_one_that_is_never_listed_is_believed_after_two_loads),
		OLLAMA_TEST(test_one_that_was_seen_is_loaded_again_when_it_vanished),
		OLLAMA_TEST(test_nothing_is_known_while_an_unload_is_under_way),
		OLLAMA_TEST(test_a_late_list_is_no_verdict_on_what_fits),
		OLLAMA_TEST(test_one_that_expired_during_a_load_was_not_evicted),
		OLLAMA_TEST(test_one_that_had_not_expired_was_evicted),
		OLLAMA_TEST(test_one_that_a_client_unloads_during_a_load_was_not_evicted),
		OLLAMA_TEST(test_what_did_not_fit_is_tried_again_later),
		OLLAMA_TEST(test_what_did_not_fit_fits_when_it_is_seen_together),
		OLLAMA_TEST(test_a_sibling_waits_until_the_floor),
		OLLAMA_TEST(test_beyond_the_largest_set_one_goes),
		OLLAMA_TEST(test_a_dry_one_gives_way_before_one_with_work),
		OLLAMA_TEST(test_a_load_that_breaks_is_tried_again_only_once),
		OLLAMA_TEST(test_pause_and_a_dead_ollama_hold_everybody),
		OLLAMA_TEST(test_a_retry_is_before_later_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
