#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "json/image.h"

static void feed_in_pieces(struct image *image, const char *text, size_t piece)
{
	size_t length = strlen(text);

	image_init(image);
	for (size_t at = 0; at < length; at += piece)
		image_feed(image, text + at, length - at < piece ? length - at : piece);
	image_finish(image);
}

/* Width and height (0: unknown) and bytes of the image, whatever the pieces. */
static void check_image(const uint8_t *bytes, size_t length, uint32_t width, uint32_t height)
{
	char *text = base64_encode(bytes, length);
	struct image image;

	for (size_t piece = 1; piece < 70; piece++) {
		feed_in_pieces(&image, text, piece);
		assert_int_equal(image.width, width);
		assert_int_equal(image.height, height);
		assert_int_equal(image_bytes(&image), length);
		assert_false(image.is_data_url);
	}
	free(text);
}

/* The header alone, with data behind it, and cut by a byte, which leaves it unknown. */
static void check_header(const uint8_t *header, size_t length, uint32_t width, uint32_t height)
{
	uint8_t bytes[256];

	memset(bytes, 0xa5, sizeof(bytes));
	memcpy(bytes, header, length);
	check_image(bytes, length, width, height);
	check_image(bytes, sizeof(bytes), width, height);
	check_image(bytes, length - 1, 0, 0);
}

static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I', 'H',
	'D', 'R', 0, 0, 0x12, 0x34, 0, 1, 0, 2};

static void test_png(void **state)
{
	check_header(png, sizeof(png), 0x1234, 0x10002);
}

static void test_gif(void **state)
{
	const uint8_t gif87[] = {'G', 'I', 'F', '8', '7', 'a', 0x40, 0x01, 0xf0, 0x00};
	const uint8_t gif89[] = {'G', 'I', 'F', '8', '9', 'a', 0xff, 0xff, 0x01, 0x00};

	check_header(gif87, sizeof(gif87), 320, 240);
	check_header(gif89, sizeof(gif89), 65535, 1);
}

static void test_bmp_of_each_header_and_direction(void **state)
{
	const uint8_t core[26] = {
		'B', 'M', [14] = 12, [18] = 0x80, [19] = 0x02, [20] = 0xe0, [21] = 0x01};
	const uint8_t info[26] = {'B', 'M', [14] = 40, [18] = 100, [22] = 50};
	const uint8_t top_down[26] = {'B',
		'M', [14] = 124, [18] = 100, [22] = 0xce, [23] = 0xff, [24] = 0xff, [25] = 0xff};
	const uint8_t odd[26] = {'B', 'M', [14] = 13, [18] = 100, [22] = 50};

	check_header(core, sizeof(core), 640, 480);
	check_header(info, sizeof(info), 100, 50);
	check_header(top_down, sizeof(top_down), 100, 50);
	check_header(odd, sizeof(odd), 0, 0);
}

static void test_webp_of_each_kind(void **state)
{
	const uint8_t extended[30] = {'R', 'I', 'F', 'F', 1, 2, 3, 4, 'W', 'E', 'B', 'P', 'V', 'P',
		'8', 'X', 10, 0, 0, 0, 0, 0, 0, 0, 0x1f, 0x03, 0, 0x57, 0x02, 0};
	const uint8_t lossless[30] = {'R', 'I', 'F', 'F', 1, 2, 3, 4, 'W', 'E', 'B', 'P', 'V', 'P',
		'8', 'L', 10, 0, 0, 0, 0x2f, 0x1f, 0xc3, 0x95, 0x00};
	const uint8_t lossy[30] = {'R', 'I', 'F', 'F', 1, 2, 3, 4, 'W', 'E', 'B', 'P', 'V', 'P',
		'8', ' ', 10, 0, 0, 0, 0, 0, 0, 0x9d, 0x01, 0x2a, 0x20, 0x43, 0x58, 0x82};
	const uint8_t unknown[30] = {
		'R', 'I', 'F', 'F', 1, 2, 3, 4, 'W', 'E', 'B', 'P', 'V', 'P', '9', ' '};

	check_header(extended, sizeof(extended), 800, 600);
	check_header(lossless, sizeof(lossless), 800, 600);
	/* the two bits above each side are a scale */
	check_header(lossy, sizeof(lossy), 800, 600);
	check_header(unknown, sizeof(unknown), 0, 0);
}

