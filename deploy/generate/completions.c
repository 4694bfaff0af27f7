#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/keys.h"
#include "parts.h"

/* Flags of the program itself that are no keys. */
static const char *const plain_flags[] = {
	"--check-config", "--print-config", "--help", "--version"};
enum { PLAIN_FLAGS = 2 };

/* In quotes of a shell. */
static void put_quoted(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
}

static bool is_path(const struct key *key)
{
	return strcmp(key->placeholder, "FILE") == 0 || strcmp(key->placeholder, "DIRECTORY") == 0;
}

static void put_command_flags(const struct command *command, const char *between)
{
	const char *at = command->help ? command->help() : "";
	struct help_flag flag;

	while (help_flag_next(&at, &flag)) {
		printf("%s%s", between, flag.flag);
		help_flag_finish(&flag);
	}
}

void completion_bash(void)
{
	puts("# bash completion for shared-ollama; made from the table of keys");
	puts("_shared_ollama()\n{\n\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS["
	     "COMP_CWORD-1]} words=\n\tCOMPREPLY=()");
	puts("\tcase ${COMP_WORDS[1]} in");
	for (size_t i = 0; i < COMMANDS; i++) {
		printf("\t%s)\n\t\twords='", commands[i].name);
		put_command_flags(&commands[i], " ");
		puts("'\n\t\tcase $word in\n\t\t-*) mapfile -t COMPREPLY < <(compgen -W \"$words\" "
		     "-- \"$word\") ;;\n\t\t*) mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;"
		     "\n\t\tesac\n\t\treturn\n\t\t;;");
	}
	puts("\tesac\n\tcase $before in\n\t-c | --config)\n\t\tmapfile -t COMPREPLY < <(compgen -f "
	     "-- \"$word\")\n\t\treturn\n\t\t;;");
	for (size_t i = 0; i < keys_count; i++) {
		char *flag = key_flag(&keys[i]);
		char *choices =
			keys[i].choices ? words_join(keys[i].choices, " ", " ") : mem_strdup("");

		if (keys[i].choices)
			printf("\t%s) words='%s' ;;\n", flag, choices);
		else if (is_path(&keys[i]))
			printf("\t%s)\n\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
			       "\t\treturn\n\t\t;;\n",
				flag);
		else
			printf("\t%s) return ;;\n", flag);
		free(flag);
		free(choices);
	}
	printf("\t*)\n\t\twords='-c --config");
	for (size_t i = 0; i < PLAIN_FLAGS; i++)
		printf(" %s", plain_flags[i]);
	for (size_t i = 0; i < keys_count; i++) {
		char *flag = key_flag(&keys[i]);

		printf(" %s", flag);
		free(flag);
	}
	printf("'\n\t\t[[ $COMP_CWORD -gt 1 ]] || words+='");
	for (size_t i = 0; i < COMMANDS; i++)
		printf(" %s", commands[i].name);
	puts("'\n\t\t;;\n\tesac\n\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- "
	     "\"$word\")\n}\n"
	     "complete -F _shared_ollama shared-ollama");
}

/* What follows a flag in zsh's _arguments: ":message:action". */
static void put_zsh_value(const struct key *key)
{
	char *choices = key->choices ? words_join(key->choices, " ", " ") : mem_strdup("");

	printf(":%s:", key->placeholder);
	if (key->choices)
		printf("(%s)", choices);
	else if (is_path(key))
		printf("_files");
	free(choices);
}

/* In the brackets of an option's explanation. */
static void put_zsh_text(const char *text)
{
	for (; *text; text++) {
		if (strchr("[]:\\", *text))
			putchar('\\');
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	}
}

