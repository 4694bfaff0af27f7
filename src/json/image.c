#include "json/image.h"

#include <string.h>

#define DATA_SCHEME "data:"
#define DATA_SCHEME_LENGTH (sizeof(DATA_SCHEME) - 1)
/* "data:image/svg+xml;charset=utf-8;base64," and the like; what is longer is no image's URL. */
#define DATA_PREFIX_MAX 256

#define DIGIT_BITS 6
#define PADDING '='

/* JPEG, ITU-T T.81 table B.1 */
#define JPEG_MARK 0xff
#define JPEG_SOI 0xd8
#define JPEG_EOI 0xd9
#define JPEG_SOS 0xda
#define JPEG_SOF0 0xc0
#define JPEG_SOF15 0xcf
#define JPEG_DHT 0xc4
#define JPEG_JPG 0xc8
#define JPEG_DAC 0xcc
#define JPEG_TEM 0x01
#define JPEG_RST0 0xd0
#define JPEG_RST7 0xd7
#define JPEG_LENGTH_BYTES 2

/* What the JPEG walk expects next. */
enum jpeg_due { DUE_MARK, DUE_MARKER, DUE_LENGTH_HIGH, DUE_LENGTH_LOW, DUE_SEGMENT };

void image_init(struct image *image)
{
	memset(image, 0, sizeof(*image));
}

