#include "base/hash64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

enum { BYTES = 41 };

static uint64_t hash_of(const void *bytes, size_t length)
{
	struct hash64 hash = {0};

	hash64_feed(&hash, bytes, length);
	return hash64_value(&hash);
}

static void test_pieces_do_not_matter(void **state)
{
	unsigned char bytes[BYTES];
	uint64_t whole;

	for (int i = 0; i < BYTES; i++)
		bytes[i] = (unsigned char)(i * 37);
	whole = hash_of(bytes, BYTES);
	for (size_t first = 0; first <= BYTES; first++) {
		for (size_t second = first; second <= BYTES; second++) {
			struct hash64 hash = {0};

			hash64_feed(&hash, bytes, first);
			hash64_feed(&hash, bytes + first, second - first);
			hash64_feed(&hash, bytes + second, BYTES - second);
			assert_true(hash64_value(&hash) == whole);
		}
	}
}

static void test_every_bit_and_the_length_matter(void **state)
{
	unsigned char bytes[BYTES] = {0};
	uint64_t whole = hash_of(bytes, BYTES);

	for (size_t i = 0; i < (size_t)BYTES * 8; i++) {
		bytes[i / 8] ^= (unsigned char)(1U << (i % 8));
		assert_false(hash_of(bytes, BYTES) == whole);
		bytes[i / 8] ^= (unsigned char)(1U << (i % 8));
	}
	for (size_t length = 0; length < BYTES; length++)
		assert_false(hash_of(bytes, length) == whole);
}

static void test_texts(void **state)
{
	assert_true(hash64_text("Docling") == hash64_text("Docling"));
	assert_false(hash64_text("Docling") == hash64_text("docling"));
	assert_false(hash64_text("") == hash64_text(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces_do_not_matter),
		cmocka_unit_test(test_every_bit_and_the_length_matter),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
