#include "base/hash64.h"

#include <string.h>

enum { WORD_BYTES = 8 };

/* Odd, with about as many ones as zeros: the golden ratio's fraction, and SplitMix64's. */
#define FACTOR UINT64_C(0x9e3779b97f4a7c15)
#define MIX_ONE UINT64_C(0xbf58476d1ce4e5b9)
#define MIX_TWO UINT64_C(0x94d049bb133111eb)

static uint64_t mix(uint64_t word)
{
	word = (word ^ (word >> 30)) * MIX_ONE;
	word = (word ^ (word >> 27)) * MIX_TWO;
	return word ^ (word >> 31);
}

/* One multiplication for each eight bytes of a body: hash64_value() mixes once more. */
static void add_word(struct hash64 *hash, const unsigned char *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	hash->state = (hash->state ^ word ^ MIX_ONE) * FACTOR;
	hash->state ^= hash->state >> 32;
}

void hash64_feed(struct hash64 *hash, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	size_t used = hash->length % WORD_BYTES;

	hash->length += length;
	if (used > 0) {
		size_t take = WORD_BYTES - used < length ? WORD_BYTES - used : length;

		memcpy(hash->rest + used, at, take);
		at += take;
		length -= take;
		if (used + take < WORD_BYTES)
			return;
		add_word(hash, hash->rest);
	}
	for (; length >= WORD_BYTES; length -= WORD_BYTES, at += WORD_BYTES)
		add_word(hash, at);
	if (length > 0)
		memcpy(hash->rest, at, length);
}

uint64_t hash64_value(const struct hash64 *hash)
{
	struct hash64 whole = *hash;
	size_t used = hash->length % WORD_BYTES;

	memset(whole.rest + used, 0, WORD_BYTES - used);
	add_word(&whole, whole.rest);
	return mix(whole.state ^ whole.length);
}

uint64_t hash64_text(const char *text)
{
	struct hash64 hash = {0};

	if (!text)
		return 0;
	hash64_feed(&hash, text, strlen(text));
	return hash64_value(&hash);
}
