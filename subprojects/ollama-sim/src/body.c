#include "body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A chunk-size line with its extensions, and a trailer line: more is not sensible. */
#define LINE_MAX_BYTES 4096
#define SHA256_BYTES 32
#define MAX_SIZE_DIGITS 15 /* hex digits of a chunk size that fit without overflow */
/* What a finished body keeps for the next one of its connection. */
#define KEEP_BYTES 16384

void body_begin(
	struct body *body, const struct request *request, enum body_mode mode, size_t max_bytes)
{
	body->mode = mode;
	body->is_chunked = request->is_chunked;
	body->place = request->is_chunked ? BODY_CHUNK_SIZE : BODY_DATA;
	body->left = request->content_length > 0 ? (uint64_t)request->content_length : 0;
	body->received = 0;
	body->max_bytes = max_bytes;
	bytes_clear(&body->content);
	if (mode == BODY_HASH) {
		if (body->hash == NULL)
			body->hash = EVP_MD_CTX_new();
		EVP_DigestInit_ex(body->hash, EVP_sha256(), NULL);
	}
}

static bool take_data(struct body *body, struct bytes *in)
{
	size_t length = bytes_length(in);

	if (length > body->left)
		length = (size_t)body->left;
	if (length == 0)
		return true;
	switch (body->mode) {
	case BODY_COLLECT:
		if (body->received + length > body->max_bytes)
			return false;
		bytes_add(&body->content, bytes_at(in), length);
		break;
	case BODY_HASH:
		EVP_DigestUpdate(body->hash, bytes_at(in), length);
		break;
	case BODY_DISCARD:
		break;
	}
	body->received += length;
	body->left -= length;
	bytes_consume(in, length);
	return true;
}

/* The length of the line at the start of in with its line end; 0 if it is not complete. */
static size_t line_length(const struct bytes *in)
{
	const char *end =
		bytes_length(in) == 0 ? NULL : memchr(bytes_at(in), '\n', bytes_length(in));

	return end == NULL ? 0 : (size_t)(end - bytes_at(in)) + 1;
}

static bool take_chunk_size(struct body *body, struct bytes *in, size_t length)
{
	char line[MAX_SIZE_DIGITS + 2];
	size_t digits = 0;

	while (digits < length && digits <= MAX_SIZE_DIGITS &&
		strchr("0123456789abcdefABCDEF", bytes_at(in)[digits]) != NULL &&
		bytes_at(in)[digits] != '\0')
		digits++;
	if (digits == 0 || digits > MAX_SIZE_DIGITS)
		return false;
	memcpy(line, bytes_at(in), digits);
	line[digits] = '\0';
	body->left = strtoull(line, NULL, 16);
	body->place = body->left == 0 ? BODY_TRAILER : BODY_DATA;
	bytes_consume(in, length);
	return true;
}

static enum body_result take_line(struct body *body, struct bytes *in)
{
	size_t length = line_length(in);

	if (length == 0)
		return bytes_length(in) > LINE_MAX_BYTES ? BODY_MALFORMED : BODY_MORE;
	bool is_empty = length <= 2 && *bytes_at(in) != '0';
	switch (body->place) {
	case BODY_CHUNK_SIZE:
		return take_chunk_size(body, in, length) ? BODY_DONE : BODY_MALFORMED;
	case BODY_CHUNK_END:
		if (!is_empty)
			return BODY_MALFORMED;
		body->place = BODY_CHUNK_SIZE;
		break;
	case BODY_TRAILER:
		if (is_empty)
			body->place = BODY_AT_END;
		break;
	case BODY_DATA:
	case BODY_AT_END:
		break;
	}
	bytes_consume(in, length);
	return BODY_DONE;
}

enum body_result body_feed(struct body *body, struct bytes *in)
{
	while (body->place != BODY_AT_END) {
		if (body->place != BODY_DATA) {
			enum body_result result = take_line(body, in);

			if (result != BODY_DONE)
				return result;
			continue;
		}
		if (!take_data(body, in))
			return BODY_TOO_LARGE;
		if (body->left > 0)
			return BODY_MORE;
		body->place = body->is_chunked ? BODY_CHUNK_END : BODY_AT_END;
	}
	return BODY_DONE;
}

uint64_t body_left(const struct body *body)
{
	return body->is_chunked ? 0 : body->left;
}

void body_hash_text(struct body *body, char ret_text[BODY_HASH_TEXT_BYTES])
{
	unsigned char hash[SHA256_BYTES];

	EVP_DigestFinal_ex(body->hash, hash, NULL);
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(ret_text + 2 * i, 3, "%02x", hash[i]);
}

void body_clear(struct body *body)
{
	bytes_clear(&body->content);
	bytes_shrink(&body->content, KEEP_BYTES);
}

void body_finish(struct body *body)
{
	bytes_finish(&body->content);
	EVP_MD_CTX_free(body->hash);
	body->hash = NULL;
}
