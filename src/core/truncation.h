/*
 * Did Ollama cut the prompt to fit its context (PRODUCT 4.2)? It does so silently, with status 200;
 * the number of the prompt's tokens in the answer betrays it: a cut prompt has ctx - (ctx - keep) /
 * 2 of them, keep being num_keep (4) and one for a BOS token (FACTS-ollama.md 7), or as many as the
 * context holds. Where the number says nothing for sure the answer is not known: a chat may have
 * lost whole old messages, a model may have a num_keep of its own. Pure; called by relay at the end
 * of a job.
 */
#ifndef SO_CORE_TRUNCATION_H
#define SO_CORE_TRUNCATION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/record.h"

/* What is known of a request and of its answer. */
struct truncation {
	enum operation operation;
	int64_t context_length; /* of the runner that served it; -1: unknown */
	int64_t prompt_tokens;	/* as the answer says; -1: unknown */
	bool has_num_keep;	/* the request says it */
	int64_t num_keep;
	int64_t request_bytes; /* -1: unknown */
	int64_t images_count;  /* -1: unknown */
	int64_t parts_count;   /* messages of a chat, elements of an array to embed */
};

enum known truncation_judge(const struct truncation *truncation);

#endif
