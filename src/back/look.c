#include "back/look.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "back/own_body.h"
#include "base/memory.h"
#include "core/residency.h"
#include "json/show.h"
#include "json/tags.h"

enum {
	STATUS_OK = 200,
	STATUS_CLIENT_ERROR = 400,
	STATUS_SERVER_ERROR = 500,
	NAME_BYTES = 256,
};

static void forget(struct look *look)
{
	free(look->spelling);
	free(look->model);
	free(look->digest);
	free(look->same);
	look->spelling = look->model = look->digest = look->same = NULL;
}

static void end(struct look *look, enum runner_kind kind)
{
	char *same = look->same;

	look->same = NULL;
	forget(look);
	look->on_looked(look->arg, kind, same);
	free(same);
}

static enum runner_kind kind_of(bool is_remote, bool can_embed, bool can_complete)
{
	if (is_remote)
		return RUNNER_NOT_LOCAL;
	return can_embed && !can_complete ? RUNNER_EMBEDS : RUNNER_GENERATES;
}

static void on_model(void *arg, const struct tags_model *model)
{
	struct look *look = arg;
	char canonical[NAME_BYTES];

	residency_canonical(model->name, canonical, sizeof(canonical));
	if (strcmp(canonical, look->model) != 0)
		return;
	look->is_found = true;
	free(look->digest);
	look->digest = *model->digest ? mem_strdup(model->digest) : NULL;
	/* A remote one is where it is, whatever it can do. */
	look->kind = model->has_capabilities || model->is_remote
			     ? kind_of(model->is_remote, model->can_embed, model->can_complete)
			     : RUNNER_UNKNOWN;
}

/* A second time through the list: who is a copy of it? */
static void on_copy(void *arg, const struct tags_model *model)
{
	struct look *look = arg;
	char canonical[NAME_BYTES];

	if (strcmp(model->digest, look->digest) != 0)
		return;
	residency_canonical(model->name, canonical, sizeof(canonical));
	if (look->same && strcmp(look->same, canonical) <= 0)
		return;
	free(look->same);
	look->same = mem_strdup(canonical);
}

static void ask_show(struct look *look)
{
	look->is_show = true;
	errand_ask(&look->errand, "/api/show", own_body_name(look->spelling), LOOK_ANSWER_US);
}

static void take_tags(struct look *look, int status, const char *text, size_t length)
{
	if (status != STATUS_OK || !tags_read(text, length, on_model, look))
		ask_show(look);
	else if (!look->is_found)
		end(look, RUNNER_NOT_LOCAL);
	else if (look->digest && !tags_read(text, length, on_copy, look))
		end(look, look->kind);
	else if (look->kind == RUNNER_UNKNOWN)
		ask_show(look);
	else
		end(look, look->kind);
}

static void take_show(struct look *look, int status, const char *text, size_t length)
{
	struct show_result seen;

	/* It is not there, or no name at all: Ollama's own answer is the answer. */
	if (status >= STATUS_CLIENT_ERROR && status < STATUS_SERVER_ERROR)
		end(look, RUNNER_NOT_LOCAL);
	else if (status != STATUS_OK || !show_read(text, length, &seen))
		end(look, RUNNER_GENERATES);
	else
		end(look, kind_of(seen.is_remote, seen.can_embed, seen.can_complete));
}

static void on_answered(void *arg, int status, const char *text, size_t length)
{
	struct look *look = arg;

	look->broken = 0;
	if (look->is_show)
		take_show(look, status, text, length);
	else
		take_tags(look, status, text, length);
}

static void on_failed(void *arg, enum outcome outcome, bool is_broken)
{
	struct look *look = arg;

	if (is_broken && ++look->broken < LOOK_BROKEN_MOST)
		end(look, RUNNER_UNKNOWN);
	else
		end(look, RUNNER_GENERATES);
}

static const struct errand_events events = {on_answered, on_failed};

void look_init(struct look *look, struct event_base *base, struct pool *pool, struct probe *probe,
	const struct settings *settings,
	void (*on_looked)(void *arg, enum runner_kind kind, const char *same), void *arg)
{
	*look = (struct look){.on_looked = on_looked, .arg = arg};
	errand_init(&look->errand, base, pool, probe, settings, &events, look);
}

void look_set_settings(struct look *look, const struct settings *settings)
{
	look->errand.settings = settings;
}

void look_finish(struct look *look)
{
	errand_finish(&look->errand);
	forget(look);
}

void look_begin(struct look *look, const struct runner *runner)
{
	assert(!look->model);
	look->spelling = mem_strdup(runner->spelling);
	look->model = mem_strdup(runner->model);
	look->is_show = false;
	look->is_found = false;
	look->kind = RUNNER_UNKNOWN;
	errand_ask(&look->errand, "/api/tags", NULL, LOOK_ANSWER_US);
}
