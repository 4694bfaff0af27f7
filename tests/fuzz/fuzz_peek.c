/* Request bodies: what peek reads does not depend on how the body was cut. */
#include "json/peek.h"

#include "pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require_same(const struct peek_result *a, const struct peek_result *b)
{
	REQUIRE(a->valid == b->valid);
	REQUIRE(!a->model == !b->model);
	REQUIRE(!a->model || strcmp(a->model, b->model) == 0);
	REQUIRE(a->has_stream == b->has_stream && a->stream == b->stream);
	REQUIRE(a->keep_alive == b->keep_alive);
	REQUIRE(strcmp(a->keep_alive_text, b->keep_alive_text) == 0);
	REQUIRE(a->keep_alive_is_string == b->keep_alive_is_string);
	REQUIRE(a->keep_alive_is_zero == b->keep_alive_is_zero);
	REQUIRE(memcmp(a->has_option, b->has_option, sizeof(a->has_option)) == 0);
	REQUIRE(memcmp(a->option, b->option, sizeof(a->option)) == 0);
	REQUIRE(a->has_num_keep == b->has_num_keep && a->num_keep == b->num_keep);
	REQUIRE(a->has_prompt == b->has_prompt && a->has_input == b->has_input);
	REQUIRE(a->messages_count == b->messages_count);
	REQUIRE(a->images_count == b->images_count);
	REQUIRE(a->images_bytes == b->images_bytes);
	REQUIRE(a->images_pixels == b->images_pixels);
	REQUIRE(a->largest_width == b->largest_width && a->largest_height == b->largest_height);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peek *whole = peek_create();
	struct peek *cut = peek_create();
	struct pieces pieces;
	const char *piece;
	size_t length;

	pieces_init(&pieces, data, size);
	peek_feed(whole, pieces.text, pieces.left);
	while ((piece = pieces_next(&pieces, &length)))
		peek_feed(cut, piece, length);
	require_same(peek_finish(whole), peek_finish(cut));
	REQUIRE(peek_finish(whole)->images_bytes <= (int64_t)size);
	REQUIRE(peek_finish(whole)->messages_count <= (int64_t)size);
	peek_destroy(whole);
	peek_destroy(cut);
	return 0;
}
