/*
 * `shared-ollama health [URL]`: asks a running shared-ollama for its health and tells it in one
 * line on standard output (PRODUCT 8). For containers without curl, and for people. Called by
 * main.c; never part of serving.
 */
#ifndef SO_HEALTH_HEALTH_H
#define SO_HEALTH_HEALTH_H

#include <stdbool.h>
#include <stddef.h>

struct settings;

/* `url` NULL: the first address that `settings` listen on. A query of the URL (?ready=1) is passed
 * on. Returns the exit code: 0 it answered 200, 1 anything else. */
int health_run(const char *url, const struct settings *settings);
/* What an answer means, without newline; a new string, the caller frees. `authority` names who
 * answered. */
char *health_line(
	const char *authority, int status, const char *body, size_t length, bool *ret_is_ok);

#endif
