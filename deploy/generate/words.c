#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/keys.h"
#include "parts.h"
#include "report/options.h"

const struct command commands[COMMANDS] = {
	{"health", "[URL]", "exit with 0 when it serves, with 1 when not; one line says why", NULL},
	{"report", "[FILE]...", "what request logs show, and what to change", report_options_help},
	{"top", "[URL]", "who runs and who waits, live in a terminal", NULL},
	{"doctor", "[URL]", "what is wrong here, and what to do about it", NULL},
};

char *words_join(const char *const *words, const char *between, const char *before_last)
{
	char *text = mem_strdup(words[0]);

	for (size_t i = 1; words[i]; i++) {
		char *longer =
			mem_printf("%s%s%s", text, words[i + 1] ? between : before_last, words[i]);

		free(text);
		text = longer;
	}
	return text;
}

static char *takes_choice(const struct key *key)
{
	char *list = words_join(key->choices, ", ", " or ");
	char *text = mem_printf("one of %s", list);

	free(list);
	return text;
}

char *words_takes(const struct key *key)
{
	const char *no_limit = key->zero_is_no_limit ? "; 0: no limit" : "";

	switch (key->type) {
	case KEY_DURATION:
		return mem_printf("seconds%s", no_limit);
	case KEY_SIZE:
		return mem_printf("bytes%s", no_limit);
	case KEY_COUNT:
		return mem_printf(
			"%" PRId64 " to %" PRId64 "%s", key->minimum, key->maximum, no_limit);
	case KEY_CHOICE:
		return takes_choice(key);
	case KEY_URL:
		return mem_strdup("a URL");
	case KEY_ADDRESSES:
		return mem_strdup("addresses");
	case KEY_WORDS:
		return mem_strdup("words");
	case KEY_TEXT:
		break;
	}
	return mem_strdup("text");
}

char *words_default(const struct key *key)
{
	return mem_strdup(key->fallback_shown ? key->fallback_shown : key->fallback);
}

/* "  --since T          only…" → its two halves, which two blanks or more divide. */
static void split_line(const char *line, size_t length, struct help_flag *flag)
{
	const char *end = line + length;
	const char *gap = memmem(line, length, "  ", strlen("  "));
	const char *text = gap ? gap + strspn(gap, " ") : end;
	size_t head = gap ? (size_t)(gap - line) : length;
	size_t name = strcspn(line, " \n");

	if (name > head)
		name = head;
	flag->flag = mem_printf("%.*s", (int)name, line);
	flag->argument = head > name ? mem_printf("%.*s", (int)(head - name - 1), line + name + 1)
				     : mem_strdup("");
	flag->text = mem_printf("%.*s", (int)(end > text ? end - text : 0), text);
}

static void append_line(struct help_flag *flag, const char *line, size_t length)
{
	char *longer =
		mem_printf("%s%s%.*s", flag->text, *flag->text ? " " : "", (int)length, line);

	free(flag->text);
	flag->text = longer;
}

bool help_flag_next(const char **at, struct help_flag *ret_flag)
{
	const char *line = strstr(*at, "\n  --");
	size_t blanks;

	if (!line)
		return false;
	line += strlen("\n  ");
	split_line(line, strcspn(line, "\n"), ret_flag);
	line += strcspn(line, "\n");
	/* Lines that begin further right go on with it. */
	while (*line && (blanks = strspn(line + 1, " ")) > strlen("  ")) {
		line += 1 + blanks;
		append_line(ret_flag, line, strcspn(line, "\n"));
		line += strcspn(line, "\n");
	}
	*at = line;
	return true;
}

void help_flag_finish(struct help_flag *flag)
{
	free(flag->flag);
	free(flag->argument);
	free(flag->text);
}
