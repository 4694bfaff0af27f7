#include "config/api_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "reading.h"

#define HASH_A "sha256:00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
#define HASH_B "sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define NAMED(rest) "keys = ( {\nname = \"a\"; hash = \"" HASH_A "\";\n" rest " } );\n"

static void assert_none(const char *text, const char *expected)
{
	assert_wrong(text, expected);
	assert_int_equal(settings->api_keys_count, 0);
}

static void test_a_key_has_all_its_members(void **state)
{
	static const unsigned char begin[] = {0x00, 0x11, 0x22, 0x33};
	const struct api_key *key;

	assert_fine(NAMED("project = \"Lab\"; rate = 60; admin = true;\n"
			  "class = \"batch\"; ceiling = \"normal\"; weight = 2;\n"
			  "allow_paths = [\"/api\", \"read-only\"]; allow_models = \"m, n\";"));
	assert_int_equal(settings->api_keys_count, 1);
	key = &settings->api_keys[0];
	assert_string_equal(key->name, "a");
	assert_memory_equal(key->hash, begin, sizeof(begin));
	assert_int_equal(key->hash[31], 0xff);
	assert_string_equal(key->project, "Lab");
	assert_int_equal(key->rate, 60);
	assert_int_equal(key->job_class, CLASS_BATCH);
	assert_int_equal(key->ceiling, CLASS_NORMAL);
	assert_float_equal(key->weight, 2, 0);
	assert_true(key->is_admin);
	assert_string_equal(key->allow_paths[0], "/api");
	assert_string_equal(key->allow_paths[1], "read-only");
	assert_null(key->allow_paths[2]);
	assert_string_equal(key->allow_models[0], "m");
	assert_string_equal(key->allow_models[1], "n");
	assert_null(key->allow_models[2]);
}

static void test_a_name_and_a_hash_are_enough(void **state)
{
	const struct api_key *key;

	assert_fine(NAMED(""));
	key = &settings->api_keys[0];
	assert_null(key->project);
	assert_null(key->allow_paths);
	assert_null(key->allow_models);
	assert_int_equal(key->rate, 0);
	assert_int_equal(key->job_class, CLASS_UNSET);
	assert_int_equal(key->ceiling, CLASS_UNSET);
	assert_float_equal(key->weight, 0, 0);
	assert_false(key->is_admin);
}

static void test_a_later_list_replaces_an_earlier_one(void **state)
{
	assert_fine(NAMED(""));
	assert_fine("keys = ( { name = \"b\"; hash = \"" HASH_B "\"; },\n"
		    "{ name = \"c\"; hash = \"" HASH_A "\"; } );");
	assert_int_equal(settings->api_keys_count, 2);
	assert_string_equal(settings->api_keys[0].name, "b");
	assert_fine("keys = ();");
	assert_int_equal(settings->api_keys_count, 0);
}

static void test_mistakes_name_their_line(void **state)
{
	assert_none(NAMED("\nrate = -1;"),
		"t:4: keys: rate must be 0 (no limit) to 60000 requests a minute");
	assert_none(NAMED("rate = \"60\";"),
		"t:3: keys: rate must be 0 (no limit) to 60000 requests a minute");
	assert_none(NAMED("admin = 1;"), "t:3: keys: admin must be true or false");
	assert_none(NAMED("project = \"\";"),
		"t:3: keys: project must be a text of 1 to 128 printable characters in quotes");
	assert_none(NAMED("allow_models = [1];"),
		"t:3: keys: allow_models must be a list of texts in quotes, and not empty");
	assert_none(NAMED("allow_models = (\"m\", 1);"),
		"t:3: keys: allow_models must be a list of texts in quotes, and not empty");
	assert_none(NAMED("allow_models = [];"),
		"t:3: keys: allow_models must be a list of texts in quotes, and not empty");
	assert_none(NAMED("allow_paths = { a = 1; };"),
		"t:3: keys: allow_paths must be a list of texts in quotes, and not empty");
	assert_none(NAMED("allow_paths = [\"api\"];"),
		"t:3: keys: allow_paths: each begins with / or is read-only");
	assert_none(NAMED("share = 2;"), "t:3: keys: \"share\" is none of: name, hash, project, "
					 "rate, class, ceiling, weight, "
					 "allow_paths, allow_models, admin");
	assert_none(NAMED("projekt = \"P\";"),
		"t:3: keys: \"projekt\" is not known; did you mean project?");
	assert_none(NAMED("class = \"high\";"),
		"t:3: keys: class must be one of: \"batch\", \"normal\", \"interactive\"");
	assert_none(NAMED("class = \"interactive\"; ceiling = \"normal\";"),
		"t:1: keys: class is above ceiling: raise the one or lower the other");
	assert_none(NAMED("weight = 0;"),
		"t:3: keys: weight must be a number, 0.01 to 100: 2 gets twice the share of 1");
	assert_none("\nkeys = \"a\";", "t:2: keys: is a list of groups: keys = ( { name = "
				       "\"...\"; hash = \"sha256:...\"; }, "
				       "{ ... } );");
	assert_none("keys = ( \"a\" );",
		"t:1: keys: each key is a group: { name = \"...\"; hash = \"sha256:...\"; }");
	assert_none("keys = (\n{ name = \"a\"; } );", "t:2: keys: a key needs a name and a hash");
	assert_none("keys = ( { hash = \"" HASH_A "\"; } );",
		"t:1: keys: a key needs a name and a hash");
}

static void test_two_keys_are_not_the_same(void **state)
{
	assert_none("keys = ( { name = \"a\"; hash = \"" HASH_A "\"; },\n"
		    "{ name = \"a\"; hash = \"" HASH_B "\"; } );",
		"t:2: keys: two keys have the same name");
	assert_none("keys = ( { name = \"a\"; hash = \"" HASH_A "\"; },\n"
		    "{ name = \"b\"; hash = \"" HASH_A "\"; } );",
		"t:2: keys: two keys have the same hash");
}

/* What was pasted may be the key itself. */
static void test_no_message_repeats_a_secret(void **state)
{
	static const char *const hashes[] = {"so-secret", "sha256:secret", "sha256:",
		"SHA256:00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF",
		"sha256:0011223344556677889 aabbccddeeff00112233445566778899AABBCCDDEEFF",
		"sha256:00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF0",
		"sha256:\x10\x11"
		"112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEF"};

	for (size_t i = 0; i < ARRAY_LENGTH(hashes); i++) {
		char *text = mem_printf("keys = ( { name = \"a\"; hash = \"%s\"; } );", hashes[i]);

		assert_none(text, "t:1: keys: hash must be \"sha256:\" and 64 hexadecimal digits "
				  "(printf %s \"$KEY\" | sha256sum)");
		free(text);
	}
	assert_none("keys = ( { name = \"a\"; key = \"secret\"; } );",
		"t:1: keys: a key stands here only as its hash: hash = \"sha256:...\" "
		"(printf %s \"$KEY\" | sha256sum)");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_key_has_all_its_members),
		TEST(test_a_name_and_a_hash_are_enough),
		TEST(test_a_later_list_replaces_an_earlier_one),
		TEST(test_mistakes_name_their_line),
		TEST(test_two_keys_are_not_the_same),
		TEST(test_no_message_repeats_a_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
