#include "config/usage.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/keys.h"

/* A terminal of 80 columns; flags that are longer than their column have a line of their own. */
enum { LINE_COLUMNS = 80, HELP_COLUMN = 30 };

static const char head[] =
	"usage: shared-ollama [-c FILE] [--FLAG VALUE]...\n"
	"       shared-ollama health [URL]     exit 0 when it serves, 1 when not\n"
	"       shared-ollama report [FILE]... what request logs show; report --help\n"
	"       shared-ollama top [URL]        the queue live; top --help\n"
	"       shared-ollama doctor [URL]     what is wrong, and its fix; doctor --help\n"
	"\n"
	"One URL in front of one Ollama that many programs share.\n"
	"\n"
	"  -c, --config FILE           configuration file: the flags below without --,\n"
	"                              with _ for -, as key = value; and the lists keys,\n"
	"                              projects, models, agents and listeners\n"
	"  --check-config              says whether file, environment and flags are fine\n"
	"  --print-config              every key with unit, default and value, as a file\n"
	"  --help                      this text\n"
	"  --version                   the version\n";

static const char tail[] =
	"\n"
	"A flag beats the environment (SHARED_OLLAMA_MAX_QUEUE_SIZE for --max-queue-size,\n"
	"SHARED_OLLAMA_CONFIG for -c), the environment beats the file. Durations are\n"
	"seconds, fractions allowed, or carry ms, s, m or h; sizes are bytes or carry\n"
	"k, m or g (1024). 0 is no limit. OLLAMA_HOST is the clients' variable and is\n"
	"not read.";

static void put_flag(FILE *out, const struct key *key)
{
	char *flag = key_flag(key);
	int columns = fprintf(out, "  %s %s", flag, key->placeholder);

	if (columns + 2 > HELP_COLUMN) {
		fputc('\n', out);
		columns = 0;
	}
	fprintf(out, "%*s", HELP_COLUMN - columns, "");
	free(flag);
}

/* Puts a piece that is not broken, on the next line if it does not fit on this one. */
static void put_piece(FILE *out, size_t *column, const char *piece, size_t length)
{
	if (*column > HELP_COLUMN && *column + 1 + length >= LINE_COLUMNS) {
		fprintf(out, "\n%*s", HELP_COLUMN, "");
		*column = HELP_COLUMN;
	}
	if (*column > HELP_COLUMN) {
		fputc(' ', out);
		++*column;
	}
	fprintf(out, "%.*s", (int)length, piece);
	*column += length;
}

static void put_words(FILE *out, size_t *column, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, " ");

		put_piece(out, column, text, length);
		text += length;
		text += *text == ' ';
	}
}

static void put_choices(FILE *out, size_t *column, const char *const *choices)
{
	char *text = mem_strdup(choices[0]);

	for (unsigned i = 1; choices[i]; i++) {
		char *longer = mem_printf("%s|%s", text, choices[i]);

		free(text);
		text = longer;
	}
	put_piece(out, column, text, strlen(text));
	fputc(':', out);
	++*column;
	free(text);
}

static void put_key(FILE *out, const struct key *key)
{
	const char *fallback = key->fallback_shown ? key->fallback_shown : key->fallback;
	bool has_unit = key->type == KEY_DURATION;
	char *shown = mem_printf(
		"(default %s%s%s)", fallback, has_unit ? " " : "", has_unit ? key_unit(key) : "");
	size_t column = HELP_COLUMN;

	if (key->section)
		fprintf(out, "\n%s\n", key->section);
	put_flag(out, key);
	if (key->choices)
		put_choices(out, &column, key->choices);
	put_words(out, &column, key->help);
	put_piece(out, &column, shown, strlen(shown));
	fputc('\n', out);
	free(shown);
}

char *usage_text(void)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		mem_out(0);
	fputs(head, out);
	for (size_t i = 0; i < keys_count; i++)
		put_key(out, &keys[i]);
	fputs(tail, out);
	if (fclose(out) != 0)
		mem_out(length);
	return text;
}
