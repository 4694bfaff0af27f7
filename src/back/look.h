/*
 * What is this model? A fresh GET /api/tags says whether it is there and local, and what it can do
 * (PRODUCT 3.3); where that list does not say, POST /api/show does (an older Ollama, or one without
 * the list). Embedded in back/loader; one look at a time.
 */
#ifndef SO_BACK_LOOK_H
#define SO_BACK_LOOK_H

#include "back/errand.h"
#include "core/runner.h"

enum {
	LOOK_ANSWER_US = 5 * 1000 * 1000,
	/* A look that Ollama breaks off: after so many in a row the model is taken for a usual one,
	 * so that its own answer is the answer. */
	LOOK_BROKEN_MOST = 3,
};

struct look {
	struct errand errand;
	/* RUNNER_UNKNOWN: it could not be asked. `same`: the first, by name, of the models that are
	 * copies of it, perhaps itself; canonical; NULL: not known. The next look may begin in it.
	 */
	void (*on_looked)(void *arg, enum runner_kind kind, const char *same);
	void *arg;
	char *spelling;
	char *model;  /* canonical */
	char *digest; /* NULL: not known */
	char *same;
	bool is_show;
	bool is_found; /* by the list: that it is there, and what it is */
	enum runner_kind kind;
	int broken; /* in a row */
};

void look_init(struct look *look, struct event_base *base, struct pool *pool, struct probe *probe,
	const struct settings *settings,
	void (*on_looked)(void *arg, enum runner_kind kind, const char *same), void *arg);
/* They replace those of look_init(). */
void look_set_settings(struct look *look, const struct settings *settings);
void look_finish(struct look *look);
/* `runner` is read during the call only. */
void look_begin(struct look *look, const struct runner *runner);

#endif
