/*
 * API keys as hashes: SHA-256 by OpenSSL, compared in constant time. Called by front/access. Why a
 * plain, fast hash is enough for keys, which are random, and would not be for passwords:
 * docs/security.md.
 */
#ifndef SO_IO_SECRET_H
#define SO_IO_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

enum { SECRET_HASH_BYTES = 32 };

/* Of `salt` (may be "") followed by `text`. false: OpenSSL cannot; then there is no hash. No copy
 * of the text is kept. */
MUST_CHECK bool secret_hash(const char *salt, const char *text, size_t length,
	unsigned char ret_hash[SECRET_HASH_BYTES]);
/* The time that it takes does not depend on the bytes. */
bool secret_is_same(
	const unsigned char left[SECRET_HASH_BYTES], const unsigned char right[SECRET_HASH_BYTES]);

#endif
