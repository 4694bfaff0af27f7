#include "json/duration.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "base/compiler.h"

struct sample {
	const char *text;
	bool is_string;
	double seconds;
};

/* FACTS-ollama.md 4: what keep_alive takes. */
static void test_durations_are_read_as_go_does(void **state)
{
	static const struct sample samples[] = {{"5m", true, 300}, {"2h45m10s", true, 9910},
		{"1.5h", true, 5400}, {"250ms", true, 0.25}, {"0", true, 0}, {"0s", true, 0},
		{"-0s", true, 0}, {"+3s", true, 3}, {"-1m", true, INFINITY},
		{"-1ns", true, INFINITY}, {"60", false, 60}, {"1.5", false, 1.5},
		{"3e2", false, 300}, {"0", false, 0}, {"-1", false, INFINITY},
		{"-0.5", false, INFINITY}};

	for (size_t i = 0; i < ARRAY_LENGTH(samples); i++) {
		double seconds = -1;

		assert_true(duration_read(samples[i].text, samples[i].is_string, &seconds));
		if (isinf(samples[i].seconds))
			assert_true(isinf(seconds));
		else
			assert_true(fabs(seconds - samples[i].seconds) < 1e-6);
	}
}

static void test_what_ollama_refuses_is_no_duration(void **state)
{
	static const char *const texts[] = {
		"90", "-1", "bogus", "", "-", "5", "5x", "m", "1h0", "1 h", ".s", "01"};
	static const char *const numbers[] = {"true", "", "5m", "{"};
	double seconds = 7;

	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
		assert_false(duration_read(texts[i], true, &seconds));
	for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
		assert_false(duration_read(numbers[i], false, &seconds));
	assert_true(seconds == 7);
}

static void test_zero_unloads(void **state)
{
	assert_true(duration_text_is_zero("0"));
	assert_true(duration_text_is_zero("-0h0m"));
	assert_true(duration_text_is_zero("0.1ns"));
	assert_false(duration_text_is_zero("1ns"));
	assert_false(duration_text_is_zero("00"));
	assert_false(duration_text_is_zero("0s0"));
	assert_true(duration_number_is_zero("0.0"));
	assert_false(duration_number_is_zero("-1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations_are_read_as_go_does),
		cmocka_unit_test(test_what_ollama_refuses_is_no_duration),
		cmocka_unit_test(test_zero_unloads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
