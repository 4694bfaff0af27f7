/* multipart/form-data with the boundary "b": what is read does not depend on how the body was cut,
 * and the value stands where it is said to stand. */
#include "http/multipart.h"

#include "pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TYPE "multipart/form-data; boundary=b"

static void require_same(const struct multipart *a, const struct multipart *b)
{
	REQUIRE(!multipart_value(a) == !multipart_value(b));
	if (!multipart_value(a))
		return;
	REQUIRE(strcmp(multipart_value(a), multipart_value(b)) == 0);
	REQUIRE(multipart_value_at(a) == multipart_value_at(b));
}

static void require_place(const struct multipart *multipart, const char *body, size_t length)
{
	const char *value = multipart_value(multipart);
	uint64_t at = multipart_value_at(multipart);

	if (!value)
		return;
	REQUIRE(at <= length && strlen(value) <= length - at);
	REQUIRE(memcmp(body + at, value, strlen(value)) == 0);
	REQUIRE(length - at - strlen(value) >= strlen("\r\n--b\r\n"));
	REQUIRE(memcmp(body + at + strlen(value), "\r\n--b", strlen("\r\n--b")) == 0);
	REQUIRE(at > strlen("--b\r\n") && memcmp(body + at - 1, "\n", 1) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct multipart *whole = multipart_create(TYPE, strlen(TYPE), "model");
	struct multipart *cut = multipart_create(TYPE, strlen(TYPE), "model");
	/* the same bytes as a Content-Type */
	struct multipart *other = multipart_create((const char *)data, size, "model");
	struct pieces pieces;
	const char *body;
	const char *piece;
	size_t length;

	pieces_init(&pieces, data, size);
	body = pieces.text;
	length = pieces.left;
	multipart_feed(whole, body, length);
	if (other)
		multipart_feed(other, body, length);
	while ((piece = pieces_next(&pieces, &size)))
		multipart_feed(cut, piece, size);
	require_same(whole, cut);
	require_place(whole, body, length);
	multipart_destroy(whole);
	multipart_destroy(cut);
	multipart_destroy(other);
	return 0;
}
