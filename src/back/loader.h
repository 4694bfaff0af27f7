/*
 * Our own requests that turn Ollama's runners over (PRODUCT 3.3, 3.6): what a model is (/api/show),
 * unload it and wait until /api/ps no longer lists it, load it by an empty request with the same
 * runner options. No client hangs on them, so one that leaves aborts no load. Made by proxy.c's
 * conductor, which carries out the scheduler's verdicts.
 *
 * At most one unload or load at a time, and one look beside it. Every one of them ends in exactly
 * one event, in bounded time, unless loader_destroy() comes first.
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
	LOADER_LOOK_US = 5 * 1000 * 1000,
	LOADER_ANSWER_MOST = 4 * 1024 * 1024, /* bytes of an answer that are kept */
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
	/* RUNNER_UNKNOWN: it could not be asked. */
	void (*on_looked)(void *arg, enum runner_kind kind);
	/* It is gone, or waiting for it any longer is of no use. */
	void (*on_unloaded)(void *arg);
	/* It was up at `loaded_us`, `took_us` after it was asked for; residency knows who is left.
	 */
	void (*on_loaded)(void *arg, int64_t took_us, int64_t loaded_us);
	void (*on_load_failed)(void *arg, const struct loader_failure *failure);
	void *arg;
};

struct loader *loader_create(struct event_base *base, struct pool *pool, struct probe *probe,
	const struct residency *residency, struct settings *settings,
	const struct loader_events *events);
/* What is under way is cut. NULL is fine. */
void loader_destroy(struct loader *loader);
/* `runner` is read during the call only. */
void loader_look(struct loader *loader, const struct runner *runner);
void loader_unload(struct loader *loader, const struct runner *runner);
void loader_load(struct loader *loader, const struct runner *runner);
/* An unload or a load is under way: the next must wait for its event. */
bool loader_is_busy(const struct loader *loader);
/* The probe told of a change: perhaps the one that is waited for. */
void loader_residency_changed(struct loader *loader);

#endif
