/*
 * Reads a job's request body as it arrives and keeps the few things that queue, scheduler and log
 * want to know. One yajl pass behind json/filter, so a 10 MB image costs microseconds and no string
 * is copied that nobody wants. The body itself is never changed. Called by front/intake; the result
 * is read by core and observe.
 *
 * Duplicate keys: the last one counts, as in Go. Keys are matched as Go's encoding/json does: exact
 * name first, else case-insensitively. A body that is not JSON gives valid = false and what was
 * seen before; it is forwarded all the same.
 */
#ifndef SO_JSON_PEEK_H
#define SO_JSON_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ollama's runner options that reload a model when they differ (FACTS-ollama.md, PRODUCT 3.3). */
#define PEEK_OPTIONS(X)           \
	X(NUM_CTX, "num_ctx")     \
	X(NUM_BATCH, "num_batch") \
	X(NUM_GPU, "num_gpu")     \
	X(MAIN_GPU, "main_gpu")   \
	X(USE_MMAP, "use_mmap")   \
	X(NUM_THREAD, "num_thread")

enum peek_option {
#define X(symbol, name) PEEK_##symbol,
	PEEK_OPTIONS(X)
#undef X
		PEEK_OPTION_COUNT
};
const char *peek_option_name(enum peek_option option);

enum peek_keep_alive { PEEK_KEEP_ALIVE_ABSENT, PEEK_KEEP_ALIVE_NULL, PEEK_KEEP_ALIVE_VALUE };

struct peek_result {
	bool valid;	/* the whole body was one JSON object */
	char *model;	/* owned by the peek; NULL: none read; as written by the client, at most 255
			   bytes, else NULL */
	bool has_model; /* "model" has a value that is not empty, even if none that is read */
	char *name;	/* "name", as model is */
	bool has_stream; /* the key was there with a boolean */
	bool stream;
	enum peek_keep_alive keep_alive;
	/* The value as JSON text ("30m" without quotes: keep_alive_is_string tells), at most 63
	 * bytes; longer: absent. */
	char keep_alive_text[64];
	bool keep_alive_is_string;
	/* keep_alive is 0, "0", "0s", "0m"… : Ollama unloads. */
	bool keep_alive_is_zero;
	/* top-level "options" (native API only): which are set, and their value; booleans are 0 and
	 * 1 */
	bool has_option[PEEK_OPTION_COUNT];
	int64_t option[PEEK_OPTION_COUNT];
	/* `num_keep` beside them: how much of a prompt stays when Ollama cuts it */
	bool has_num_keep;
	int64_t num_keep;
	bool has_prompt; /* "prompt" is a non-empty string or array (generate, completions) */
	bool has_input;	 /* "input" is a non-empty string or array (embed, embeddings, responses) */
	int64_t messages_count; /* elements of top-level "messages" (an array "input" of
				   /v1/responses counts too) */
	/* Images: `images` of generate and of chat messages; data: URLs in image_url (string or
	 * {url}) of /v1 content parts; Anthropic's source {type: base64, data}. Bytes are the
	 * decoded bytes (base64 length · 3/4). */
	int64_t images_count;
	int64_t images_bytes;
	int64_t images_pixels;	/* sum over the images whose size could be read; -1: none could */
	uint32_t largest_width; /* of the image with most pixels; 0: unknown */
	uint32_t largest_height;
};

struct peek;

struct peek *peek_create(void);
/* NULL is fine. */
void peek_destroy(struct peek *peek);
/* Next bytes, in pieces of any size. After the body proved invalid further calls cost nothing. */
void peek_feed(struct peek *peek, const void *bytes, size_t length);
/* The body is complete. The result belongs to the peek. */
const struct peek_result *peek_finish(struct peek *peek);
/* What a call of Ollama's own API that is no inference is about: show, pull, push, create and
 * delete take the older "name" where "model" is absent or empty. NULL: none was read. */
const char *peek_named_model(const struct peek_result *result);

#endif
