#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "build_config.h"
#include "config/groups.h"
#include "config/keys.h"
#include "parts.h"

/* roff: backslashes and hyphens that are to be copied are escaped, a line may not begin with . or
 * '. */
static void put(const char *text)
{
	bool is_start = true;

	for (; *text; text++) {
		if (is_start && (*text == '.' || *text == '\''))
			fputs("\\&", stdout);
		if (*text == '\\')
			fputs("\\e", stdout);
		else if (*text == '-')
			fputs("\\-", stdout);
		else
			putchar(*text);
		is_start = *text == '\n';
	}
}

static void put_title(const char *name, const char *chapter, const char *purpose)
{
	char *upper = mem_strdup(name);

	for (char *at = upper; *at; at++)
		*at = (char)toupper((unsigned char)*at);
	printf(".TH ");
	put(upper);
	printf(" %s \"\" \"shared\\-ollama %s\" \"%s\"\n", chapter, SHARED_OLLAMA_VERSION,
		*chapter == '1' ? "User Commands" : "File Formats");
	printf(".SH NAME\n");
	put(name);
	printf(" \\- ");
	put(purpose);
	printf("\n");
	free(upper);
}

/* "Default 60 seconds; takes effect at SIGHUP." */
static void put_details(const struct key *key)
{
	char *fallback = words_default(key);
	char *takes = words_takes(key);

	printf(".br\nTakes ");
	put(takes);
	printf(". Default: ");
	put(*fallback ? fallback : "none");
	printf("%s.\n", key->is_reloadable ? "; SIGHUP reads it again" : "");
	free(fallback);
	free(takes);
}

/* As a sentence: a capital first, a full stop at the end. */
static void put_help(const struct key *key)
{
	char *text = mem_printf("%s.\n", key->help);

	text[0] = (char)toupper((unsigned char)text[0]);
	put(text);
	free(text);
}

static void put_flags(void)
{
	for (size_t i = 0; i < keys_count; i++) {
		char *flag = key_flag(&keys[i]);
		char *variable = key_variable(&keys[i]);

		if (keys[i].section) {
			printf(".SS ");
			put(keys[i].section);
			printf("\n");
		}
		printf(".TP\n.BR ");
		put(flag);
		printf(" \" \" \\fI");
		put(keys[i].placeholder);
		printf("\\fR \", \" ");
		put(variable);
		printf("\n");
		put_help(&keys[i]);
		put_details(&keys[i]);
		free(flag);
		free(variable);
	}
}

static void put_commands(void)
{
	printf(".SH COMMANDS\n");
	for (size_t i = 0; i < COMMANDS; i++) {
		printf(".TP\n.BI %s \" ", commands[i].name);
		put(commands[i].arguments);
		printf("\"\n");
		put(commands[i].purpose);
		if (commands[i].help)
			printf("; see\n.BR shared\\-ollama\\-%s (1).\n", commands[i].name);
		else
			printf(".\n");
	}
}

void manual_program(void)
{
	put_title("shared-ollama", "1", "one URL in front of one Ollama that many programs share");
	puts(".SH SYNOPSIS\n.B shared\\-ollama\n.RB [ \\-c\n.IR FILE ]\n.RB [ \\-\\-flag\n"
	     ".IR VALUE ]...");
	for (size_t i = 0; i < COMMANDS; i++) {
		printf(".br\n.B shared\\-ollama %s\n.I ", commands[i].name);
		put(commands[i].arguments);
		printf("\n");
	}
	puts(".SH DESCRIPTION\nInference requests wait in one queue and run a few at a time; "
	     "everything else passes\nat once. A client changes its base URL and nothing else:\n"
	     ".PP\n.RS\n.nf\nexport OLLAMA_HOST=http://127.0.0.1:8000\n.fi\n.RE\n.PP\n"
	     "One line for each request is written to the request log, and statistics are at\n"
	     ".IR /api/v1/queue/stats .");
	put_commands();
	puts(".SH OPTIONS\nA flag beats the environment, the environment beats the file. "
	     "Durations are seconds,\nfractions allowed, or carry ms, s, m or h; sizes are bytes "
	     "or carry k, m or g (1024).\n.TP\n.BR \\-c \", \" \\-\\-config \" \" \\fIFILE\\fR "
	     "\", \" SHARED_OLLAMA_CONFIG\n"
	     "The configuration file, see\n.BR shared\\-ollama.conf (5).\n.TP\n.B "
	     "\\-\\-check\\-config\n"
	     "Says whether file, environment and flags are fine; exit status 1 if not.\n"
	     ".TP\n.B \\-\\-print\\-config\nEvery key with unit, default and value, as a "
	     "file.\n.TP\n.B \\-\\-help\n"
	     "A short list of these.\n.TP\n.B \\-\\-version\nThe version.");
	put_flags();
	puts(".SH SIGNALS\n.TP\n.B SIGTERM, SIGINT\nWhat runs and waits is served, new requests "
	     "get 503, within drain_timeout; a second one stops at once.\n.TP\n.B SIGHUP\nReads "
	     "again the configuration, all of it or nothing.\n.TP\n.B SIGUSR2\nHands over to the "
	     "program that stands there now, without a refused connection or a cut "
	     "stream.\n.TP\n.B SIGUSR1\nOpens the request log again, for "
	     "logrotate.");
	puts(".SH EXIT STATUS\n0: fine; 1: it could not start, or failed; 2: wrong usage.");
	puts(".SH FILES\n.TP\n.I /etc/shared\\-ollama/shared\\-ollama.conf\nThe service's "
	     "settings.\n.TP\n.I /var/log/shared\\-ollama/requests.jsonl\nThe service's request "
	     "log.");
	puts(".SH SEE ALSO\n.BR shared\\-ollama.conf (5)");
	for (size_t i = 0; i < COMMANDS; i++) {
		if (commands[i].help)
			printf(".BR shared\\-ollama\\-%s (1)\n", commands[i].name);
	}
}

