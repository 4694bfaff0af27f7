/*
 * The places of a request body that mean something to peek, and the keys that lead to them. Called
 * by peek alone.
 */
#ifndef SO_JSON_PEEK_RULES_H
#define SO_JSON_PEEK_RULES_H

#include <stdbool.h>
#include <stddef.h>

/* Keys of one object that may hold images, each with a sum of its own. */
#define PEEK_SLOTS 3
#define PEEK_SLOT_NONE PEEK_SLOTS

/* Containers that mean something. */
enum peek_place {
	PLACE_ELSEWHERE,
	PLACE_ROOT,
	PLACE_OPTIONS,
	PLACE_PROMPT,
	PLACE_INPUT,
	PLACE_MESSAGES,
	PLACE_MESSAGE,
	PLACE_CONTENT, /* of a message: its parts */
	PLACE_PART,
	PLACE_IMAGES, /* base64 strings */
	PLACE_IMAGE_URL,
	PLACE_SOURCE,
};

enum peek_key {
	KEY_MODEL,
	KEY_NAME,
	KEY_STREAM,
	KEY_KEEP_ALIVE,
	KEY_OPTIONS,
	KEY_PROMPT,
	KEY_INPUT,
	KEY_MESSAGES,
	KEY_IMAGES,
	KEY_CONTENT,
	KEY_URL,
	KEY_SOURCE,
	KEY_TYPE,
	KEY_MEDIA_TYPE,
	KEY_DATA,
};

/* What a key means in the object `in`, and which container its value opens. */
struct peek_rule {
	enum peek_place in;
	const char *name;
	enum peek_key key;
	unsigned slot;
	enum peek_place object;
	enum peek_place array;
};

/* The rule for a key of an object, matched as Go's encoding/json does; NULL: none. */
const struct peek_rule *peek_rule_find(enum peek_place in, const char *key, size_t length);
/* The enum peek_option for a key of "options"; -1: none. */
int peek_rule_find_option(const char *key, size_t length);
bool peek_rule_is_num_keep(const char *key, size_t length);
bool peek_place_is_array(enum peek_place place);

#endif
