#include "core/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/compiler.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

static void test_sound_ones(void **state)
{
	static const char *const sound[] = {
		"00-" TRACE "-" PARENT "-01",
		"00-" TRACE "-" PARENT "-ff",
		"cc-" TRACE "-" PARENT "-01",
		"cc-" TRACE "-" PARENT "-01-what-the-future-will-be-like",
		"00-00000000000000000000000000000001-0000000000000001-00",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(sound); i++) {
		if (!trace_is_sound(sound[i], strlen(sound[i])))
			fail_msg("%s", sound[i]);
	}
}

static void test_malformed_ones(void **state)
{
	static const char *const malformed[] = {
		"",
		"00",
		"ff-" TRACE "-" PARENT "-01",
		"00-" TRACE "-" PARENT "-01-more",
		"00-" TRACE "-" PARENT "-01-",
		"cc-" TRACE "-" PARENT "-01.more",
		"00-" TRACE "-" PARENT "-0",
		"00-" TRACE "-" PARENT "-0x",
		"0x-" TRACE "-" PARENT "-01",
		"00_" TRACE "-" PARENT "-01",
		"00-" TRACE "_" PARENT "-01",
		"00-" TRACE "-" PARENT "_01",
		"00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01",
		"00-" TRACE "-B7AD6B7169203331-01",
		"00-00000000000000000000000000000000-" PARENT "-01",
		"00-" TRACE "-0000000000000000-01",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(malformed); i++) {
		if (trace_is_sound(malformed[i], strlen(malformed[i])))
			fail_msg("%s", malformed[i]);
	}
}

static void test_a_new_one_is_made_of_what_is_given(void **state)
{
	unsigned char random[TRACE_RANDOM_BYTES];
	char parent[TRACE_PARENT_BYTES];

	for (size_t i = 0; i < sizeof(random); i++)
		random[i] = (unsigned char)(0x11 + i);
	trace_start(random, parent);
	assert_string_equal(parent, "00-1112131415161718191a1b1c1d1e1f20-2122232425262729-01");
	assert_true(trace_is_sound(parent, strlen(parent)));
}

static void test_no_id_is_zero(void **state)
{
	static const unsigned char random[TRACE_RANDOM_BYTES];
	char parent[TRACE_PARENT_BYTES];

	trace_start(random, parent);
	assert_string_equal(parent, "00-01000000000000000000000000000000-0000000000000001-01");
	assert_true(trace_is_sound(parent, strlen(parent)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound_ones),
		cmocka_unit_test(test_malformed_ones),
		cmocka_unit_test(test_a_new_one_is_made_of_what_is_given),
		cmocka_unit_test(test_no_id_is_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
