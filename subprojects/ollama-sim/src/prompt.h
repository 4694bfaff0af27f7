/*
 * How many tokens a prompt has, and what Ollama makes of one that is longer than the context
 * (FACTS: it is cut without a word to ctx - (ctx - keep) / 2 tokens; a chat first loses whole old
 * messages). A token is a word, a long word several.
 */
#ifndef SIM_PROMPT_H
#define SIM_PROMPT_H

#include <stdbool.h>
#include <stddef.h>

#include "json.h"
#include "mem.h"

struct model;

struct prompt_message {
	size_t tokens;
	bool is_system;
};

struct prompt {
	struct prompt_message *messages;
	size_t count;
	size_t extra_tokens; /* template, tools */
	size_t images;
	bool ends_with_tool; /* the last message is a tool's answer */
};

size_t prompt_count_words(const char *text);
/* One message with this text. */
void prompt_add_text(struct prompt *prompt, const char *text, bool is_system);
/*
 * All of a "messages" array: content as a string or as parts (text, image_url, image), images
 * beside it. False: an image is not base64; bad_byte is where.
 */
MUST_CHECK bool prompt_add_messages(
	struct prompt *prompt, yajl_val messages, const struct model *model, size_t *ret_bad_byte);
/* Images given beside a prompt. */
MUST_CHECK bool prompt_add_images(
	struct prompt *prompt, yajl_val images, const struct model *model, size_t *ret_bad_byte);
size_t prompt_total(const struct prompt *prompt);
/* num_keep as in the request's options, -1 = all. Tokens that are really read of a context so long.
 */
size_t prompt_fit(const struct prompt *prompt, size_t context, long num_keep, bool has_bos);
void prompt_finish(struct prompt *prompt);

#endif
