/*
 * Reads an image's width and height from the first bytes of its base64 text, as that text arrives,
 * and counts what it decodes to. No pixel is decoded: PNG (IHDR), GIF, BMP and WebP (VP8, VP8L,
 * VP8X) say it in their first 30 bytes; JPEG by a walk over its markers, at most IMAGE_WALK_MAX
 * bytes. Called by peek with the content of a JSON string.
 *
 * A leading "data:…," is skipped. Line ends inside of the base64 are skipped as in Go, for whose
 * decoder the text is meant; in JSON they can only stand as escapes, so each comes as a piece of
 * its own and longer pieces need no search.
 */
#ifndef SO_JSON_IMAGE_H
#define SO_JSON_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A JPEG whose size stands behind more metadata than this has no known size (PRODUCT 6.1). */
#define IMAGE_WALK_MAX (64 * 1024)
/* WebP's headers are the longest of those at a fixed place. */
#define IMAGE_HEADER_SIZE 30

/* Of a JPEG's frame segment: precision, height, width. */
#define IMAGE_FRAME_SIZE 5

enum image_state {
	IMAGE_PREFIX, /* is it "data:"? */
	IMAGE_URL,    /* it is: until the comma */
	IMAGE_HEADER,
	IMAGE_JPEG,
	IMAGE_KNOWN /* all that can be learnt: the rest is counted */
};

struct image {
	enum image_state state;
	unsigned prefix_length;
	bool is_data_url;
	uint64_t digits;  /* of base64, padding included */
	uint64_t padding; /* at their end */
	/* the decoder */
	uint32_t bits;
	unsigned bit_count;
	uint32_t decoded; /* bytes so far, while they are looked at */
	uint8_t header[IMAGE_HEADER_SIZE];
	/* the JPEG walk: which byte is due, and of which segment */
	uint8_t due;
	uint8_t marker;
	uint32_t left; /* of the segment */
	unsigned frame_length;
	uint8_t frame[IMAGE_FRAME_SIZE];
	/* results; 0: not known */
	uint32_t width;
	uint32_t height;
};

void image_init(struct image *image);
void image_feed(struct image *image, const char *base64, size_t length);
/* The same for text that may have line ends inside. */
void image_feed_text(struct image *image, const char *base64, size_t length);
/* The text is complete: a short image's header is read now. */
void image_finish(struct image *image);
/* What the base64 decodes to, so far. */
int64_t image_bytes(const struct image *image);

/* What many images come to. */
struct image_sum {
	int64_t count;
	int64_t bytes;
	int64_t sized; /* those whose size could be read */
	int64_t pixels;
	uint32_t width; /* of the largest */
	uint32_t height;
};

/* Counts a finished image in. */
void image_sum_count(struct image_sum *sum, const struct image *image);
void image_sum_add(struct image_sum *sum, const struct image_sum *more);

#endif
