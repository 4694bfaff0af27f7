#include "config/api_keys.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include <libconfig.h>

#include "base/memory.h"
#include "config/rules.h"
#include "config/settings.h"

enum {
	/* A key without a limit of its own needs no number, and this many a minute is one a
	   millisecond. */
	RATE_MAX = 60000,
};

static const char HASH_PREFIX[] = "sha256:";

static int hex_digit(char byte)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = byte ? strchr(digits, tolower((unsigned char)byte)) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* "sha256:" and 64 hexadecimal digits. */
static bool read_hash(const char *text, unsigned char hash[API_KEY_HASH_BYTES])
{
	if (strncmp(text, HASH_PREFIX, strlen(HASH_PREFIX)) != 0)
		return false;
	text += strlen(HASH_PREFIX);
	if (strlen(text) != 2 * (size_t)API_KEY_HASH_BYTES)
		return false;
	for (size_t i = 0; i < API_KEY_HASH_BYTES; i++) {
		int high = hex_digit(text[2 * i]);
		int low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		hash[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static char *read_hash_member(const config_setting_t *setting, void *row)
{
	const char *text = config_setting_get_string(setting);
	struct api_key *key = row;

	if (text && read_hash(text, key->hash))
		return NULL;
	return mem_strdup("hash must be \"sha256:\" and 64 hexadecimal digits "
			  "(printf %s \"$KEY\" | sha256sum)");
}

static char *explain(const char *member)
{
	if (strcmp(member, "key") != 0)
		return NULL;
	return mem_strdup("a key stands here only as its hash: "
			  "hash = \"sha256:...\" (printf %s \"$KEY\" | sha256sum)");
}

static char *check(void *row, const void *others, size_t count)
{
	const struct api_key *key = row;
	const struct api_key *other = others;

	for (; count > 0; count--, other++) {
		if (strcmp(other->name, key->name) == 0)
			return mem_strdup("two keys have the same name");
		if (memcmp(other->hash, key->hash, sizeof(key->hash)) == 0)
			return mem_strdup("two keys have the same hash");
	}
	if (key->ceiling && key->job_class > key->ceiling)
		return mem_strdup("class is above ceiling: raise the one or lower the other");
	return NULL;
}

#define FIELD(member) .name = #member, .offset = offsetof(struct api_key, member)

static const struct member members[] = {
	{FIELD(name), .type = MEMBER_TEXT, .is_needed = true},
	{FIELD(hash), .type = MEMBER_OWN, .is_needed = true, .read = read_hash_member,
		.own_bytes = API_KEY_HASH_BYTES},
	{FIELD(project), .type = MEMBER_TEXT},
	{FIELD(rate), .type = MEMBER_COUNT, .maximum = RATE_MAX, .unit = "requests a minute"},
	{.name = "class",
		.offset = offsetof(struct api_key, job_class),
		.type = MEMBER_CHOICE,
		.choices = rules_classes},
	{FIELD(ceiling), .type = MEMBER_CHOICE, .choices = rules_classes},
	{FIELD(weight), .type = MEMBER_WEIGHT},
	{FIELD(allow_paths), .type = MEMBER_PATHS},
	{FIELD(allow_models), .type = MEMBER_WORDS},
	{.name = "admin", .offset = offsetof(struct api_key, is_admin), .type = MEMBER_BOOL},
};

const struct group_list api_keys_list = {
	.name = "keys",
	.noun = "key",
	.needs = "a name and a hash",
	.example = "{ name = \"...\"; hash = \"sha256:...\"; }",
	.members = members,
	.members_count = ARRAY_LENGTH(members),
	.row_bytes = sizeof(struct api_key),
	.rows_offset = offsetof(struct settings, api_keys),
	.count_offset = offsetof(struct settings, api_keys_count),
	.check = check,
	.explain = explain,
};