static const char file_form[] =
	".SH SYNOPSIS\n.I /etc/shared\\-ollama/shared\\-ollama.conf\n"
	".SH DESCRIPTION\nLines\n.IR key \" = \" value ;\n"
	"in libconfig's language. Texts stand in quotes, numbers may carry their unit as a text, "
	"lists\nstand in brackets, # begins a comment. An unknown key is refused by its line.\n"
	".PP\n.RS\n.nf\n"
	"listen = [ \"127.0.0.1:8000\", \"unix:/run/shared\\-ollama/socket\" ];\n"
	"upstream = \"http://127.0.0.1:11434\";\n"
	"max_queue_size = 100;\n"
	"default_timeout = \"90s\";\n"
	"projects = ( { name = \"Docling_Machine\"; class = \"batch\"; max_queue_size = 300; } );\n"
	".fi\n.RE\n"
	".SH KEYS\n";

void manual_file(void)
{
	put_title("shared-ollama.conf", "5", "settings of shared-ollama");
	fputs(file_form, stdout);
	for (size_t i = 0; i < keys_count; i++) {
		if (keys[i].section) {
			printf(".SS ");
			put(keys[i].section);
			printf("\n");
		}
		printf(".TP\n.B %s\n", keys[i].name);
		put_help(&keys[i]);
		put_details(&keys[i]);
	}
	puts(".SH LISTS\nLists of groups in braces; each member is optional but those marked "
	     "needed.");
	for (size_t i = 0; i < GROUP_LISTS; i++) {
		printf(".TP\n.B %s\n", group_lists[i]->name);
		for (size_t j = 0; j < group_lists[i]->members_count; j++)
			printf("%s%s%s", j ? ", " : "", group_lists[i]->members[j].name,
				group_lists[i]->members[j].is_needed ? " (needed)" : "");
		printf(".\n");
	}
	puts(".SH SEE ALSO\n.BR shared\\-ollama (1)");
}

/* Text up to the first flag, without the usage's lines. */
static void put_introduction(const char *help)
{
	const char *start = strstr(help, "\n\n");
	const char *end = strstr(help, "\n  --");
	char *text;

	if (!start || !end || end <= start)
		return;
	text = mem_printf("%.*s", (int)(end - start - 2), start + 2);
	put(text);
	free(text);
	printf("\n");
}

void manual_command(const struct command *command)
{
	const char *at = command->help();
	char *name = mem_printf("shared-ollama-%s", command->name);
	struct help_flag flag;

	put_title(name, "1", command->purpose);
	printf(".SH SYNOPSIS\n.B shared\\-ollama %s\n.I ", command->name);
	put(command->arguments);
	printf("\n.RI [ OPTION ]...\n.SH DESCRIPTION\n");
	put_introduction(at);
	printf(".SH OPTIONS\n");
	while (help_flag_next(&at, &flag)) {
		printf(".TP\n.BI ");
		put(flag.flag);
		if (*flag.argument) {
			printf(" \" ");
			put(flag.argument);
			printf("\"");
		}
		printf("\n");
		put(flag.text);
		printf("\n");
		help_flag_finish(&flag);
	}
	puts(".SH EXIT STATUS\n0: fine; 1: failure; 2: wrong usage.");
	puts(".SH SEE ALSO\n.BR shared\\-ollama (1)");
	free(name);
}
