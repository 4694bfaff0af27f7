/*
 * Our own requests that turn Ollama's runners over (PRODUCT 3.3, 3.6, 5): what a model is, unload
 * it and wait until /api/ps no longer lists it, load it by an empty request with the same runner
 * options, set its keep_alive. No client hangs on them, so one that leaves aborts no load. Made by
 * the conductor, which carries out the scheduler's verdicts.
 *
 * At most one unload or load at a time, one look and one touch or freeing beside it. Every look,
 * unload and load ends in exactly one event, in bounded time, unless loader_destroy() comes first.
 * An unload or load waits for the end of a touch or freeing: late, these would load or unload what
 * they must not.
 *
 * FACTS-ollama 7: the unload answers in some ms and the model leaves /api/ps up to 66 ms later; an
 * unload during the model's own load is answered but lost, so it is repeated while it is listed.
 */
#ifndef SO_BACK_LOADER_H
#define SO_BACK_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/outcome.h"
#include "core/runner.h"

struct event_base;
struct loader;
struct pool;
struct probe;
struct residency;
struct settings;

enum {
	LOADER_POLL_US = 20 * 1000, /* between two looks at /api/ps */
	/* Somebody else's request keeps the model busy: Ollama itself waits for its end, so after
	   this long the next model's load does as well. */
	LOADER_UNLOAD_US = 30 * 1000 * 1000,
	LOADER_AGAIN_US = 1000 * 1000,	  /* between two unloads of what is still listed */
	LOADER_SEEN_US = 2 * 1000 * 1000, /* for the look at /api/ps after a load */
	/* For the answer to an unload, a touch or a freeing: some ms, unless Ollama is in trouble.
	 */
	LOADER_ANSWER_US = 5 * 1000 * 1000,
};

struct loader_failure {
	/* An error of Ollama itself: its status and text. Else status 0, and outcome says what. */
	int status;
	enum outcome outcome;
	const char *text; /* NULL: the outcome's */
	bool is_broken;	  /* Ollama was gone: it may be tried again */
};

/* Any of them may call every function but loader_destroy(). Called from inside loader_look(),
 * _unload() and _load() where nothing could be sent. */
struct loader_events {
	/* As back/look tells it. */
	void (*on_looked)(void *arg, enum runner_kind kind, const char *same);
	/* Ollama accepted the unload; on_unloaded follows. */
	void (*on_unload_answered)(void *arg);
	/* It is gone, or waiting for it any longer is of no use. */
	void (*on_unloaded)(void *arg);
	/* It was up at `loaded_us`, `took_us` after it was asked for; residency knows who is left.
	 */
	void (*on_loaded)(void *arg, int64_t took_us, int64_t loaded_us);
	void (*on_load_failed)(void *arg, const struct loader_failure *failure);
	/* A touch or freeing ended, well or not. */
	void (*on_touched)(void *arg);
	void *arg;
};

struct loader *loader_create(struct event_base *base, struct pool *pool, struct probe *probe,
	const struct residency *residency, struct settings *settings,
	const struct loader_events *events);
/* Also for what is under way. */
void loader_set_settings(struct loader *loader, struct settings *settings);
/* What is under way is cut. NULL is fine. */
void loader_destroy(struct loader *loader);
/* `runner` is read during the call only, here and below. */
void loader_look(struct loader *loader, const struct runner *runner);
/* `listed_as`: the canonical name under which /api/ps lists it, which of a copy is another one. */
void loader_unload(struct loader *loader, const struct runner *runner, const char *listed_as);
/* `keep_alive` as own_body_empty() takes it; NULL: Ollama's default. */
void loader_load(struct loader *loader, const struct runner *runner, const char *keep_alive);
/* Nothing but a look is under way: loader_touch() may be called. */
bool loader_may_touch(const struct loader *loader);
/* Sets the keep_alive of a loaded runner. One that is not loaded would be: the caller's to know. */
void loader_touch(struct loader *loader, const struct runner *runner, const char *keep_alive);
/* While a load is pending: unloads another runner that Ollama does not let go by itself (its issue
 * 17408). Nothing happens if another freeing is under way. */
void loader_free(struct loader *loader, const struct runner *runner);
/* An unload or a load is under way: the next must wait for its event. */
bool loader_is_busy(const struct loader *loader);
/* The probe told of a change: perhaps the one that is waited for. */
void loader_residency_changed(struct loader *loader);

#endif
