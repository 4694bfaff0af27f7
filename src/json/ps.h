/*
 * Reads Ollama's answers about itself: GET /api/ps (which models are loaded) and GET /api/version.
 * Whole answers only, at most PS_BYTES_MOST of them. Unknown keys are skipped, so that a newer
 * Ollama's answers are read too. Called by back/probe and doctor.
 */
#ifndef SO_JSON_PS_H
#define SO_JSON_PS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

enum { PS_BYTES_MOST = 1024 * 1024, PS_VERSION_BYTES = 64 };

/* Texts are NUL-terminated, live during the callback and are cut after 255 bytes. */
struct ps_model {
	const char *name;	/* as Ollama spells it: the name it was first loaded under */
	const char *digest;	/* "" if absent */
	const char *expires_at; /* as it is written; "" if absent */
	int64_t size;		/* bytes; -1: absent */
	int64_t size_vram;
	int64_t context_length; /* tokens */
};

/*
 * Calls `on_model` once for each model with a name, in the answer's order. false: not an answer of
 * /api/ps, malformed or too long; models before the wrong place were told, so take them back.
 */
MUST_CHECK bool ps_read(const char *text, size_t length,
	void (*on_model)(void *arg, const struct ps_model *model), void *arg);
/* {"version":"0.32.15"}; a longer version is cut. false: not an answer of /api/version. */
MUST_CHECK bool ps_read_version(
	const char *text, size_t length, char ret_version[PS_VERSION_BYTES]);

#endif
