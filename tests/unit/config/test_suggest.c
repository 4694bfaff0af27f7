#include "config/suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "config/keys.h"

static const char *near(const char *name)
{
	const struct key *key = suggest_key(name, strlen(name));

	return key ? key->name : NULL;
}

static void test_distance_counts_edits(void **state)
{
	assert_int_equal(suggest_distance("", ""), 0);
	assert_int_equal(suggest_distance("abc", "abc"), 0);
	assert_int_equal(suggest_distance("", "abc"), 3);
	assert_int_equal(suggest_distance("abc", ""), 3);
	assert_int_equal(suggest_distance("kitten", "sitting"), 3);
	assert_int_equal(suggest_distance("flaw", "lawn"), 2);
}

static void test_long_words_are_cut(void **state)
{
	char word[1001];

	memset(word, 'a', 1000);
	word[1000] = '\0';
	assert_int_equal(suggest_distance(word, ""), SUGGEST_BYTES);
	assert_int_equal(suggest_distance(word, word), 0);
	assert_null(near(word));
}

static void test_misspelled_keys_are_recognised(void **state)
{
	assert_string_equal(near("max_queue_sice"), "max_queue_size");
	assert_string_equal(near("MAX_CONCURENT"), "max_concurrent");
	assert_string_equal(near("lisen"), "listen");
	assert_string_equal(near("queue"), "max_queue_size");
	assert_string_equal(near("max_queue"), "max_queue_size");
	assert_string_equal(near("timeout"), "body_timeout");
}

static void test_a_wholly_other_word_has_no_suggestion(void **state)
{
	assert_null(near("colour"));
	assert_null(near("x"));
	assert_null(near(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distance_counts_edits),
		cmocka_unit_test(test_long_words_are_cut),
		cmocka_unit_test(test_misspelled_keys_are_recognised),
		cmocka_unit_test(test_a_wholly_other_word_has_no_suggestion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
