/*
 * Reads one JSON object of an answer, as it arrives: the final object of an NDJSON stream, a whole
 * non-streamed answer, the data of one SSE event. It keeps durations, counts, errors and what kind
 * of object it is; all else passes by behind json/filter, which skims arrays (`context`,
 * `embeddings`, `choices`), so that megabytes of them cost next to nothing. Called by tap. The
 * struct is embedded; between answer_begin() and answer_end() it holds a yajl handle.
 *
 * Ollama's own keys are matched exactly, as it writes them.
 */
#ifndef SO_JSON_ANSWER_H
#define SO_JSON_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <yajl/yajl_parse.h>

#include "json/filter.h"

/* Room for an error's text with its NUL. */
#define ANSWER_TEXT_SIZE 256
/* response.usage is an object in an object in the root. */
#define ANSWER_DEPTH 3

enum answer_done { ANSWER_DONE_ABSENT, ANSWER_DONE_FALSE, ANSWER_DONE_TRUE };

enum answer_place {
	ANSWER_ELSEWHERE,
	ANSWER_ROOT,
	ANSWER_ERROR,	      /* "error" at the top */
	ANSWER_USAGE,	      /* "usage" at the top or in "response" */
	ANSWER_RESPONSE,      /* of /v1/responses events */
	ANSWER_MESSAGE,	      /* of message_start; of a chat, where it has no usage */
	ANSWER_MESSAGE_USAGE, /* its usage is a first guess */
};

struct answer_rule;

struct answer {
	yajl_handle yajl; /* NULL: none is being read */
	struct filter filter;
	enum answer_place places[ANSWER_DEPTH];
	unsigned depth;
	unsigned ignored;		/* open containers below the last place */
	const struct answer_rule *rule; /* of the key whose value is due */

	/* Results; they count once is_complete is set. */
	bool is_complete; /* the object's closing brace came */
	enum answer_done done;
	bool is_error; /* a top-level "error" that says something */
	bool is_error_type;
	bool is_final_type; /* "type" is that of a stream's last object */
	char error_text[ANSWER_TEXT_SIZE];
	char message_text[ANSWER_TEXT_SIZE]; /* of a top-level "message" that is a string */
	/* -1: absent */
	int64_t total_duration;
	int64_t load_duration;
	int64_t prompt_eval_count;
	int64_t prompt_eval_duration;
	int64_t eval_count;
	int64_t eval_duration;
	int64_t usage_prompt;
	int64_t usage_completion;
	int64_t message_prompt;
};

void answer_begin(struct answer *answer);
/* The next bytes. After the object's end, or once it proved to be no JSON object, they are ignored.
 */
void answer_feed(struct answer *answer, const char *bytes, size_t length);
/* Lets the handle go; the results stay. May be called twice, or on a zeroed struct. */
void answer_end(struct answer *answer);

/* "error", "message_stop", …: the object or event that is a stream's last, and the one that reports
 * an error. */
bool answer_is_final_type(const char *type, size_t length);
bool answer_is_error_type(const char *type, size_t length);

#endif
