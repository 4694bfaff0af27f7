/*
 * How long a runner is to stay loaded (PRODUCT 5, `keep_alive` and `preload`), and whether Ollama
 * has to be told. The wanted value is the longest among the projects that used the runner since its
 * load; Ollama is told it with the load, and again only when it grew. A value that a client said
 * itself stands until the next load. A pinned runner stays for ever, whatever a client says. Part
 * of core/runner; bodies of clients stay untouched, so that this works for /v1 too.
 */
#ifndef SO_CORE_KEEP_ALIVE_H
#define SO_CORE_KEEP_ALIVE_H

#include <stdbool.h>

struct policy;

struct keep_alive {
	bool is_pinned;
	bool is_theirs; /* a client said a value since the load */
	bool is_told;	/* told_s is what Ollama was told last, by us */
	double told_s;
	double wanted_s;
	char *wanted; /* NULL: nothing is wanted */
};

/* A zeroed struct is one of a runner that is not loaded. */
void keep_alive_finish(struct keep_alive *keep_alive);
/* It is not loaded any more, or a load of it begins. Pins stay. */
void keep_alive_forget(struct keep_alive *keep_alive);
/* A job's project wants this ("30m", "3600"), NULL or "": nothing. */
void keep_alive_want(struct keep_alive *keep_alive, const char *value);
/* Ollama loaded it, and knows nothing of what it was told. */
void keep_alive_note_load(struct keep_alive *keep_alive);
/* A request with a keep_alive of its own was sent to it. */
void keep_alive_note_theirs(struct keep_alive *keep_alive);
/* What Ollama is to be told now; NULL: nothing. Valid until something else is wanted. */
const char *keep_alive_due(const struct keep_alive *keep_alive);
/* It was told what was due. */
void keep_alive_note_told(struct keep_alive *keep_alive);
/* What a request wants by its policy: the longer one of its project's and its model's rule, else
 * `everybody`. */
const char *keep_alive_of(const struct policy *policy, const char *everybody);

#endif
