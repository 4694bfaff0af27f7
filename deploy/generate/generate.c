/* generate WHAT: writes one of the texts that are made from the program's tables (parts.h). */
#include <string.h>

#include "base/compiler.h"
#include "parts.h"

struct text {
	const char *name;
	void (*write)(void);
};

static const struct text texts[] = {
	{"reference-configuration.md", reference_configuration},
	{"reference-errors.md", reference_errors},
	{"shared-ollama.1", manual_program},
	{"shared-ollama.conf.5", manual_file},
	{"shared-ollama.bash", completion_bash},
	{"shared-ollama.zsh", completion_zsh},
	{"shared-ollama.fish", completion_fish},
};

/* "shared-ollama-report.1": a command's. */
static const struct command *command_of(const char *name)
{
	static const char before[] = "shared-ollama-";
	size_t start = strlen(before);

	if (strncmp(name, before, start) != 0)
		return NULL;
	for (size_t i = 0; i < COMMANDS; i++) {
		size_t length = strlen(commands[i].name);

		if (commands[i].help && strncmp(name + start, commands[i].name, length) == 0 &&
			strcmp(name + start + length, ".1") == 0)
			return &commands[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const struct command *command = command_of(name);

	if (command) {
		manual_command(command);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
		if (strcmp(texts[i].name, name) == 0) {
			texts[i].write();
			return 0;
		}
	}
	fprintf(stderr, "usage: generate WHAT; there is no text \"%s\"\n", name);
	return 2;
}
