#include "base/pieces.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <event2/buffer.h>

enum { PIECES = 40, PIECE_BYTES = 5 };

static char memory[PIECES][PIECE_BYTES];

static void keep(const void *bytes, size_t length, void *arg)
{
}

/* More pieces than are looked at in one go. */
static int set_up(void **state)
{
	struct evbuffer *buffer = evbuffer_new();

	for (int i = 0; i < PIECES; i++) {
		memset(memory[i], 'a' + i % 26, PIECE_BYTES);
		evbuffer_add_reference(buffer, memory[i], PIECE_BYTES, keep, NULL);
	}
	*state = buffer;
	return 0;
}

static int tear_down(void **state)
{
	evbuffer_free(*state);
	return 0;
}

struct seen {
	char bytes[PIECES * PIECE_BYTES];
	size_t length;
};

static void feed(void *object, const void *bytes, size_t length)
{
	struct seen *seen = object;

	memcpy(seen->bytes + seen->length, bytes, length);
	seen->length += length;
}

static void test_all_pieces_are_fed_in_order(void **state)
{
	struct seen seen = {.length = 0};

	pieces_feed(*state, feed, &seen);
	assert_int_equal(seen.length, sizeof(seen.bytes));
	assert_memory_equal(seen.bytes, memory, sizeof(memory));
	assert_int_equal(evbuffer_get_length(*state), sizeof(memory));
}

static void test_as_much_as_asked_for_is_wiped(void **state)
{
	static const size_t lengths[] = {
		0, 1, 12, PIECES * PIECE_BYTES - 1, PIECES * PIECE_BYTES, SIZE_MAX};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t wiped = lengths[i] < sizeof(memory) ? lengths[i] : sizeof(memory);
		const char *bytes = memory[0];

		memset(memory, 'x', sizeof(memory));
		pieces_wipe(*state, lengths[i]);
		for (size_t at = 0; at < sizeof(memory); at++)
			assert_int_equal(bytes[at], at < wiped ? 0 : 'x');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_all_pieces_are_fed_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_as_much_as_asked_for_is_wiped, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
