/* Any bytes as keys and values: the text written is JSON in UTF-8, as yajl checks it. */
#include "json/writer.h"

#include <yajl/yajl_parse.h>

#include "pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct json_writer *writer = json_writer_create();
	yajl_handle yajl = yajl_alloc(NULL, NULL, NULL);
	struct pieces pieces;
	const char *piece;
	const char *text;
	size_t length;

	pieces_init(&pieces, data, size);
	json_begin_object(writer, NULL);
	while ((piece = pieces_next(&pieces, &length))) {
		char key[16];
		double number;

		memset(key, 0, sizeof(key));
		memcpy(key, piece, length < sizeof(key) ? length : sizeof(key) - 1);
		json_put_string_n(writer, key, piece, length);
		if (length >= sizeof(number)) {
			memcpy(&number, piece, sizeof(number));
			json_put_fixed(writer, key, number, key[0] % 20);
		}
	}
	json_end_object(writer);
	text = json_writer_get(writer, &length);
	REQUIRE(strlen(text) == length);
	REQUIRE(yajl_parse(yajl, (const unsigned char *)text, length) == yajl_status_ok);
	REQUIRE(yajl_complete_parse(yajl) == yajl_status_ok);
	yajl_free(yajl);
	json_writer_destroy(writer);
	return 0;
}
