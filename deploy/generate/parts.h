/*
 * What the generator's parts share. The program makes, from the tables that the proxy itself reads
 * (config/keys.c, config/groups.c, core/outcome.h, the texts of --help), the references in docs/,
 * the manual pages and the shells' completions. Run by Meson; tests/lint/generated.py compares
 * docs/ with it. Every function writes to standard output.
 */
#ifndef SO_GENERATE_PARTS_H
#define SO_GENERATE_PARTS_H

#include <stdbool.h>
#include <stdio.h>

struct key;

/* What stands before the flags: a name, what follows it, what it does, the text of its --help or
 * NULL. */
struct command {
	const char *name;
	const char *arguments;
	const char *purpose;
	const char *(*help)(void);
};

enum { COMMANDS = 4 };
extern const struct command commands[COMMANDS];

/* One flag of a help text: "--since", "T" (or ""), what it does on one line. */
struct help_flag {
	char *flag;
	char *argument;
	char *text;
};

/* The next flag of a help text, or false; `at` moves on. help_flag_finish() afterwards. */
bool help_flag_next(const char **at, struct help_flag *ret_flag);
void help_flag_finish(struct help_flag *flag);

/* New texts: what the key takes ("seconds", "one of a, b"), and its default as the usage says it.
 */
char *words_takes(const struct key *key);
char *words_default(const struct key *key);
/* New text: "a, b or c" for the separators ", " and " or ". */
char *words_join(const char *const *words, const char *between, const char *before_last);

void reference_configuration(void);
void reference_errors(void);
void manual_program(void);
void manual_file(void);
/* Of a command that has a help text. */
void manual_command(const struct command *command);
void completion_bash(void);
void completion_zsh(void);
void completion_fish(void);

#endif