void completion_zsh(void)
{
	puts("#compdef shared-ollama\n# zsh completion for shared-ollama; made from the table of "
	     "keys\n");
	puts("_shared_ollama_commands()\n{\n\tlocal -a commands=(");
	for (size_t i = 0; i < COMMANDS; i++) {
		printf("\t\t'%s:", commands[i].name);
		put_quoted(commands[i].purpose);
		puts("'");
	}
	puts("\t)\n\t_describe command commands\n}\n\ncase ${words[2]} in");
	for (size_t i = 0; i < COMMANDS; i++) {
		const char *at = commands[i].help ? commands[i].help() : "";
		struct help_flag flag;

		printf("%s)\n\tshift words\n\t(( CURRENT-- ))\n\t_arguments", commands[i].name);
		while (help_flag_next(&at, &flag)) {
			printf(" \\\n\t\t'%s[", flag.flag);
			put_zsh_text(flag.text);
			printf("]%s%s%s'", *flag.argument ? ":" : "", flag.argument,
				*flag.argument ? ":_files" : "");
			help_flag_finish(&flag);
		}
		puts(" \\\n\t\t'*:argument:_files'\n\t;;");
	}
	puts("*)\n\t_arguments \\\n\t\t'(-c --config)'{-c,--config}'[the configuration "
	     "file]:FILE:_files' \\\n\t\t'--check-config[says whether the configuration is fine]' "
	     "\\\n\t\t'--print-config[every key, as a file]' \\\n\t\t'--help[a list of the flags]' "
	     "\\\n\t\t'--version[the "
	     "version]' \\");
	for (size_t i = 0; i < keys_count; i++) {
		char *flag = key_flag(&keys[i]);

		printf("\t\t'%s%s[", key_is_list(&keys[i]) ? "*" : "", flag);
		put_zsh_text(keys[i].help);
		printf("]");
		put_zsh_value(&keys[i]);
		puts("' \\");
		free(flag);
	}
	puts("\t\t'1:command:_shared_ollama_commands'\n\t;;\nesac");
}

static void put_fish_flag(const char *condition, const char *flag, const char *text)
{
	printf("complete -c shared-ollama %s -l %s -d '", condition, flag + strlen("--"));
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	printf("'");
}

void completion_fish(void)
{
	char *names;
	const char *list[COMMANDS + 1] = {NULL};

	for (size_t i = 0; i < COMMANDS; i++)
		list[i] = commands[i].name;
	names = words_join(list, " ", " ");
	puts("# fish completion for shared-ollama; made from the table of keys");
	for (size_t i = 0; i < COMMANDS; i++) {
		const char *at = commands[i].help ? commands[i].help() : "";
		char *inside = mem_printf("-n '__fish_seen_subcommand_from %s'", commands[i].name);
		struct help_flag flag;

		printf("complete -c shared-ollama -n __fish_use_subcommand -f -a %s -d '",
			commands[i].name);
		put_quoted(commands[i].purpose);
		puts("'");
		while (help_flag_next(&at, &flag)) {
			put_fish_flag(inside, flag.flag, flag.text);
			puts(*flag.argument ? " -r" : "");
			help_flag_finish(&flag);
		}
		free(inside);
	}
	printf("complete -c shared-ollama -n 'not __fish_seen_subcommand_from %s' -s c -l config "
	       "-r -F -d 'the configuration file'\n",
		names);
	for (size_t i = 0; i < PLAIN_FLAGS; i++)
		printf("complete -c shared-ollama -n __fish_is_first_arg -l %s\n",
			plain_flags[i] + strlen("--"));
	for (size_t i = 0; i < keys_count; i++) {
		char *flag = key_flag(&keys[i]);
		char *outside = mem_printf("-n 'not __fish_seen_subcommand_from %s'", names);
		char *choices = keys[i].choices ? words_join(keys[i].choices, " ", " ") : NULL;

		put_fish_flag(outside, flag, keys[i].help);
		if (choices)
			printf(" -x -a '%s'", choices);
		else
			printf(is_path(&keys[i]) ? " -r -F" : " -x");
		printf("\n");
		free(flag);
		free(outside);
		free(choices);
	}
	free(names);
}
