#include "agent_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *line_at(uint64_t queued)
{
	struct agent_state state = {.queued = queued, .max_queue_size = 8};

	return agent_check_line(&state);
}

static void test_models_stay_while_there_is_a_place(void **state)
{
	for (uint64_t queued = 0; queued < 8; queued++)
		assert_string_equal(line_at(queued), "up 100%\n");
}

static void test_a_full_ring_still_gives_its_own_answer(void **state)
{
	struct agent_state smaller = {.queued = 9, .max_queue_size = 3};
	struct agent_state one = {.max_queue_size = 1};

	assert_string_equal(line_at(8), "up 1%\n");
	/* A reload made it smaller. */
	assert_string_equal(agent_check_line(&smaller), "up 1%\n");
	assert_string_equal(agent_check_line(&one), "up 100%\n");
}

static void test_a_box_that_takes_nothing_says_so(void **state)
{
	struct agent_state draining = {
		.max_queue_size = 8, .is_draining = true, .is_upstream_down = true};
	struct agent_state paused = {.max_queue_size = 8, .is_paused = true};
	struct agent_state down = {.max_queue_size = 8, .is_upstream_down = true};

	/* What runs there goes on: not "down", which ends sessions where HAProxy is told to. */
	assert_string_equal(agent_check_line(&draining), "up 0%\n");
	assert_string_equal(agent_check_line(&paused), "up 0%\n");
	assert_string_equal(agent_check_line(&down), "down #Ollama cannot be reached\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_models_stay_while_there_is_a_place),
		cmocka_unit_test(test_a_full_ring_still_gives_its_own_answer),
		cmocka_unit_test(test_a_box_that_takes_nothing_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
