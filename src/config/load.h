/*
 * Makes a snapshot of settings from the key table's defaults, the configuration file, the
 * environment and the flags, each beating the one before it. Called by main.c. Messages name file
 * and line, the variable or the flag.
 */
#ifndef SO_CONFIG_LOAD_H
#define SO_CONFIG_LOAD_H

#include "base/compiler.h"

struct settings;

#define LOAD_ACTIONS(X)                                        \
	X(SERVE)                                               \
	X(HEALTH) /* `shared-ollama health [URL]` */           \
	X(TOP)	  /* `shared-ollama top [URL]` */              \
	X(DOCTOR) /* `shared-ollama doctor [URL]` */           \
	X(CHECK)  /* --check-config */                         \
	X(PRINT)  /* --print-config */                         \
	X(HELP)                                                \
	X(VERSION)                                             \
	X(USAGE)   /* wrong arguments: message made, exit 2 */ \
	X(FAILURE) /* unreadable or wrong configuration: message made, exit 1 */

enum load_action {
#define X(symbol) LOAD_##symbol,
	LOAD_ACTIONS(X)
#undef X
};

struct load_result {
	enum load_action action;
	struct settings *settings; /* SERVE, CHECK, PRINT and the tools; the caller's reference */
	char *message;	 /* USAGE and FAILURE: what to print on stderr, without newline; HELP: the
			    text. The caller frees. */
	const char *url; /* of a tool: argument or NULL; points into argv */
};

/* `environment` is NULL-terminated NAME=VALUE as environ. */
MUST_CHECK struct load_result load_settings(int argc, char **argv, char **environment);

#endif
