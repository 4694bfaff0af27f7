#include "config/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "base/memory.h"

static void test_last_reference_frees(void **state)
{
	struct settings *settings = settings_create();

	settings->request_log = mem_strdup("log");
	settings->upstream_host = mem_strdup("host");
	settings->listen = mem_zalloc_array(3, sizeof(char *));
	settings->listen[0] = mem_strdup("a:1");
	settings->listen[1] = mem_strdup("b:2");
	assert_ptr_equal(settings_take(settings), settings);
	settings_return(settings);
	assert_string_equal(settings->request_log, "log"); /* still there */
	settings_return(settings);			   /* the leak checkers see the rest */
}

static void test_nothing_may_be_returned(void **state)
{
	settings_return(NULL);
	settings_return(settings_create());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_last_reference_frees),
		cmocka_unit_test(test_nothing_may_be_returned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