static uint32_t little16(const uint8_t *bytes)
{
	return bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t little24(const uint8_t *bytes)
{
	return little16(bytes) | (uint32_t)bytes[2] << 16;
}

static uint32_t little32(const uint8_t *bytes)
{
	return little24(bytes) | (uint32_t)bytes[3] << 24;
}

static uint32_t big16(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 8 | bytes[1];
}

static uint32_t big32(const uint8_t *bytes)
{
	return big16(bytes) << 16 | big16(bytes + 2);
}

/* Both or none: a size of 0 is not one, nor is what does not fit 31 bits (no format allows it). */
static void set_size(struct image *image, uint32_t width, uint32_t height)
{
	image->state = IMAGE_KNOWN;
	if (width == 0 || height == 0 || width > INT32_MAX || height > INT32_MAX)
		return;
	image->width = width;
	image->height = height;
}

static void read_bmp(struct image *image)
{
	enum { HEADER_SIZE = 14, CORE_WIDTH = 18, CORE_HEIGHT = 20, WIDTH = 18, HEIGHT = 22 };
	enum { CORE_HEADER = 12, INFO_HEADER = 40 };
	const uint8_t *header = image->header;
	uint32_t kind = little32(header + HEADER_SIZE);

	if (kind == CORE_HEADER) {
		set_size(image, little16(header + CORE_WIDTH), little16(header + CORE_HEIGHT));
	} else if (kind >= INFO_HEADER) {
		uint32_t height = little32(header + HEIGHT);

		/* negative: its rows go from top to bottom */
		if (height > INT32_MAX)
			height = -height;
		set_size(image, little32(header + WIDTH), height);
	}
}

/* RFC 9649 */
static void read_webp(struct image *image)
{
	enum { CHUNK = 12, DATA = 20, SIDE_14_BITS = 0x3fff };
	const uint8_t *header = image->header;
	const uint8_t *data = header + DATA;

	if (memcmp(header + CHUNK, "VP8X", 4) == 0) {
		set_size(image, little24(data + 4) + 1, little24(data + 7) + 1);
	} else if (memcmp(header + CHUNK, "VP8L", 4) == 0 && data[0] == 0x2f) {
		uint32_t sides = little32(data + 1);

		set_size(image, (sides & SIDE_14_BITS) + 1, (sides >> 14 & SIDE_14_BITS) + 1);
	} else if (memcmp(header + CHUNK, "VP8 ", 4) == 0 &&
		   memcmp(data + 3, "\x9d\x01\x2a", 3) == 0) {
		set_size(image, little16(data + 6) & SIDE_14_BITS,
			little16(data + 8) & SIDE_14_BITS);
	}
}

/* Reads what stands at a fixed place; the header holds `decoded` bytes, then zeros. */
static void read_header(struct image *image)
{
	enum { PNG_LENGTH = 24, PNG_WIDTH = 16, PNG_HEIGHT = 20 };
	enum { GIF_LENGTH = 10, GIF_WIDTH = 6, GIF_HEIGHT = 8, BMP_LENGTH = 26 };
	const uint8_t *header = image->header;
	uint32_t length = image->decoded;

	image->state = IMAGE_KNOWN;
	if (length >= PNG_LENGTH && memcmp(header, "\x89PNG\r\n\x1a\n", 8) == 0)
		set_size(image, big32(header + PNG_WIDTH), big32(header + PNG_HEIGHT));
	else if (length >= GIF_LENGTH &&
		 (memcmp(header, "GIF87a", 6) == 0 || memcmp(header, "GIF89a", 6) == 0))
		set_size(image, little16(header + GIF_WIDTH), little16(header + GIF_HEIGHT));
	else if (length >= BMP_LENGTH && memcmp(header, "BM", 2) == 0)
		read_bmp(image);
	else if (length >= IMAGE_HEADER_SIZE && memcmp(header, "RIFF", 4) == 0 &&
		 memcmp(header + 8, "WEBP", 4) == 0)
		read_webp(image);
}

static bool is_frame_marker(uint8_t marker)
{
	return marker >= JPEG_SOF0 && marker <= JPEG_SOF15 && marker != JPEG_DHT &&
	       marker != JPEG_JPG && marker != JPEG_DAC;
}

static void walk_marker(struct image *image, uint8_t marker)
{
	if (marker == JPEG_MARK)
		return; /* a fill byte */
	image->marker = marker;
	if (marker == JPEG_TEM || marker == JPEG_SOI ||
		(marker >= JPEG_RST0 && marker <= JPEG_RST7))
		image->due = DUE_MARK; /* they stand alone */
	else if (marker == 0 || marker == JPEG_EOI || marker == JPEG_SOS)
		image->state = IMAGE_KNOWN; /* no frame came */
	else
		image->due = DUE_LENGTH_HIGH;
}

static void walk_length(struct image *image)
{
	image->due = DUE_SEGMENT;
	image->frame_length = 0;
	if (image->left < JPEG_LENGTH_BYTES) {
		image->state = IMAGE_KNOWN;
		return;
	}
	image->left -= JPEG_LENGTH_BYTES;
	if (image->left == 0)
		image->due = DUE_MARK;
}

static void walk_segment(struct image *image, uint8_t byte)
{
	enum { HEIGHT = 1, WIDTH = 3 };

	if (is_frame_marker(image->marker)) {
		image->frame[image->frame_length++] = byte;
		if (image->frame_length == IMAGE_FRAME_SIZE) {
			set_size(image, big16(image->frame + WIDTH), big16(image->frame + HEIGHT));
			return;
		}
	}
	if (--image->left == 0)
		image->due = DUE_MARK;
}

static void walk_jpeg(struct image *image, uint8_t byte)
{
	switch ((enum jpeg_due)image->due) {
	case DUE_MARK:
		if (byte == JPEG_MARK)
			image->due = DUE_MARKER;
		else
			image->state = IMAGE_KNOWN;
		break;
	case DUE_MARKER:
		walk_marker(image, byte);
		break;
	case DUE_LENGTH_HIGH:
		image->left = (uint32_t)byte << 8;
		image->due = DUE_LENGTH_LOW;
		break;
	case DUE_LENGTH_LOW:
		image->left |= byte;
		walk_length(image);
		break;
	case DUE_SEGMENT:
		walk_segment(image, byte);
		break;
	}
	if (image->decoded >= IMAGE_WALK_MAX)
		image->state = IMAGE_KNOWN;
}

static void on_byte(struct image *image, uint8_t byte)
{
	uint32_t at = image->decoded++;

	if (image->state == IMAGE_JPEG) {
		walk_jpeg(image, byte);
		return;
	}
	image->header[at] = byte;
	if (image->decoded == 2 && image->header[0] == JPEG_MARK && byte == JPEG_SOI)
		image->state = IMAGE_JPEG;
	else if (image->decoded == IMAGE_HEADER_SIZE)
		read_header(image);
}

/* -1: not a digit of base64; the URL alphabet is taken too (RFC 4648). */
static int digit_value(char digit)
{
	if (digit >= 'A' && digit <= 'Z')
		return digit - 'A';
	if (digit >= 'a' && digit <= 'z')
		return digit - 'a' + 26;
	if (digit >= '0' && digit <= '9')
		return digit - '0' + 52;
	if (digit == '+' || digit == '-')
		return 62;
	return digit == '/' || digit == '_' ? 63 : -1;
}

static void on_digit(struct image *image, char digit)
{
	int value = digit_value(digit);

	if (value < 0) {
		image_finish(image);
		return;
	}
	image->bits = image->bits << DIGIT_BITS | (uint32_t)value;
	image->bit_count += DIGIT_BITS;
	if (image->bit_count >= 8) {
		image->bit_count -= 8;
		on_byte(image, (uint8_t)(image->bits >> image->bit_count));
	}
}

static bool is_looking(const struct image *image)
{
	return image->state == IMAGE_HEADER || image->state == IMAGE_JPEG;
}

/* The first bytes that could be "data:" and proved to be base64 are decoded after all. */
static void give_back_prefix(struct image *image)
{
	image->state = IMAGE_HEADER;
	image->digits += image->prefix_length;
	for (unsigned i = 0; i < image->prefix_length && is_looking(image); i++)
		on_digit(image, DATA_SCHEME[i]);
}

static void on_prefix(struct image *image, char byte)
{
	image->prefix_length++;
	if (image->state == IMAGE_URL) {
		if (byte == ',')
			image->state = IMAGE_HEADER;
		else if (image->prefix_length == DATA_PREFIX_MAX)
			image->state = IMAGE_KNOWN;
		return;
	}
	if (byte != DATA_SCHEME[image->prefix_length - 1]) {
		image->prefix_length--;
		give_back_prefix(image);
		image_feed(image, &byte, 1);
	} else if (image->prefix_length == DATA_SCHEME_LENGTH) {
		image->is_data_url = true;
		image->state = IMAGE_URL;
	}
}

static bool is_line_end(char byte)
{
	return byte == '\n' || byte == '\r';
}

static void count_digits(struct image *image, const char *at, const char *end)
{
	uint64_t length = (uint64_t)(end - at);
	uint64_t padding = 0;

	while (padding < length && end[-1 - (ptrdiff_t)padding] == PADDING)
		padding++;
	image->digits += length;
	image->padding = padding == length ? image->padding + padding : padding;
}

void image_feed(struct image *image, const char *base64, size_t length)
{
	const char *at = base64;
	const char *end = base64 + length;

	while (at < end && (image->state == IMAGE_PREFIX || image->state == IMAGE_URL))
		on_prefix(image, *at++);
	if (at == end || (length == 1 && is_line_end(*at)))
		return;
	count_digits(image, at, end);
	while (at < end && is_looking(image))
		on_digit(image, *at++);
}

void image_feed_text(struct image *image, const char *base64, size_t length)
{
	while (length > 0) {
		size_t run = 0;

		while (run < length && !is_line_end(base64[run]))
			run++;
		if (run == 0)
			run = 1;
		image_feed(image, base64, run);
		base64 += run;
		length -= run;
	}
}

void image_finish(struct image *image)
{
	if (image->state == IMAGE_PREFIX)
		give_back_prefix(image);
	if (image->state == IMAGE_HEADER)
		read_header(image);
	image->state = IMAGE_KNOWN;
}

int64_t image_bytes(const struct image *image)
{
	return (int64_t)((image->digits - image->padding) * DIGIT_BITS / 8);
}

static int64_t add_capped(int64_t a, int64_t b)
{
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

void image_sum_count(struct image_sum *sum, const struct image *image)
{
	struct image_sum one = {.count = 1, .bytes = image_bytes(image)};

	if (image->width > 0) {
		one.sized = 1;
		one.pixels = (int64_t)image->width * image->height;
		one.width = image->width;
		one.height = image->height;
	}
	image_sum_add(sum, &one);
}

void image_sum_add(struct image_sum *sum, const struct image_sum *more)
{
	sum->count += more->count;
	sum->bytes = add_capped(sum->bytes, more->bytes);
	sum->sized += more->sized;
	sum->pixels = add_capped(sum->pixels, more->pixels);
	if ((uint64_t)more->width * more->height > (uint64_t)sum->width * sum->height) {
		sum->width = more->width;
		sum->height = more->height;
	}
}
