#include "script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "pace.h"

#define WORD_BYTES 32 /* " w" and a number */

struct script {
	enum script_kind kind;
	size_t tokens; /* 0: no end */
	size_t count;
	struct piece *pieces;
	char word[WORD_BYTES];
};

/* Some of what the recorded `tiny2` said. */
static const char *const noise[] = {" horizontal", " website", "тики", " première", "qui",
	" deutsch", "orphism", "ória", "CONFIG", " ik", "WriteLine", "///", "     ", " Jug", "Ř",
	" Liberal", " entry", " után", " fat", "`.", " день", " Love", "ugh", " change", " <b>"};

static void add_piece(struct script *script, enum piece_kind kind, const char *text, size_t length)
{
	struct bytes json = {0};

	bytes_add_escaped(&json, text, length);
	script->pieces = mem_grow_array(script->pieces, script->count + 1, sizeof(*script->pieces));
	script->pieces[script->count++] = (struct piece){.text = mem_strndup(text, length),
		.length = length,
		.json = mem_strndup(bytes_at(&json), bytes_length(&json)),
		.json_length = bytes_length(&json),
		.kind = kind};
	bytes_finish(&json);
}

static bool ends_a_word(char byte)
{
	return strchr(".,;:!?\n", byte) != NULL;
}

/* Words with the blank before them; a punctuation mark is a piece of its own, as it is a token. */
static void add_text(struct script *script, enum piece_kind kind, const char *text)
{
	while (*text != '\0') {
		size_t length = 1;

		if (!ends_a_word(*text)) {
			while (text[length] != '\0' && text[length] != ' ' &&
				!ends_a_word(text[length]))
				length++;
		}
		add_piece(script, kind, text, length);
		text += length;
	}
}

struct script *script_create(
	enum script_kind kind, const char *answer, const char *thinking, size_t tokens)
{
	struct script *script = mem_zalloc(sizeof(*script));

	script->kind = kind;
	script->tokens = tokens;
	if (thinking != NULL) {
		add_piece(script, PIECE_TAG_OPEN, "<think>", strlen("<think>"));
		add_text(script, PIECE_THINKING, thinking);
		add_piece(script, PIECE_TAG_CLOSE, "</think>", strlen("</think>"));
	}
	if (kind == SCRIPT_TEXT)
		add_text(script, PIECE_CONTENT, answer);
	if (kind == SCRIPT_NOISE) {
		for (size_t i = 0; i < ARRAY_LENGTH(noise); i++)
			add_piece(script, PIECE_CONTENT, noise[i], strlen(noise[i]));
	}
	return script;
}

void script_destroy(struct script *script)
{
	if (script == NULL)
		return;
	for (size_t i = 0; i < script->count; i++) {
		free((char *)script->pieces[i].text);
		free((char *)script->pieces[i].json);
	}
	free(script->pieces);
	free(script);
}

bool script_get(struct script *script, size_t index, struct piece *ret_piece)
{
	bool has_ended = script->tokens != 0 && index >= script->tokens;

	switch (script->kind) {
	case SCRIPT_TEXT:
		if (index >= script->count)
			return false;
		*ret_piece = script->pieces[index];
		return true;
	case SCRIPT_NOISE:
		if (has_ended)
			return false;
		*ret_piece = script->pieces[pace_random((uint32_t)script->count)];
		return true;
	case SCRIPT_WORDS:
		break;
	}
	if (index < script->count) { /* the thinking part */
		*ret_piece = script->pieces[index];
		return true;
	}
	if (has_ended)
		return false;
	size_t length = (size_t)snprintf(
		script->word, sizeof(script->word), " w%zu", index - script->count);
	*ret_piece = (struct piece){.text = script->word,
		.length = length,
		.json = script->word,
		.json_length = length,
		.kind = PIECE_CONTENT};
	return true;
}
