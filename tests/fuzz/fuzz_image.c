/* Base64 of images: the size read does not depend on the pieces. */
#include "json/image.h"

#include "pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image whole;
	struct image cut;
	struct pieces pieces;
	const char *piece;
	size_t length;

	image_init(&whole);
	image_init(&cut);
	pieces_init(&pieces, data, size);
	image_feed_text(&whole, pieces.text, pieces.left);
	while ((piece = pieces_next(&pieces, &length)))
		image_feed_text(&cut, piece, length);
	image_finish(&whole);
	image_finish(&cut);
	REQUIRE(whole.width == cut.width && whole.height == cut.height);
	REQUIRE(!whole.width == !whole.height);
	REQUIRE(whole.is_data_url == cut.is_data_url);
	REQUIRE(image_bytes(&whole) == image_bytes(&cut));
	REQUIRE(image_bytes(&whole) >= 0 && image_bytes(&whole) <= (int64_t)size);
	return 0;
}
