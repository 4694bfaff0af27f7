/*
 * How a request can end: PRODUCT 2 as one list. Request log, metrics, error bodies, documentation
 * and tests are made from it (STYLE B5.5).
 */
#ifndef SO_CORE_OUTCOME_H
#define SO_CORE_OUTCOME_H

#include <stdbool.h>

/* Which counter an outcome adds to. */
#define COUNTERS(X)               \
	X(COMPLETED, "completed") \
	X(FAILED, "failed")       \
	X(REJECTED, "rejected")   \
	X(TIMEOUT, "timeout")     \
	X(CANCELLED, "cancelled")

enum counter {
#define X(symbol, name) COUNTER_##symbol,
	COUNTERS(X)
#undef X
		COUNTER_COUNT
};
const char *counter_name(enum counter counter);

/*
 * X(symbol, HTTP status, log word, counter, text for people). Status 0: as Ollama sent it, or
 * nothing can be sent. An empty log word is null in the log. The text says what to do; an outcome's
 * user may give a better one.
 */
#define OUTCOMES(X)                                                                              \
	X(SUCCESS, 0, "", COMPLETED, "")                                                         \
	X(UPSTREAM_CLIENT_ERROR, 0, "upstream_status", COMPLETED, "")                            \
	X(UPSTREAM_STATUS, 0, "upstream_status", FAILED, "")                                     \
	X(QUEUE_FULL, 503, "queue_full", REJECTED,                                               \
		"the queue is full: try again after the seconds in Retry-After")                 \
	X(NO_TIME_LEFT, 503, "no_time_left", REJECTED,                                           \
		"this cannot be answered within the client's own time-out: try again after the " \
		"seconds in Retry-After")                                                        \
	X(QUEUE_TIMEOUT, 503, "queue_timeout", TIMEOUT,                                          \
		"waited in the queue until the deadline: try again after the seconds in "        \
		"Retry-After, or raise default_timeout")                                         \
	X(SHUTTING_DOWN, 503, "shutting_down", REJECTED,                                         \
		"shared-ollama is shutting down: try again after the seconds in Retry-After")    \
	X(SHUTTING_DOWN_CUT, 0, "shutting_down", FAILED,                                         \
		"shared-ollama was stopped before the answer was complete")                      \
	X(UNAUTHORIZED, 401, "unauthorized", REJECTED,                                           \
		"send an API key of this shared-ollama, as Authorization: Bearer KEY or "        \
		"X-Api-Key: KEY")                                                                \
	X(FORBIDDEN, 403, "forbidden", REJECTED, "this is not allowed here")                     \
	X(RATE_LIMITED, 429, "rate_limited", REJECTED,                                           \
		"over the rate of this key: try again after the seconds in Retry-After")         \
	X(BODY_TOO_LARGE, 413, "body_too_large", REJECTED,                                       \
		"the request body is over body_max: send less or raise --body-max")              \
	X(HEAD_TOO_LARGE, 431, "head_too_large", REJECTED,                                       \
		"the request head is over head_max: send fewer or shorter header fields")        \
	X(TARGET_TOO_LONG, 414, "target_too_long", REJECTED, "the request target is too long")   \
	X(BAD_REQUEST, 400, "bad_request", REJECTED, "this is not a well-formed HTTP request")   \
	X(NOT_IMPLEMENTED, 501, "not_implemented", REJECTED,                                     \
		"this method or transfer coding cannot be carried")                              \
	X(HTTP_VERSION, 505, "http_version", REJECTED, "speak HTTP/1.1 or HTTP/1.0")             \
	X(EXPECTATION_FAILED, 417, "expectation_failed", REJECTED,                               \
		"the only expectation that can be met is 100-continue")                          \
	X(GONE, 410, "gone", REJECTED, "this route of the old service is gone")                  \
	X(IMAGE_TOO_LARGE, 413, "image_too_large", REJECTED, "the image has too many pixels")    \
	X(LOOP, 508, "loop", REJECTED,                                                           \
		"this request came back to shared-ollama: --upstream names this very proxy")     \
	X(REQUEST_TIMEOUT, 408, "request_timeout", REJECTED,                                     \
		"the request did not arrive in time: send it faster or raise --header-timeout "  \
		"or --body-timeout")                                                             \
	X(CLIENT_STALLED, 0, "client_stalled", CANCELLED,                                        \
		"the client took no byte of its answer for write_timeout")                       \
	X(CANCELLED, 410, "cancelled", CANCELLED, "an operator cancelled this request")          \
	X(UPSTREAM_REFUSED, 502, "upstream_refused", FAILED, "Ollama refuses connections")       \
	X(UPSTREAM_RESET, 502, "upstream_reset", FAILED,                                         \
		"Ollama closed the connection before it answered")                               \
	X(UPSTREAM_MALFORMED, 502, "upstream_malformed", FAILED,                                 \
		"Ollama sent what is not a well-formed HTTP answer")                             \
	X(UPSTREAM_TIMEOUT, 504, "upstream_timeout", FAILED,                                     \
		"Ollama sent nothing for the time allowed")                                      \
	X(UPSTREAM_TRUNCATED, 0, "upstream_truncated", FAILED,                                   \
		"Ollama broke off in the middle of its answer")                                  \
	X(CLIENT_GONE, 0, "client_gone", CANCELLED, "the client left")

enum outcome {
	OUTCOME_NONE, /* not ended yet, or nothing wrong */
#define X(symbol, status, word, counter, text) OUTCOME_##symbol,
	OUTCOMES(X)
#undef X
		OUTCOME_COUNT
};

/* QUEUE_FULL's text when not the ring but descriptors, memory or disk are used up. */
extern const char outcome_no_means[];

/* How a whole answer of Ollama counts, by its status. */
enum outcome outcome_of_status(int status);
/* "QUEUE_FULL": for assertions and tests. */
const char *outcome_name(enum outcome outcome);
/* 0: see above. */
int outcome_status(enum outcome outcome);
/* 6.1's error_type, or NULL on success. */
const char *outcome_word(enum outcome outcome);
enum counter outcome_counter(enum outcome outcome);
const char *outcome_text(enum outcome outcome);
/* The answer carries Retry-After: every 429 and 503. */
bool outcome_has_retry_after(enum outcome outcome);

#endif
