#include "prompt.h"

#include <stdlib.h>
#include <string.h>

#include "catalog.h"

/* Letters of a word that make one token. */
#define LETTERS_PER_TOKEN 6

size_t prompt_count_words(const char *text)
{
	size_t tokens = 0;

	while (*text != '\0') {
		text += strspn(text, " \t\r\n");
		size_t length = strcspn(text, " \t\r\n");
		tokens += (length + LETTERS_PER_TOKEN - 1) / LETTERS_PER_TOKEN;
		text += length;
	}
	return tokens;
}

static struct prompt_message *add_message(struct prompt *prompt)
{
	prompt->messages =
		mem_grow_array(prompt->messages, prompt->count + 1, sizeof(struct prompt_message));
	struct prompt_message *message = &prompt->messages[prompt->count++];
	*message = (struct prompt_message){0};
	return message;
}

void prompt_add_text(struct prompt *prompt, const char *text, bool is_system)
{
	struct prompt_message *message = add_message(prompt);

	message->tokens = prompt_count_words(text);
	message->is_system = is_system;
}

/* The place of the first byte that is not base64, or -1. */
static long find_bad_base64(const char *text)
{
	size_t good = strspn(
		text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\r\n");
	size_t padding = strspn(text + good, "=");

	return text[good + padding] == '\0' ? -1 : (long)good;
}

static bool count_image(struct prompt *prompt, struct prompt_message *message, const char *data,
	const struct model *model, size_t *ret_bad_byte)
{
	const char *comma = strncmp(data, "data:", strlen("data:")) == 0 ? strchr(data, ',') : NULL;
	long bad = find_bad_base64(comma == NULL ? data : comma + 1);

	if (bad >= 0) {
		*ret_bad_byte = (size_t)bad;
		return false;
	}
	prompt->images++;
	message->tokens += (size_t)model->image_tokens;
	return true;
}

static bool count_images(struct prompt *prompt, struct prompt_message *message, yajl_val images,
	const struct model *model, size_t *ret_bad_byte)
{
	for (size_t i = 0; i < json_count(images); i++) {
		const char *data = json_string(json_item(images, i));

		if (data != NULL && !count_image(prompt, message, data, model, ret_bad_byte))
			return false;
	}
	return true;
}

/* One part of an OpenAI or Anthropic message. */
static bool count_part(struct prompt *prompt, struct prompt_message *message, yajl_val part,
	const struct model *model, size_t *ret_bad_byte)
{
	const char *text = json_get_string(part, "text");
	yajl_val url = json_get(part, "image_url");
	const char *image = YAJL_IS_OBJECT(url) ? json_get_string(url, "url") : json_string(url);

	if (text != NULL)
		message->tokens += prompt_count_words(text);
	if (image == NULL)
		image = json_get_string(json_get(part, "source"), "data");
	return image == NULL || count_image(prompt, message, image, model, ret_bad_byte);
}

static bool count_content(struct prompt *prompt, struct prompt_message *message, yajl_val content,
	const struct model *model, size_t *ret_bad_byte)
{
	const char *text = json_string(content);

	if (text != NULL)
		message->tokens += prompt_count_words(text);
	for (size_t i = 0; i < json_count(content); i++) {
		if (!count_part(prompt, message, json_item(content, i), model, ret_bad_byte))
			return false;
	}
	return true;
}

bool prompt_add_messages(
	struct prompt *prompt, yajl_val messages, const struct model *model, size_t *ret_bad_byte)
{
	for (size_t i = 0; i < json_count(messages); i++) {
		yajl_val node = json_item(messages, i);
		const char *role = json_get_string(node, "role");
		struct prompt_message *message = add_message(prompt);

		message->is_system = role != NULL && strcmp(role, "system") == 0;
		prompt->ends_with_tool = role != NULL && strcmp(role, "tool") == 0;
		if (!count_content(
			    prompt, message, json_get(node, "content"), model, ret_bad_byte) ||
			!count_images(
				prompt, message, json_get(node, "images"), model, ret_bad_byte))
			return false;
	}
	return true;
}

bool prompt_add_images(
	struct prompt *prompt, yajl_val images, const struct model *model, size_t *ret_bad_byte)
{
	if (json_count(images) == 0)
		return true;
	return count_images(prompt, add_message(prompt), images, model, ret_bad_byte);
}

size_t prompt_total(const struct prompt *prompt)
{
	size_t total = prompt->extra_tokens;

	for (size_t i = 0; i < prompt->count; i++)
		total += prompt->messages[i].tokens;
	return total;
}

/* What is left when the oldest messages go until the rest fits; system messages and the last one
 * stay. */
static size_t drop_old_messages(const struct prompt *prompt, size_t context)
{
	size_t total = prompt_total(prompt);

	for (size_t i = 0; i + 1 < prompt->count && total > context; i++) {
		if (!prompt->messages[i].is_system)
			total -= prompt->messages[i].tokens;
	}
	return total;
}

size_t prompt_fit(const struct prompt *prompt, size_t context, long num_keep, bool has_bos)
{
	size_t total = drop_old_messages(prompt, context);

	if (total <= context)
		return total;
	if (num_keep < 0)
		return context - 1;
	size_t keep = (size_t)num_keep + (has_bos ? 1 : 0);
	if (keep >= context)
		return context - 1;
	return context - (context - keep) / 2;
}

void prompt_finish(struct prompt *prompt)
{
	free(prompt->messages);
	prompt->messages = NULL;
}
