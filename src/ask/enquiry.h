/*
 * One request to a running service and its whole answer, without blocking once the name is known
 * (names are resolved by the system at the start; addresses in digits take no time). Used by ask
 * and by top, which waits for it and for the keyboard at once. HTTP/1.0, so that the answer comes
 * unchunked and the connection ends with it.
 */
#ifndef SO_ASK_ENQUIRY_H
#define SO_ASK_ENQUIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct place;
struct enquiry;

/* X(symbol, what to tell people; where is put before it) */
#define ASK_ENDS(X)                                                                      \
	X(ANSWERED, "")                                                                  \
	X(UNKNOWN_NAME, "this name is not known: correct the URL")                       \
	X(REFUSED, "nothing listens there: start shared-ollama, or give its URL")        \
	X(UNREACHABLE, "there is no way to it: correct the URL, or look at the network") \
	X(SLOW, "no answer within 5 s: it is stopped, or its machine is overloaded")     \
	X(BROKEN, "what it sent is no HTTP answer: give the URL of shared-ollama")

enum ask_end {
#define X(symbol, text) ASK_##symbol,
	ASK_ENDS(X)
#undef X
};
const char *ask_end_text(enum ask_end end);

/* The limit that ASK_SLOW's text tells. Name resolution is the system's and has its own. */
enum { ASK_LIMIT_MS = 5000, ASK_DATE_BYTES = 64 };

struct ask_request {
	const char *method;
	const char *target;
	const char *key;	  /* of ours (docs/security.md), NULL: none */
	size_t answer_most_bytes; /* a longer body is ASK_BROKEN */
};

struct ask_answer {
	int status;
	char *body; /* NUL-terminated; the caller frees */
	size_t length;
	char date[ASK_DATE_BYTES]; /* the field Date, "" without one */
};

/* A key that can stand in a field: visible ASCII. */
bool ask_key_is_sane(const char *key);

/* What the request points into is not needed any more when this returns. */
struct enquiry *enquiry_start(const struct place *place, const struct ask_request *request);
/* What to poll() for; -1 when it has ended. */
int enquiry_fd(const struct enquiry *enquiry, short *ret_events);
/* Milliseconds until its limit is over, 0 at the least. */
int enquiry_left_ms(const struct enquiry *enquiry);
/* Goes on as far as that is possible without waiting. true: it has ended. */
bool enquiry_step(struct enquiry *enquiry);
/* Of one that has ended; `ret_answer` is written only with ASK_ANSWERED. */
enum ask_end enquiry_take(struct enquiry *enquiry, struct ask_answer *ret_answer);
/* In any state; NULL is fine. */
void enquiry_destroy(struct enquiry *enquiry);

/* CLOCK_MONOTONIC. */
int64_t enquiry_now_ms(void);

#endif
