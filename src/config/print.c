#include "config/print.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/groups.h"
#include "config/keys.h"
#include "config/settings.h"
#include "config/value.h"

/* Comments are wrapped here; a number of more digits may be none of libconfig's own, and stands in
 * quotes. */
enum { LINE_COLUMNS = 96, DIGITS_MOST = 9, NAME_COLUMNS = 20 };

static const char head[] =
	"# Configuration of shared-ollama, as --print-config writes it: every key with its value "
	"in\n"
	"# force. A line that is left out means the default. Durations are seconds, fractions "
	"allowed,\n"
	"# or carry \"ms\", \"s\", \"m\" or \"h\"; sizes are bytes or carry \"k\", \"m\" or \"g\" "
	"(1024); values with\n"
	"# a unit stand in quotes. 0 is no limit where nothing else is said. A flag beats the\n"
	"# environment, the environment beats this file. SIGHUP reads it again.\n";

static void put_comment(FILE *out, const char *text)
{
	size_t column = LINE_COLUMNS;

	while (*text) {
		size_t length = strcspn(text, " ");

		if (column + 1 + length >= LINE_COLUMNS) {
			fputs(column == LINE_COLUMNS ? "#" : "\n#", out);
			column = 1;
		}
		fprintf(out, " %.*s", (int)length, text);
		column += 1 + length;
		text += length;
		text += *text == ' ';
	}
	fputc('\n', out);
}

static void put_quoted(FILE *out, const char *text, size_t length)
{
	fputc('"', out);
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (byte == '"' || byte == '\\')
			fprintf(out, "\\%c", byte);
		else if (iscntrl(byte))
			fprintf(out, "\\x%02x", byte);
		else
			fputc(byte, out);
	}
	fputc('"', out);
}

static void put_list(FILE *out, const char *text)
{
	fputc('[', out);
	while (*text) {
		size_t length = strcspn(text, ",");

		fputc(' ', out);
		put_quoted(out, text, length);
		text += length;
		if (*text == ',') {
			fputc(',', out);
			text++;
		}
	}
	fputs(" ]", out);
}

static bool is_plain_number(const struct key *key, const char *text)
{
	bool is_number =
		key->type == KEY_COUNT || key->type == KEY_SIZE || key->type == KEY_DURATION;

	return is_number && strlen(text) <= DIGITS_MOST && text[strspn(text, "0123456789")] == '\0';
}

static void put_value(FILE *out, const struct key *key, const char *text)
{
	if (key_is_list(key))
		put_list(out, text);
	else if (is_plain_number(key, text))
		fputs(text, out);
	else
		put_quoted(out, text, strlen(text));
}

static char *joined(const char *const *choices)
{
	char *text = mem_strdup(choices[0]);

	for (int i = 1; choices[i]; i++) {
		char *longer = mem_printf("%s, %s", text, choices[i]);

		free(text);
		text = longer;
	}
	return text;
}

static void put_default(FILE *out, const struct key *key)
{
	const char *shown = key->fallback_shown ? key->fallback_shown : key->fallback;
	const char *unit = key_unit(key);
	char *choices = key->choices ? joined(key->choices) : NULL;
	char *text = mem_printf("%s%s%sdefault %s%s", choices ? choices : unit,
		choices || *unit ? "; " : "", key->is_reloadable ? "" : "needs a restart; ",
		*shown ? shown : "none", key->zero_is_no_limit ? "; 0: no limit" : "");

	put_comment(out, text);
	free(choices);
	free(text);
}

static void put_key(FILE *out, const struct key *key, const struct settings *settings)
{
	char *value = value_print(key, settings);

	if (key->section)
		fprintf(out, "\n# ---- %s ----\n", key->section);
	fputc('\n', out);
	put_comment(out, key->help);
	put_default(out, key);
	if (key->is_secret && *value)
		fprintf(out, "# %s is set; a secret is not shown\n", key->name);
	if (key->is_secret)
		fprintf(out, "# %s = \"\";\n", key->name);
	if (!key->is_secret) {
		fprintf(out, "%s = ", key->name);
		put_value(out, key, value);
		fputs(";\n", out);
	}
	free(value);
}

/* What a member takes, in words. A new text. */
static char *kind_of(const struct member *member)
{
	switch (member->type) {
	case MEMBER_TEXT:
		return mem_strdup("text");
	case MEMBER_KEEP_ALIVE:
		return mem_strdup("\"30m\", seconds, or \"-1\" for ever");
	case MEMBER_WORDS:
		return mem_strdup("list of texts");
	case MEMBER_PATHS:
		return mem_strdup("list of paths, or \"" SETTINGS_READ_ONLY "\"");
	case MEMBER_COUNT:
		return mem_printf(
			"number%s%s", member->unit ? " of " : "", member->unit ? member->unit : "");
	case MEMBER_DURATION:
		return mem_strdup("seconds");
	case MEMBER_OPTION:
		return mem_strdup("number");
	case MEMBER_SWITCH:
	case MEMBER_BOOL:
		return mem_strdup("true or false");
	case MEMBER_WEIGHT:
		return mem_strdup("number, fractions allowed");
	case MEMBER_CHOICE:
		return joined(member->choices);
	case MEMBER_OWN:
		return mem_strdup("\"sha256:\" and 64 hexadecimal digits");
	}
	return NULL;
}

static void put_group(FILE *out, const struct group_list *list, const struct settings *settings)
{
	size_t count;

	(void)groups_rows(list, settings, &count);
	fputc('\n', out);
	if (count > 0)
		fprintf(out, "# %zu in force, which GET /api/v1/config shows\n", count);
	fprintf(out, "# %s = (\n#   %s\n# );\n", list->name, list->example);
	for (size_t i = 0; i < list->members_count; i++) {
		const struct member *member = &list->members[i];
		char *kind = kind_of(member);

		fprintf(out, "#   %-*s %s%s\n", NAME_COLUMNS, member->name, kind,
			member->is_needed ? "; needed" : "");
		free(kind);
	}
}

char *print_config(const struct settings *settings)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		mem_out(0);
	fputs(head, out);
	for (size_t i = 0; i < keys_count; i++)
		put_key(out, &keys[i], settings);
	fputs("\n# ---- Lists of groups (docs/configuration.md, docs/security.md) ----\n", out);
	for (size_t i = 0; i < GROUP_LISTS; i++)
		put_group(out, group_lists[i], settings);
	if (fclose(out) != 0)
		mem_out(length);
	return text;
}
