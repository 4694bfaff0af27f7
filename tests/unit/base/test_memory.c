#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_zero_bytes_give_a_pointer(void **state)
{
	void *memory[] = {mem_alloc(0), mem_zalloc(0), mem_zalloc_array(0, 8),
		mem_grow_array(NULL, 0, 8), mem_try_alloc(0)};

	for (unsigned i = 0; i < ARRAY_LENGTH(memory); i++) {
		assert_non_null(memory[i]);
		free(memory[i]);
	}
}

static void test_zalloc_is_zeroed(void **state)
{
	unsigned char zeros[100] = {0};
	unsigned char *memory = mem_zalloc(100);

	assert_memory_equal(memory, zeros, sizeof(zeros));
	free(memory);
}

static void test_strings_are_copied(void **state)
{
	char *copy = mem_strdup("abc");
	char *part = mem_strndup("abcdef", 2);
	char *text = mem_printf("%s-%d", "x", 7);

	assert_string_equal(copy, "abc");
	assert_string_equal(part, "ab");
	assert_string_equal(text, "x-7");
	assert_null(mem_strdup(NULL));
	free(copy);
	free(part);
	free(text);
}

/* Whether `overflow` ends a child by abort() after a line on stderr. */
static void assert_ends_with_message(void (*overflow)(void))
{
	char said[200] = {0};
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		overflow();
		_exit(0);
	}
	close(ends[1]);
	assert_true(read(ends[0], said, sizeof(said) - 1) > 0);
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_non_null(strstr(said, "level=fatal msg=\"out of memory\""));
}

static void grow_too_far(void)
{
	free(mem_grow_array(NULL, SIZE_MAX / 2, 4));
}

static void test_overflowing_product_ends_the_program(void **state)
{
	assert_ends_with_message(grow_too_far);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zero_bytes_give_a_pointer),
		cmocka_unit_test(test_zalloc_is_zeroed),
		cmocka_unit_test(test_strings_are_copied),
		cmocka_unit_test(test_overflowing_product_ends_the_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
