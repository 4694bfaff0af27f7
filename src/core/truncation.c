#include "core/truncation.h"

enum {
	/* Ollama's default of num_keep. */
	NUM_KEEP = 4,
	/* An embedding's input is cut to the context less the tokens that its model adds around it:
	   two at most (BOS and EOS), which old versions did not count. */
	EMBED_ADDED_MOST = 2,
};

int64_t truncation_context_length(const struct truncation_context *context)
{
	int64_t length = -1;

	if (context->is_fresh && context->now > 0)
		length = context->now;
	else if (context->was_loaded == KNOWN_FALSE ||
		 (context->was_loaded == KNOWN_NOT && context->now == context->at_dispatch))
		length = context->at_dispatch;
	if (context->num_ctx > 0 && length > context->num_ctx)
		return -1;
	return length > 0 ? length : -1;
}

/* Could it have been longer than the context at all? Each token is at least a byte of the request,
 * and the JSON around a message is longer than what the template puts there. */
static bool may_be_longer(const struct truncation *truncation)
{
	return truncation->request_bytes < 0 || truncation->images_count != 0 ||
	       truncation->request_bytes >= truncation->context_length;
}

/* The tokens of a cut prompt of which `keep` are kept. */
static int64_t cut_tokens(int64_t context, int64_t keep)
{
	if (keep < 0 || keep >= context)
		return context - 1;
	return context - (context - keep) / 2;
}

static bool is_cut_length(const struct truncation *truncation)
{
	int64_t context = truncation->context_length;
	int64_t keep = truncation->has_num_keep ? truncation->num_keep : NUM_KEEP;
	int64_t keep_with_bos = keep < 0 ? keep : keep + 1;

	return truncation->prompt_tokens == cut_tokens(context, keep) ||
	       truncation->prompt_tokens == cut_tokens(context, keep_with_bos);
}

/* All inputs of an embedding are counted together. */
static enum known judge_embed(const struct truncation *truncation)
{
	if (truncation->prompt_tokens < truncation->context_length - EMBED_ADDED_MOST)
		return KNOWN_FALSE;
	return truncation->parts_count <= 1 &&
			       truncation->prompt_tokens >= truncation->context_length
		       ? KNOWN_TRUE
		       : KNOWN_NOT;
}

static enum known judge_prompt(const struct truncation *truncation)
{
	if (truncation->prompt_tokens >= truncation->context_length || is_cut_length(truncation))
		return KNOWN_TRUE;
	/* whole old messages may have gone, and left any number */
	if (truncation->operation == OPERATION_CHAT && truncation->parts_count > 1)
		return KNOWN_NOT;
	/* however much is kept, a cut leaves at least half of the context */
	if (truncation->prompt_tokens < truncation->context_length / 2)
		return KNOWN_FALSE;
	return truncation->has_num_keep ? KNOWN_FALSE : KNOWN_NOT;
}

enum known truncation_judge(const struct truncation *truncation)
{
	if (truncation->context_length <= 1 || truncation->prompt_tokens < 0)
		return KNOWN_NOT;
	if (!may_be_longer(truncation))
		return KNOWN_FALSE;
	switch ((int)truncation->operation) {
	case OPERATION_CHAT:
	case OPERATION_GENERATE:
		return judge_prompt(truncation);
	case OPERATION_EMBED:
		return judge_embed(truncation);
	default:
		return KNOWN_NOT;
	}
}
