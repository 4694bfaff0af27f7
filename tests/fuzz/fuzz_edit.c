/*
 * Edits of request bodies: what is not a named member stays byte for byte and in order, the result
 * is JSON in which peek sees the wanted values, and nothing depends on how the body was cut. The
 * first byte behind the piece lengths says which edits are made.
 */
#include "json/edit.h"

#include "pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	CHOICES_MODEL = 1,
	CHOICES_KEEP_ALIVE = 2,
	CHOICES_NUM_CTX = 4,
	CHOICES_MMAP = 8,
	CHOICES_STRIP = 16
};

/* Longer than all that can be added. */
enum { ADDED_MOST = 256 };

#define NUM_CTX 8192

struct result {
	const char *body;
	size_t length;
	size_t at; /* of the body, copied so far */
	char *text;
	size_t used;
	size_t splices;
	size_t added;
};

static void copy(struct result *result, const char *bytes, size_t length)
{
	memcpy(result->text + result->used, bytes, length);
	result->used += length;
}

static void on_splice(void *arg, uint64_t at, uint64_t removed, const char *text, size_t length)
{
	struct result *result = arg;

	REQUIRE(at >= result->at && at <= result->length && removed <= result->length - at);
	REQUIRE(removed > 0 || length > 0);
	copy(result, result->body + result->at, at - result->at);
	REQUIRE(result->added + length <= ADDED_MOST);
	copy(result, text, length);
	result->added += length;
	result->at = at + removed;
	result->splices++;
}

static void choose(struct edit *edit, unsigned choices)
{
	if (choices & CHOICES_MODEL)
		edit_set(edit, EDIT_MODEL, "\"new\"");
	if (choices & CHOICES_KEEP_ALIVE)
		edit_set(edit, EDIT_KEEP_ALIVE, "300");
	if (choices & CHOICES_NUM_CTX)
		edit_set_option(edit, PEEK_NUM_CTX, "8192");
	if (choices & CHOICES_MMAP)
		edit_set_option(edit, PEEK_USE_MMAP, "true");
	if (choices & CHOICES_STRIP) {
		edit_remove_option(edit, PEEK_NUM_BATCH);
		edit_remove_option(edit, PEEK_NUM_GPU);
		edit_remove_option(edit, PEEK_NUM_THREAD);
	}
}

static void edit_whole(struct edit *edit, struct result *result, const char *body, size_t length)
{
	*result = (struct result){.body = body, .length = length};
	result->text = malloc(length + ADDED_MOST);
	if (!result->text)
		abort();
	if (!edit_apply(edit, on_splice, result))
		REQUIRE(result->splices == 0);
	copy(result, body + result->at, length - result->at);
}

static void require_wishes(
	const struct peek_result *before, const struct peek_result *after, unsigned choices)
{
	bool has_options = false;

	REQUIRE(after->valid);
	for (int i = 0; i < PEEK_OPTION_COUNT; i++)
		has_options |= after->has_option[i];
	if (choices & CHOICES_MODEL)
		REQUIRE(after->model && strcmp(after->model, "new") == 0);
	else
		REQUIRE(!before->model == !after->model &&
			(!before->model || strcmp(before->model, after->model) == 0));
	if (choices & CHOICES_KEEP_ALIVE)
		REQUIRE(strcmp(after->keep_alive_text, "300") == 0);
	else
		REQUIRE(strcmp(before->keep_alive_text, after->keep_alive_text) == 0);
	/* an "options" that is no object has none, and stays */
	if (choices & CHOICES_NUM_CTX)
		REQUIRE(after->option[PEEK_NUM_CTX] == NUM_CTX || !has_options);
	if (choices & CHOICES_MMAP)
		REQUIRE(after->option[PEEK_USE_MMAP] == 1 || !has_options);
	if (choices & CHOICES_STRIP)
		REQUIRE(!after->has_option[PEEK_NUM_BATCH] && !after->has_option[PEEK_NUM_GPU] &&
			!after->has_option[PEEK_NUM_THREAD]);
	REQUIRE(before->messages_count == after->messages_count &&
		before->images_bytes == after->images_bytes &&
		before->has_prompt == after->has_prompt && before->has_input == after->has_input &&
		before->has_stream == after->has_stream && before->stream == after->stream);
	REQUIRE(before->has_option[PEEK_MAIN_GPU] == after->has_option[PEEK_MAIN_GPU] &&
		before->option[PEEK_MAIN_GPU] == after->option[PEEK_MAIN_GPU]);
}

static void require_edits(const struct peek_result *before, struct edit *edit, struct edit *cut,
	const char *body, size_t length, unsigned choices)
{
	struct result result;
	struct result other;
	struct peek *after = peek_create();

	choose(edit, choices);
	choose(cut, choices);
	edit_whole(edit, &result, body, length);
	edit_whole(cut, &other, body, length);
	REQUIRE(result.used == other.used && memcmp(result.text, other.text, result.used) == 0);
	REQUIRE((choices & (CHOICES_STRIP * 2 - 1)) || result.splices == 0);
	peek_feed(after, result.text, result.used);
	if (edit_apply(edit, on_splice,
		    &(struct result){.body = body, .length = length, .text = other.text}))
		require_wishes(before, peek_finish(after), choices);
	peek_destroy(after);
	free(result.text);
	free(other.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned choices = size > PIECES_SIZES ? data[PIECES_SIZES] : 0;
	struct peek *peek = peek_create();
	struct edit *edit = edit_create();
	struct edit *cut = edit_create();
	struct pieces pieces;
	const char *body;
	const char *piece;
	size_t length;

	pieces_init(&pieces, data, size);
	if (pieces.left > 0) {
		pieces.text++;
		pieces.left--;
	}
	body = pieces.text;
	length = pieces.left;
	peek_feed(peek, body, length);
	edit_feed(edit, body, length);
	while ((piece = pieces_next(&pieces, &size)))
		edit_feed(cut, piece, size);
	if (peek_finish(peek)->valid)
		require_edits(peek_finish(peek), edit, cut, body, length, choices);
	peek_destroy(peek);
	edit_destroy(edit);
	edit_destroy(cut);
	return 0;
}
