/*
 * Reads Ollama's answer to POST /api/show: what a model can do and whether it is here. Whole
 * answers only, at most SHOW_BYTES_MOST of them. Unknown keys are skipped. Called by back/loader.
 */
#ifndef SO_JSON_SHOW_H
#define SO_JSON_SHOW_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* Licences and templates are some 100 KiB. */
enum { SHOW_BYTES_MOST = 4 * 1024 * 1024 };

struct show_result {
	bool is_remote; /* it runs elsewhere: remote_host or remote_model say something */
	bool can_complete;
	bool can_embed;
};

/* false: not such an answer. */
MUST_CHECK bool show_read(const char *text, size_t length, struct show_result *ret_result);

#endif
