/*
 * Runs one configured command of the operator's by /bin/sh, beside the loop: never two of it at
 * once, never sooner than COMMAND_PAUSE_US after its last start. What it should know stands in its
 * environment, never in its text, so nothing from outside meets the shell. Called by watch.c; one
 * object for each key.
 *
 * The child has a process group of its own, /dev/null as stdin, our stderr as stdout and stderr, no
 * other descriptor, default signals, and of our environment all but SHARED_OLLAMA_* (settings,
 * maybe secrets) and what systemd meant for us. It is reaped at SIGCHLD, killed after
 * COMMAND_MOST_US, and outlives us.
 */
#ifndef SO_IO_COMMAND_H
#define SO_IO_COMMAND_H

#include <stdbool.h>

struct command;
struct event_base;

enum {
	/* What it mends takes a while; more often would only disturb it. */
	COMMAND_PAUSE_US = 60 * 1000 * 1000,
	/* Longer than any restart of a unit; a forgotten one must not block the next for ever. */
	COMMAND_MOST_US = 300 * 1000 * 1000,
};

/* `key` names it in the diagnostics; static. */
struct command *command_create(struct event_base *base, const char *key);
/* NULL is fine. */
void command_destroy(struct command *command);
/* It may be started now. */
bool command_may_run(const struct command *command);
/* `variables`: "NAME=value", NULL-terminated. false: not now, or it could not be started, which is
 * said. */
bool command_run(struct command *command, const char *text, const char *const *variables);
/* One is running. */
bool command_is_running(const struct command *command);

#endif
