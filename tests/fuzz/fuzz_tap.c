/* Answers: what the tap says does not depend on how the answer was cut. The first byte chooses the
 * format. */
#include "json/tap.h"

#include "pieces.h"

#define FORMATS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum tap_format formats[FORMATS] = {TAP_NDJSON, TAP_SSE, TAP_JSON, TAP_NONE};
	struct tap *whole;
	struct tap *cut;
	struct pieces pieces;
	const char *piece;
	size_t length;

	if (size == 0)
		return 0;
	whole = tap_create(formats[data[0] % FORMATS]);
	cut = tap_create(formats[data[0] % FORMATS]);
	pieces_init(&pieces, data + 1, size - 1);
	tap_feed(whole, pieces.text, pieces.left);
	while ((piece = pieces_next(&pieces, &length)))
		tap_feed(cut, piece, length);
	REQUIRE(memcmp(tap_finish(whole), tap_finish(cut), sizeof(struct tap_result)) == 0);
	REQUIRE(tap_is_at_line_end(whole) == tap_is_at_line_end(cut));
	REQUIRE(tap_finish(cut)->lines <= (int64_t)size);
	tap_destroy(whole);
	tap_destroy(cut);
	return 0;
}
