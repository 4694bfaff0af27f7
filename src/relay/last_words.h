/*
 * What a client is told last when its answer cannot be completed: the text of an outcome, and the
 * error line or event that a broken stream gets where it stands at a line's end (PRODUCT 2). Shared
 * by relay and pass.
 */
#ifndef SO_RELAY_LAST_WORDS_H
#define SO_RELAY_LAST_WORDS_H

#include "core/outcome.h"
#include "core/route.h"
#include "json/tap.h"

struct client;

/* The outcome's text, naming the upstream `host` where it speaks of Ollama. A new string. */
char *last_words_text(enum outcome outcome, const char *host);
/* After the head: an error in the stream's own form where there is room for it, then the cut. `tap`
 * NULL: no body byte came. */
void last_words_cut(struct client *client, const struct tap *tap, enum tap_format format,
	enum api_family family, const char *text);

#endif
