#include "json/peek_rules.h"

#include <string.h>

#include "base/compiler.h"
#include "json/peek.h"

static const struct peek_rule rules[] = {
	{PLACE_ROOT, "model", KEY_MODEL, PEEK_SLOT_NONE, PLACE_ELSEWHERE, PLACE_ELSEWHERE},
	{PLACE_ROOT, "name", KEY_NAME, PEEK_SLOT_NONE, PLACE_ELSEWHERE, PLACE_ELSEWHERE},
	{PLACE_ROOT, "stream", KEY_STREAM, PEEK_SLOT_NONE, PLACE_ELSEWHERE, PLACE_ELSEWHERE},
	{PLACE_ROOT, "keep_alive", KEY_KEEP_ALIVE, PEEK_SLOT_NONE, PLACE_ELSEWHERE,
		PLACE_ELSEWHERE},
	{PLACE_ROOT, "options", KEY_OPTIONS, PEEK_SLOT_NONE, PLACE_OPTIONS, PLACE_ELSEWHERE},
	{PLACE_ROOT, "prompt", KEY_PROMPT, PEEK_SLOT_NONE, PLACE_ELSEWHERE, PLACE_PROMPT},
	{PLACE_ROOT, "images", KEY_IMAGES, 0, PLACE_ELSEWHERE, PLACE_IMAGES},
	{PLACE_ROOT, "messages", KEY_MESSAGES, 1, PLACE_ELSEWHERE, PLACE_MESSAGES},
	{PLACE_ROOT, "input", KEY_INPUT, 2, PLACE_ELSEWHERE, PLACE_INPUT},
	{PLACE_MESSAGE, "images", KEY_IMAGES, 0, PLACE_ELSEWHERE, PLACE_IMAGES},
	{PLACE_MESSAGE, "content", KEY_CONTENT, 1, PLACE_ELSEWHERE, PLACE_CONTENT},
	{PLACE_PART, "image_url", KEY_URL, 0, PLACE_IMAGE_URL, PLACE_ELSEWHERE},
	{PLACE_PART, "source", KEY_SOURCE, 1, PLACE_SOURCE, PLACE_ELSEWHERE},
	{PLACE_PART, "content", KEY_CONTENT, 2, PLACE_ELSEWHERE, PLACE_CONTENT},
	{PLACE_IMAGE_URL, "url", KEY_URL, 0, PLACE_ELSEWHERE, PLACE_ELSEWHERE},
	{PLACE_SOURCE, "type", KEY_TYPE, PEEK_SLOT_NONE, PLACE_ELSEWHERE, PLACE_ELSEWHERE},
	{PLACE_SOURCE, "media_type", KEY_MEDIA_TYPE, PEEK_SLOT_NONE, PLACE_ELSEWHERE,
		PLACE_ELSEWHERE},
	{PLACE_SOURCE, "data", KEY_DATA, 0, PLACE_ELSEWHERE, PLACE_ELSEWHERE},
};

const char *peek_option_name(enum peek_option option)
{
	static const char *const names[] = {
#define X(symbol, name) name,
		PEEK_OPTIONS(X)
#undef X
	};

	return names[option];
}

/*
 * Go's encoding/json takes a key for a field's if they are equal but for case, by Unicode's simple
 * folding: besides the letters, U+017F (long s) is an s and U+212A (Kelvin) is a k. Returns the
 * bytes of `key` that stand for `letter`; 0: other.
 */
static size_t match_letter(const char *key, size_t length, char letter)
{
	unsigned char byte = (unsigned char)key[0];

	if (byte >= 'A' && byte <= 'Z')
		byte |= 0x20;
	if (byte == (unsigned char)letter)
		return 1;
	if (letter == 's' && length >= 2 && memcmp(key, "\xc5\xbf", 2) == 0)
		return 2;
	return letter == 'k' && length >= 3 && memcmp(key, "\xe2\x84\xaa", 3) == 0 ? 3 : 0;
}

static bool is_key(const char *key, size_t length, const char *name)
{
	while (length > 0 && *name) {
		size_t matched = match_letter(key, length, *name);

		if (matched == 0)
			return false;
		key += matched;
		length -= matched;
		name++;
	}
	return length == 0 && *name == '\0';
}

const struct peek_rule *peek_rule_find(enum peek_place in, const char *key, size_t length)
{
	for (size_t i = 0; i < ARRAY_LENGTH(rules); i++)
		if (rules[i].in == in && is_key(key, length, rules[i].name))
			return &rules[i];
	return NULL;
}

/* Options are a map in Ollama, whose keys are taken as they are. */
int peek_rule_find_option(const char *key, size_t length)
{
	for (int i = 0; i < PEEK_OPTION_COUNT; i++) {
		const char *name = peek_option_name((enum peek_option)i);

		if (strlen(name) == length && memcmp(name, key, length) == 0)
			return i;
	}
	return -1;
}

bool peek_rule_is_num_keep(const char *key, size_t length)
{
	return length == strlen("num_keep") && memcmp(key, "num_keep", length) == 0;
}

bool peek_place_is_array(enum peek_place place)
{
	return place == PLACE_PROMPT || place == PLACE_INPUT || place == PLACE_MESSAGES ||
	       place == PLACE_CONTENT || place == PLACE_IMAGES;
}
