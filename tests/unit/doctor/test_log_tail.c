#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "doctor/log_tail.h"

#define LINE(time, model, runner, warm, latency, wait, prompt)                        \
	"{\"event\":\"api_request\",\"model\":\"" model "\",\"latency_ms\":" latency  \
	",\"model_warm_start\":" warm ",\"prompt_eval_count\":" prompt                \
	",\"upstream_wait_ms\":" wait ",\"context_length\":4096,\"runner\":\"" runner \
	"\",\"timestamp\":\"2026-11-24T" time "Z\"}\n"

static void read_text(struct log_tail *tail, const char *text)
{
	log_tail_read(tail, text, strlen(text));
}

static void test_waits_prompts_and_runners_are_summed(void **state)
{
	struct log_tail tail = {0};

	read_text(&tail, LINE("10:00:00.000", "a", "a", "true", "1000.5", "20.0", "100"));
	read_text(&tail,
		LINE("10:00:01.000", "a", "a num_ctx=8192", "true", "500.0", "null", "3000"));
	assert_int_equal(tail.lines, 2);
	assert_int_equal(tail.waits, 1);
	assert_true(tail.wait_ms == 20);
	assert_true(tail.latency_ms == 1000.5);
	assert_true(tail.prompt_tokens == 3000);
	assert_string_equal(tail.prompt_model, "a");
	assert_int_equal(tail.runners.count, 2);
	assert_int_equal(tail.back_steps, 0);
	log_tail_finish(&tail);
}

static void test_halves_of_lines_and_other_text_are_skipped(void **state)
{
	struct log_tail tail = {0};

	read_text(&tail, "atency_ms\":3}\n\nnonsense\n{\"model\":\"a\"");
	assert_true(tail.is_read);
	assert_int_equal(tail.lines, 0);
	log_tail_finish(&tail);
}

static void test_a_load_after_a_pause_is_seen_and_a_swap_is_not(void **state)
{
	struct log_tail tail = {0};

	read_text(&tail, LINE("10:00:00.000", "a", "a", "false", "2000.0", "0.0", "1"));
	/* it began 298 s after the end of the one before */
	read_text(&tail, LINE("10:05:00.000", "a", "a", "false", "2000.0", "0.0", "1"));
	assert_int_equal(tail.reloads, 1);
	assert_true(tail.shortest_pause_s == 298);
	assert_string_equal(tail.reloaded, "a");
	/* warm, another model, the first one again: all of these are none */
	read_text(&tail, LINE("10:10:00.000", "a", "a", "true", "2000.0", "0.0", "1"));
	read_text(&tail, LINE("10:20:00.000", "b", "b", "false", "2000.0", "0.0", "1"));
	read_text(&tail, LINE("10:30:00.000", "a", "a", "false", "2000.0", "0.0", "1"));
	/* no pause: somebody else unloaded it */
	read_text(&tail, LINE("10:30:04.000", "a", "a", "false", "2000.0", "0.0", "1"));
	assert_int_equal(tail.reloads, 1);
	log_tail_finish(&tail);
}

static void test_times_that_go_back_are_counted(void **state)
{
	struct log_tail tail = {0};

	read_text(&tail, LINE("10:00:30.000", "a", "a", "true", "1.0", "0.0", "1"));
	read_text(&tail, LINE("10:00:29.500", "a", "a", "true", "1.0", "0.0", "1"));
	assert_int_equal(tail.back_steps, 0);
	read_text(&tail, LINE("09:59:59.500", "a", "a", "true", "1.0", "0.0", "1"));
	assert_int_equal(tail.back_steps, 1);
	assert_true(tail.back_s == 30);
	log_tail_finish(&tail);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_prompts_and_runners_are_summed),
		cmocka_unit_test(test_halves_of_lines_and_other_text_are_skipped),
		cmocka_unit_test(test_a_load_after_a_pause_is_seen_and_a_swap_is_not),
		cmocka_unit_test(test_times_that_go_back_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
