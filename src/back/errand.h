/*
 * One own request to Ollama and its whole answer, one after the other: what back/loader asks with.
 * It connects afresh, keeps the answer (bounded), holds the time limits and tells the probe what it
 * learned of Ollama. Embedded in its user; after an event the next request may begin at once.
 */
#ifndef SO_BACK_ERRAND_H
#define SO_BACK_ERRAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/outcome.h"

struct errand;
struct evbuffer;
struct event;
struct event_base;
struct exchange;
struct pool;
struct probe;
struct settings;

enum {
	ERRAND_ANSWER_MOST = 4 * 1024 * 1024, /* bytes of an answer that are kept */
};

/* Exactly one of them for each errand_ask(), from inside it where nothing could be sent. Any
 * function may be called but errand_finish(). */
struct errand_events {
	void (*on_answered)(void *arg, int status, const char *text, size_t length);
	/* Our own want of means, silence (is_broken false), or Ollama gone (is_broken). */
	void (*on_failed)(void *arg, enum outcome outcome, bool is_broken);
};

struct errand {
	struct pool *pool;
	struct probe *probe;
	const struct settings *settings;
	const struct errand_events *events;
	void *arg;
	struct exchange *exchange;
	struct event *timer;
	struct evbuffer *answer;
	char *body; /* NULL: none, it is a GET */
	int64_t limit_us;
	int status; /* 0: no head yet */
	bool is_connected;
};

/* `settings` must outlive it, `events` is not copied. */
void errand_init(struct errand *errand, struct event_base *base, struct pool *pool,
	struct probe *probe, const struct settings *settings, const struct errand_events *events,
	void *arg);
/* What is under way is cut. */
void errand_finish(struct errand *errand);
bool errand_is_under_way(const struct errand *errand);
/*
 * Nothing may be under way. POST with the JSON `body`, which is taken over, or GET with NULL. After
 * the connection the whole answer must be there within `limit_us`, 0: no limit.
 */
void errand_ask(struct errand *errand, const char *target, char *body, int64_t limit_us);

#endif
