#include "core/identity.h"

#include <ctype.h>
#include <string.h>

#include <event2/util.h>

#include "base/memory.h"

enum { RANDOM_BYTES = 16, RANDOM_STOCK = 64, OWN_ID_MOST = RECORD_ID_BYTES - 1 };

static int hex_value(char digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = digit ? strchr(digits, tolower((unsigned char)digit)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* The byte at `*at`, which moves to its end; a broken escape stands for itself. */
static unsigned char next_byte(const struct identity_word *word, size_t *at, bool is_encoded)
{
	const char *text = word->text + *at;
	int high = -1;
	int low = -1;

	if (is_encoded && text[0] == '%' && *at + 2 < word->length) {
		high = hex_value(text[1]);
		low = hex_value(text[2]);
	}
	if (high < 0 || low < 0)
		return (unsigned char)*text;
	*at += 2;
	return (unsigned char)(high << 4 | low);
}

/* The printable bytes of a word; returns their number. */
static size_t clean(
	const struct identity_word *word, bool is_encoded, char name[IDENTITY_PROJECT_BYTES])
{
	size_t used = 0;

	for (size_t i = 0; word->text && i < word->length && used < IDENTITY_PROJECT_BYTES; i++) {
		unsigned char byte = next_byte(word, &i, is_encoded);

		if (byte == ' ' && used == 0)
			continue;
		if (byte >= 0x80 || isprint(byte))
			name[used++] = (char)byte;
	}
	while (used > 0 && name[used - 1] == ' ')
		used--;
	return used;
}

char *identity_project(const struct identity_word words[IDENTITY_SOURCES], const char *client_ip)
{
	char name[IDENTITY_PROJECT_BYTES];

	for (size_t i = 0; i < IDENTITY_SOURCES; i++) {
		bool is_encoded = i >= IDENTITY_WEBUI_NAME && i <= IDENTITY_WEBUI_ID;
		size_t length = clean(&words[i], is_encoded, name);

		if (length > 0)
			return mem_strndup(name, length);
	}
	return mem_strdup(client_ip);
}

static bool is_sane_id(const char *header, size_t length)
{
	static const char marks[] = {'-', '.', '_', ':'};

	if (!header || length == 0 || length > OWN_ID_MOST)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)header[i]) && !memchr(marks, header[i], sizeof(marks)))
			return false;
	}
	return true;
}

/* One system call for many ids. */
static const unsigned char *next_random(void)
{
	static unsigned char stock[RANDOM_BYTES * RANDOM_STOCK];
	static size_t used = sizeof(stock);

	if (used == sizeof(stock)) {
		evutil_secure_rng_get_bytes(stock, sizeof(stock));
		used = 0;
	}
	used += RANDOM_BYTES;
	return stock + used - RANDOM_BYTES;
}

void identity_request_id(const char *header, size_t length, char ret_id[RECORD_ID_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *random;

	if (is_sane_id(header, length)) {
		memcpy(ret_id, header, length);
		ret_id[length] = '\0';
		return;
	}
	random = next_random();
	for (size_t i = 0; i < RANDOM_BYTES; i++) {
		*ret_id++ = digits[random[i] >> 4];
		*ret_id++ = digits[random[i] & 0x0f];
	}
	*ret_id = '\0';
}
