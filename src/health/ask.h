/*
 * One small GET, blocking, with a limit on the whole of it. Called by health. HTTP/1.0, so that the
 * answer comes unchunked and the connection ends with it.
 */
#ifndef SO_HEALTH_ASK_H
#define SO_HEALTH_ASK_H

#include <stddef.h>

struct place;

/* X(symbol, what to tell people; where is put before it) */
#define ASK_ENDS(X)                                                                              \
	X(ANSWERED, "")                                                                          \
	X(UNKNOWN_NAME, "this name is not known: correct the URL")                               \
	X(REFUSED, "nothing listens there: start shared-ollama, or give its URL after `health`") \
	X(UNREACHABLE, "there is no way to it: correct the URL, or look at the network")         \
	X(SLOW, "no answer within 5 s: it is stopped, or its machine is overloaded")             \
	X(BROKEN, "what it sent is no HTTP answer: give the URL of shared-ollama after `health`")

enum ask_end {
#define X(symbol, text) ASK_##symbol,
	ASK_ENDS(X)
#undef X
};
const char *ask_end_text(enum ask_end end);

/* The limit that ASK_SLOW's text tells. Name resolution is the system's and has its own. */
enum { ASK_LIMIT_MS = 5000 };

struct ask_answer {
	int status;
	char *body; /* NUL-terminated; the caller frees */
	size_t length;
};

/* `ret_answer` is written only with ASK_ANSWERED. */
enum ask_end ask_get(const struct place *place, struct ask_answer *ret_answer);

#endif
