/* Base64 of images: the size read does not depend on the pieces. */
#include "json/image.h"

#include "pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Line ends reach the image only alone in their piece (json/image.h), so pieces are cut at them. */
static void feed(struct image *image, const char *text, size_t length)
{
	while (length > 0) {
		size_t run = 0;

		while (run < length && text[run] != '\n' && text[run] != '\r')
			run++;
		if (run == 0)
			run = 1;
		image_feed(image, text, run);
		text += run;
		length -= run;
	}
}

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
	feed(&whole, pieces.text, pieces.left);
	while ((piece = pieces_next(&pieces, &length)))
		feed(&cut, piece, length);
	image_finish(&whole);
	image_finish(&cut);
	REQUIRE(whole.width == cut.width && whole.height == cut.height);
	REQUIRE(!whole.width == !whole.height);
	REQUIRE(whole.is_data_url == cut.is_data_url);
	REQUIRE(image_bytes(&whole) == image_bytes(&cut));
	REQUIRE(image_bytes(&whole) >= 0 && image_bytes(&whole) <= (int64_t)size);
	return 0;
}
