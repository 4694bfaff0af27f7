/*
 * Watches a job's response body while it passes by and pulls out the durations and counts of the
 * final object, error lines and where the stream stands. It never delays, changes or keeps back a
 * byte. Per token line it costs a memchr and a memmem; only the final object is parsed, by yajl
 * behind json/filter. Called by relay for each piece of a response.
 *
 * Formats: NDJSON (/api streams), one JSON object (stream: false), SSE (/v1 streams: data lines
 * with `usage`, responses' `response.completed`, messages' `message_start`/`message_delta`).
 */
#ifndef SO_JSON_TAP_H
#define SO_JSON_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAP_FORMATS(X)                                                      \
	X(NONE, "none")	    /* anything else: only line ends are watched */ \
	X(NDJSON, "ndjson") /* application/x-ndjson */                      \
	X(JSON, "json")	    /* application/json */                          \
	X(SSE, "sse")	    /* text/event-stream */

enum tap_format {
#define X(symbol, name) TAP_##symbol,
	TAP_FORMATS(X)
#undef X
};
const char *tap_format_name(enum tap_format format);

/* The format that a Content-Type value announces; parameters and case are ignored; NULL gives
 * TAP_NONE. */
enum tap_format tap_format_of(const char *content_type, size_t length);

/* -1: not seen. Durations in nanoseconds, as Ollama sends them. */
struct tap_result {
	/*
	 * A final object was seen: done:true, [DONE], response.completed, message_stop. Of
	 * TAP_JSON: the whole object came, is no error and does not say done:false (the repeat
	 * limit).
	 */
	bool done;
	bool error;	      /* an object with a top-level "error" (or `event: error`) came by */
	char error_text[256]; /* of the first: cut between characters, NUL-terminated */
	int64_t total_duration;
	int64_t load_duration;
	/* Native, or usage.prompt_tokens / usage.input_tokens; a usage of zeros is not
	 * seen. */
	int64_t prompt_eval_count;
	int64_t prompt_eval_duration;
	int64_t eval_count; /* native, or usage.completion_tokens / usage.output_tokens */
	int64_t eval_duration;
	int64_t lines; /* NDJSON lines or SSE events that ended so far */
};

struct tap;

struct tap *tap_create(enum tap_format format);
void tap_destroy(struct tap *tap);
/* Next bytes of the decoded body, in pieces of any size. */
void tap_feed(struct tap *tap, const void *bytes, size_t length);
/* The stream stands where a further line or event may be put in: nothing was sent, or it ended with
 * "\n" (SSE: "\n\n"). */
bool tap_is_at_line_end(const struct tap *tap);
/* The body is complete or broke off. The result belongs to the tap; may be called at any time for
 * what was seen so far. */
const struct tap_result *tap_finish(struct tap *tap);

#endif
