#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "answers.h"
#include "top/snapshot.h"

static void test_stats_are_read(void **state)
{
	struct snapshot now = {0};

	assert_true(snapshot_read_stats(&now, stats_answer, strlen(stats_answer)));
	assert_true(now.has_stats);
	assert_true(now.queued == 2);
	assert_true(isnan(now.wait_p99_ms));
	assert_true(now.concurrency_limit == 5);
	assert_string_equal(now.turn_runner, "llama3:latest");
	assert_null(now.turn_next);
	assert_string_equal(now.paused, "true");
	assert_int_equal(now.runners_count, 1);
	assert_true(now.runners[0].vram_share == 0.5);
	assert_true(now.foreign_count == 2);
	assert_string_equal(now.foreign_model, "phi4:latest");
	/* who used most first, and who used nothing not at all */
	assert_int_equal(now.projects_count, 2);
	assert_string_equal(now.projects[0].name, "zoo");
	assert_string_equal(now.projects[1].name, "a/b");
	assert_true(now.projects[1].served_s == 25);
	snapshot_finish(&now);
}

static void test_jobs_are_read_in_their_order(void **state)
{
	struct snapshot now = {0};

	assert_true(snapshot_read_jobs(&now, jobs_answer, strlen(jobs_answer)));
	assert_int_equal(now.jobs_count, 3);
	assert_string_equal(now.jobs[0].id, "run");
	assert_null(now.jobs[0].reason);
	assert_true(isnan(now.jobs[0].place));
	assert_true(now.jobs[1].forecast_ms == 1655.6);
	assert_string_equal(now.jobs[2].class, "batch");
	snapshot_finish(&now);
}

static void test_each_half_keeps_the_other(void **state)
{
	static const char empty[] = "{\"requests\":[]}";
	struct snapshot now = {0};

	assert_true(snapshot_read_jobs(&now, jobs_answer, strlen(jobs_answer)));
	assert_true(snapshot_read_stats(&now, stats_answer, strlen(stats_answer)));
	assert_int_equal(now.jobs_count, 3);
	assert_true(snapshot_read_jobs(&now, empty, strlen(empty)));
	assert_int_equal(now.jobs_count, 0);
	assert_true(now.queued == 2);
	snapshot_finish(&now);
}

static void check_refused(const char *json)
{
	struct snapshot now = {0};

	assert_true(snapshot_read_stats(&now, stats_answer, strlen(stats_answer)));
	assert_true(snapshot_read_jobs(&now, jobs_answer, strlen(jobs_answer)));
	assert_false(snapshot_read_stats(&now, json, strlen(json)));
	assert_false(snapshot_read_jobs(&now, json, strlen(json)));
	/* as it was */
	assert_true(now.queued == 2);
	assert_int_equal(now.jobs_count, 3);
	snapshot_finish(&now);
}

static void test_other_answers_change_nothing(void **state)
{
	check_refused("Ollama is running");
	check_refused("{\"queued\":1}");
	check_refused("{\"models\":[]}");
	check_refused("{\"requests\":[{\"id\":\"a\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stats_are_read),
		cmocka_unit_test(test_jobs_are_read_in_their_order),
		cmocka_unit_test(test_each_half_keeps_the_other),
		cmocka_unit_test(test_other_answers_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
