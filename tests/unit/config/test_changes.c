#include "config/changes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "config/file.h"
#include "config/keys.h"
#include "config/load.h"
#include "config/settings.h"

static const char hash_a[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
static const char hash_b[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdee";

/* The defaults, and then what the text says. */
static struct settings *with(const char *text)
{
	char *argv[] = {(char *)"shared-ollama", NULL};
	struct load_result result = load_settings(1, argv, NULL);
	char *error = NULL;

	assert_int_equal(result.action, LOAD_SERVE);
	if (!file_parse("f", text, strlen(text), result.settings, &error))
		fail_msg("%s", error);
	return result.settings;
}

static void assert_list(const char *before, const char *after, const char *names)
{
	struct settings *old = with(before);
	struct settings *fresh = with(after);
	char *found = changes_list(fresh, old);

	if (names)
		assert_string_equal(found, names);
	else
		assert_null(found);
	free(found);
	settings_return(old);
	settings_return(fresh);
}

static void test_what_is_the_same_is_not_named(void **state)
{
	assert_list("", "", NULL);
	assert_list("default_timeout = 60;", "default_timeout = \"1m\";", NULL);
	assert_list("models = ( { name = \"m\"; num_ctx = 8; } );",
		"models = ( { name = \"m\"; num_ctx = 8; } );", NULL);
}

static void test_every_key_that_differs_is_named(void **state)
{
	assert_list("max_queue_size = 3;", "max_queue_size = 4; log_level = \"debug\";",
		"log_level, max_queue_size");
	assert_list(
		"allow_paths = [ \"/a\" ];", "allow_paths = [ \"/a\", \"/b\" ];", "allow_paths");
	assert_list("", "listen = [ \"127.0.0.1:1\" ];", "listen");
}

static void test_every_kind_of_member_is_compared(void **state)
{
	static const struct {
		const char *list, *before, *after;
	} pairs[] = {
		{"projects", "name = \"a\";", "name = \"b\";"},
		{"projects", "name = \"a\";", "name = \"a\"; weight = 2;"},
		{"projects", "name = \"a\"; class = \"batch\";", "name = \"a\";"},
		{"projects", "name = \"a\";", "name = \"a\"; default_timeout = 0;"},
		{"projects", "name = \"a\"; max_concurrent = 1;",
			"name = \"a\"; max_concurrent = 2;"},
		{"projects", "name = \"a\"; keep_alive = \"1m\";", "name = \"a\";"},
		{"models", "name = \"m\"; num_gpu = 0; num_ctx = 1;", "name = \"m\"; num_ctx = 1;"},
		{"models", "name = \"m\"; use_mmap = true;", "name = \"m\"; use_mmap = false;"},
		{"agents", "path = \"/x\";", "path = \"/x\"; user_agent = \"u\";"},
		{"listeners", "listen = \"l\"; allow_models = [ \"m\" ];", "listen = \"l\";"},
		{"listeners", "listen = \"l\"; allow_paths = [ \"/m\" ];",
			"listen = \"l\"; allow_paths = [ \"/n\" ];"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(pairs); i++) {
		char before[200], after[200], none[200];

		snprintf(
			before, sizeof(before), "%s = ( { %s } );", pairs[i].list, pairs[i].before);
		snprintf(after, sizeof(after), "%s = ( { %s } );", pairs[i].list, pairs[i].after);
		snprintf(none, sizeof(none), "%s = ( );", pairs[i].list);
		assert_list(before, after, pairs[i].list);
		assert_list(before, none, pairs[i].list);
		assert_list(after, after, NULL);
	}
}

static void test_a_key_whose_hash_or_right_differs_is_named(void **state)
{
	char before[200], after[200], admin[200];

	snprintf(before, sizeof(before), "keys = ( { name = \"k\"; hash = \"sha256:%s\"; } );",
		hash_a);
	snprintf(after, sizeof(after), "keys = ( { name = \"k\"; hash = \"sha256:%s\"; } );",
		hash_b);
	snprintf(admin, sizeof(admin),
		"keys = ( { name = \"k\"; hash = \"sha256:%s\"; admin = true; } );", hash_a);
	assert_list(before, before, NULL);
	assert_list(before, after, "keys");
	assert_list(before, admin, "keys");
}

static void test_what_needs_a_restart_is_put_back_and_named(void **state)
{
	struct settings *old = with("max_queue_size = 3;");
	struct settings *fresh =
		with("max_queue_size = 4; listen = [ \"127.0.0.1:1\", \"unix:/x\" ];"
		     "upstream = \"https://b:2\"; admin_listen = [ \"127.0.0.1:9\" ];");
	char *names = changes_keep(fresh, old);

	assert_string_equal(names, "listen, admin_listen, upstream");
	free(names);
	assert_int_equal(fresh->max_queue_size, 4);
	assert_string_equal(fresh->listen[0], "127.0.0.1:8000");
	assert_null(fresh->listen[1]);
	assert_null(fresh->admin_listen[0]);
	assert_string_equal(fresh->upstream, old->upstream);
	assert_string_equal(fresh->upstream_host, "127.0.0.1");
	assert_int_equal(fresh->upstream_port, 11434);
	assert_false(fresh->upstream_is_tls);
	assert_null(changes_keep(fresh, old));
	settings_return(old);
	settings_return(fresh);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_the_same_is_not_named),
		cmocka_unit_test(test_every_key_that_differs_is_named),
		cmocka_unit_test(test_every_kind_of_member_is_compared),
		cmocka_unit_test(test_a_key_whose_hash_or_right_differs_is_named),
		cmocka_unit_test(test_what_needs_a_restart_is_put_back_and_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
