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

/* What is known of the context of the runner that served a job. */
struct truncation_context {
	int64_t at_dispatch;   /* as /api/ps listed it then; -1: it did not, here and below */
	int64_t now;	       /* as it does now */
	bool is_fresh;	       /* it was asked for `now` when the job had its runner */
	enum known was_loaded; /* after dispatch, as the answer says */
	int64_t num_ctx;       /* that the request asks for; -1: none */
};

/*
 * The context; -1: not known. What /api/ps said while it ran is sure; what it said before
 * holds if no load came between, which the answer tells, or else that nothing has changed. Ollama
 * lowers a num_ctx that is over the model's own and never raises one.
 */
int64_t truncation_context_length(const struct truncation_context *context);
enum known truncation_judge(const struct truncation *truncation);

#endif