#define SOI 0xff, 0xd8
#define FRAME(kind) \
	0xff, kind, 0, 17, 8, 0x02, 0x58, 0x03, 0x20, 3, 1, 0x22, 0, 2, 0x11, 1, 3, 0x11, 1

static void test_jpeg_frame_right_behind_the_start(void **state)
{
	const uint8_t kinds[] = {0xc0, 0xc1, 0xc2, 0xc3, 0xc5, 0xc9, 0xcd, 0xcf};

	for (size_t i = 0; i < sizeof(kinds); i++) {
		const uint8_t jpeg[] = {SOI, FRAME(kinds[i])};

		check_image(jpeg, sizeof(jpeg), 800, 600);
	}
}

static void test_jpeg_tables_and_fill_bytes_are_passed_over(void **state)
{
	const uint8_t jpeg[] = {SOI, 0xff, 0xe0, 0, 16, 'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1,
		0, 0, 0xff, 0xff, 0xff, 0xdb, 0, 2, 0xff, 0x01, 0xff, 0xd0, 0xff, 0xc4, 0, 9, 0xff,
		0xc0, 0, 17, 8, 9, 9, 0xff, 0xc8, 0, 3, 1, 0xff, 0xcc, 0, 3, 1, FRAME(0xc2)};

	check_image(jpeg, sizeof(jpeg), 800, 600);
}

static void test_jpeg_thumbnail_in_metadata_is_not_the_image(void **state)
{
	const uint8_t jpeg[] = {SOI, 0xff, 0xe1, 0, 21, SOI, 0xff, 0xc0, 0, 17, 8, 0, 1, 0, 1, 3, 1,
		0x22, 0, 2, 0x11, 1, 3, FRAME(0xc0)};

	check_image(jpeg, sizeof(jpeg), 800, 600);
}

static void test_jpeg_without_a_frame_is_unknown(void **state)
{
	const uint8_t scan_first[] = {SOI, 0xff, 0xda, 0, 2, FRAME(0xc0)};
	const uint8_t ended[] = {SOI, 0xff, 0xd9, FRAME(0xc0)};
	const uint8_t no_marker[] = {SOI, 0x00, FRAME(0xc0)};
	const uint8_t zero_marker[] = {SOI, 0xff, 0x00, FRAME(0xc0)};
	const uint8_t bad_length[] = {SOI, 0xff, 0xe0, 0, 1, FRAME(0xc0)};
	const uint8_t short_frame[] = {SOI, 0xff, 0xc0, 0, 6, 8, 0x02, 0x58, 0x03};
	const uint8_t cut[] = {SOI, 0xff, 0xc0, 0, 17, 8, 0x02, 0x58, 0x03};
	const uint8_t no_height[] = {SOI, 0xff, 0xc0, 0, 17, 8, 0, 0, 0x03, 0x20};

	check_image(scan_first, sizeof(scan_first), 0, 0);
	check_image(ended, sizeof(ended), 0, 0);
	check_image(no_marker, sizeof(no_marker), 0, 0);
	check_image(zero_marker, sizeof(zero_marker), 0, 0);
	check_image(bad_length, sizeof(bad_length), 0, 0);
	check_image(short_frame, sizeof(short_frame), 0, 0);
	check_image(cut, sizeof(cut), 0, 0);
	check_image(no_height, sizeof(no_height), 0, 0);
}

static void test_jpeg_walk_ends_after_64_kilobytes(void **state)
{
	/* one segment of `size` bytes, then the frame */
	const size_t sizes[] = {60000, 65535};

	for (size_t i = 0; i < 2; i++) {
		const uint8_t frame[] = {FRAME(0xc0)};
		size_t length = 4 + sizes[i] + sizeof(frame);
		uint8_t *jpeg = calloc(1, length);
		struct image image;
		char *text;

		memcpy(jpeg, (uint8_t[]){SOI, 0xff, 0xe1}, 4);
		jpeg[4] = (uint8_t)(sizes[i] >> 8);
		jpeg[5] = (uint8_t)sizes[i];
		memcpy(jpeg + 4 + sizes[i], frame, sizeof(frame));
		text = base64_encode(jpeg, length);
		feed_in_pieces(&image, text, 4096);
		assert_int_equal(image.width, i == 0 ? 800 : 0);
		assert_int_equal(image_bytes(&image), length);
		free(text);
		free(jpeg);
	}
}

