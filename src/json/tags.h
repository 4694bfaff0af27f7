/*
 * Reads Ollama's answer to GET /api/tags: which models are there, whether each is local and what it
 * can do. Whole answers only, at most TAGS_BYTES_MOST of them; unknown keys are skipped. An Ollama
 * before 0.30 or so does not say what a model can do. Called by back/look.
 */
#ifndef SO_JSON_TAGS_H
#define SO_JSON_TAGS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* About 600 bytes a model. */
enum { TAGS_BYTES_MOST = 4 * 1024 * 1024 };

struct tags_model {
	const char *name;   /* as Ollama spells it; NUL-terminated, cut after 255 bytes */
	const char *digest; /* of its manifest, the same for copies; "" if absent */
	bool is_remote;	    /* it runs elsewhere: remote_host or remote_model say something */
	bool has_capabilities;
	bool can_complete;
	bool can_embed;
};

/* Calls `on_model` once for each model with a name, in the answer's order. false: no such answer;
 * models before the wrong place were told, so forget them. */
MUST_CHECK bool tags_read(const char *text, size_t length,
	void (*on_model)(void *arg, const struct tags_model *model), void *arg);

#endif
