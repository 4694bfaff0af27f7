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
static uint64_t add_word(uint64_t state, const unsigned char *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	state = (state ^ word ^ MIX_ONE) * FACTOR;
	return state ^ (state >> 32);
}

static void add_blocks(struct hash64 *hash, const unsigned char *at, size_t blocks)
{
	uint64_t state[HASH64_LANES];

	memcpy(state, hash->state, sizeof(state));
	for (; blocks > 0; blocks--, at += HASH64_BLOCK_BYTES) {
		for (size_t i = 0; i < HASH64_LANES; i++)
			state[i] = add_word(state[i], at + i * WORD_BYTES);
	}
	memcpy(hash->state, state, sizeof(state));
}

void hash64_feed(struct hash64 *hash, const void *bytes, size_t length)
{
	const unsigned char *at = bytes;
	size_t used = hash->length % HASH64_BLOCK_BYTES;
	size_t blocks;

	hash->length += length;
	if (used > 0) {
		size_t take =
			HASH64_BLOCK_BYTES - used < length ? HASH64_BLOCK_BYTES - used : length;

		memcpy(hash->rest + used, at, take);
		at += take;
		length -= take;
		if (used + take < HASH64_BLOCK_BYTES)
			return;
		add_blocks(hash, hash->rest, 1);
	}
	blocks = length / HASH64_BLOCK_BYTES;
	add_blocks(hash, at, blocks);
	at += blocks * HASH64_BLOCK_BYTES;
	length -= blocks * HASH64_BLOCK_BYTES;
	if (length > 0)
		memcpy(hash->rest, at, length);
}

uint64_t hash64_value(const struct hash64 *hash)
{
	struct hash64 whole = *hash;
	size_t used = hash->length % HASH64_BLOCK_BYTES;
	uint64_t value = hash->length;

	memset(whole.rest + used, 0, HASH64_BLOCK_BYTES - used);
	add_blocks(&whole, whole.rest, 1);
	/* the lanes' order counts */
	for (size_t i = 0; i < HASH64_LANES; i++)
		value = mix(value * FACTOR + whole.state[i]);
	return value;
}

uint64_t hash64_text(const char *text)
{
	struct hash64 hash = {0};

	if (!text)
		return 0;
	hash64_feed(&hash, text, strlen(text));
	return hash64_value(&hash);
}