static void test_sides_that_no_image_has_are_unknown(void **state)
{
	uint8_t bytes[sizeof(png)];

	memcpy(bytes, png, sizeof(png));
	memset(bytes + 16, 0, 4);
	check_image(bytes, sizeof(bytes), 0, 0);
	memset(bytes + 16, 0xff, 4);
	check_image(bytes, sizeof(bytes), 0, 0);
}

static void test_what_is_no_image_is_counted(void **state)
{
	const uint8_t text[] = "just some text, long enough to be looked at in full";

	check_image(text, sizeof(text), 0, 0);
	check_image(text, 1, 0, 0);
	check_image(text, 0, 0, 0);
}

static void test_data_url_prefix_is_skipped(void **state)
{
	char *base64 = base64_encode(png, sizeof(png));
	char text[128] = "data:image/png;base64,";
	struct image image;

	strcat(text, base64);
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		feed_in_pieces(&image, text, piece);
		assert_true(image.is_data_url);
		assert_int_equal(image.width, 0x1234);
		assert_int_equal(image_bytes(&image), sizeof(png));
	}
	free(base64);
}

static void test_base64_that_begins_like_a_prefix_is_decoded(void **state)
{
	/* "data" is base64 too */
	const char *const texts[] = {"data", "dat", "d", "datadatadatadata"};
	const int64_t bytes[] = {3, 2, 0, 12};
	struct image image;

	for (size_t i = 0; i < 4; i++) {
		for (size_t piece = 1; piece < 6; piece++) {
			feed_in_pieces(&image, texts[i], piece);
			assert_false(image.is_data_url);
			assert_int_equal(image_bytes(&image), bytes[i]);
		}
	}
}

static void test_prefix_without_a_comma_has_no_bytes(void **state)
{
	struct image image;

	feed_in_pieces(&image, "data:image/png;base64", 5);
	assert_true(image.is_data_url);
	assert_int_equal(image_bytes(&image), 0);
}

static void test_prefix_that_does_not_end_hides_no_image(void **state)
{
	char *base64 = base64_encode(png, sizeof(png));
	char text[512] = "data:";
	struct image image;

	memset(text + strlen(text), 'x', 300);
	strcat(text, ",");
	strcat(text, base64);
	for (size_t piece = 1; piece < sizeof(text); piece++) {
		feed_in_pieces(&image, text, piece);
		assert_int_equal(image.width, 0);
	}
	free(base64);
}

static void test_line_ends_alone_in_their_piece_are_skipped(void **state)
{
	char *base64 = base64_encode(png, sizeof(png));
	struct image image;

	image_init(&image);
	for (const char *at = base64; *at; at++) {
		image_feed(&image, at, 1);
		image_feed(&image, "\r", 1);
		image_feed(&image, "\n", 1);
	}
	image_finish(&image);
	assert_int_equal(image.width, 0x1234);
	assert_int_equal(image_bytes(&image), sizeof(png));
	free(base64);
}

static void test_url_alphabet_is_read(void **state)
{
	/* ff d8 ff c0 00 11 08 fb ff fb ff: "+" and "/" in the other alphabet's place */
	struct image image;

	feed_in_pieces(&image, "_9j_wAARCPv_-_8", 3);
	assert_int_equal(image.height, 0xfbff);
	assert_int_equal(image.width, 0xfbff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_png),
		cmocka_unit_test(test_gif),
		cmocka_unit_test(test_bmp_of_each_header_and_direction),
		cmocka_unit_test(test_webp_of_each_kind),
		cmocka_unit_test(test_jpeg_frame_right_behind_the_start),
		cmocka_unit_test(test_jpeg_tables_and_fill_bytes_are_passed_over),
		cmocka_unit_test(test_jpeg_thumbnail_in_metadata_is_not_the_image),
		cmocka_unit_test(test_jpeg_without_a_frame_is_unknown),
		cmocka_unit_test(test_jpeg_walk_ends_after_64_kilobytes),
		cmocka_unit_test(test_sides_that_no_image_has_are_unknown),
		cmocka_unit_test(test_what_is_no_image_is_counted),
		cmocka_unit_test(test_data_url_prefix_is_skipped),
		cmocka_unit_test(test_base64_that_begins_like_a_prefix_is_decoded),
		cmocka_unit_test(test_prefix_without_a_comma_has_no_bytes),
		cmocka_unit_test(test_prefix_that_does_not_end_hides_no_image),
		cmocka_unit_test(test_line_ends_alone_in_their_piece_are_skipped),
		cmocka_unit_test(test_url_alphabet_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
