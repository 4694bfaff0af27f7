#include "back/loader.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "back/exchange.h"
#include "back/pool.h"
#include "back/probe.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "core/residency.h"
#include "json/lookup.h"
#include "json/show.h"
#include "json/writer.h"

enum {
	US_PER_MS = 1000,
	US_PER_S = 1000 * 1000,
	STATUS_OK = 200,
	STATUS_CLIENT_ERROR = 400,
	STATUS_SERVER_ERROR = 500,
	/* A look that Ollama breaks off: after so many in a row the model is taken for a usual one.
	 */
	BROKEN_LOOKS_MOST = 3,
};

enum step {
	STEP_NONE,
	STEP_LOOK,
	STEP_UNLOAD, /* the unload is being sent */
	STEP_GONE,   /* wait until /api/ps no longer lists it */
	STEP_LOAD,
	STEP_SEEN, /* loaded; wait for /api/ps to tell who is left */
};

/* One of our requests, and what follows until its event. */
struct errand {
	struct loader *loader;
	enum step step;
	struct exchange *exchange;
	struct event *timer;
	struct evbuffer *answer;
	char *model; /* canonical */
	char *body;
	const char *target;
	int status; /* 0: no head yet */
	bool is_connected;
	int64_t begun_us;
	int64_t step_us;     /* when the step began */
	int64_t answered_us; /* when Ollama answered the unload or the load */
};

struct loader {
	struct pool *pool;
	struct probe *probe;
	const struct residency *residency;
	struct settings *settings;
	struct loader_events events;
	struct errand look;
	struct errand turn; /* unload or load */
	int broken_looks;
};

static void on_timer(evutil_socket_t fd, short what, void *arg);

static void arm(struct errand *errand, int64_t wait_us)
{
	const struct timeval wait = {wait_us / US_PER_S, wait_us % US_PER_S};

	event_add(errand->timer, &wait);
}

static void set_step(struct errand *errand, enum step step)
{
	errand->step = step;
	errand->step_us = ticker_now_us();
}

/* Nothing is under way any more; the event that follows may begin the next. */
static void rest(struct errand *errand)
{
	if (errand->exchange)
		exchange_cancel(errand->exchange);
	errand->exchange = NULL;
	set_step(errand, STEP_NONE);
	event_del(errand->timer);
	evbuffer_drain(errand->answer, evbuffer_get_length(errand->answer));
	free(errand->model);
	free(errand->body);
	errand->model = errand->body = NULL;
}

static void init_errand(struct errand *errand, struct loader *loader, struct event_base *base)
{
	errand->loader = loader;
	errand->timer = evtimer_new(base, on_timer, errand);
	errand->answer = evbuffer_new();
	if (!errand->timer || !errand->answer)
		mem_out(sizeof(*errand));
}

static void finish_errand(struct errand *errand)
{
	rest(errand);
	event_free(errand->timer);
	evbuffer_free(errand->answer);
}

struct loader *loader_create(struct event_base *base, struct pool *pool, struct probe *probe,
	const struct residency *residency, struct settings *settings,
	const struct loader_events *events)
{
	struct loader *loader = mem_zalloc(sizeof(*loader));

	loader->pool = pool;
	loader->probe = probe;
	loader->residency = residency;
	loader->settings = settings_take(settings);
	loader->events = *events;
	init_errand(&loader->look, loader, base);
	init_errand(&loader->turn, loader, base);
	return loader;
}

void loader_destroy(struct loader *loader)
{
	if (!loader)
		return;
	finish_errand(&loader->look);
	finish_errand(&loader->turn);
	settings_return(loader->settings);
	free(loader);
}

/* Endings. */

static void end_look(struct loader *loader, enum runner_kind kind)
{
	rest(&loader->look);
	loader->events.on_looked(loader->events.arg, kind);
}

static void end_unload(struct loader *loader)
{
	rest(&loader->turn);
	loader->events.on_unloaded(loader->events.arg);
}

static void end_load(struct loader *loader)
{
	struct errand *errand = &loader->turn;
	int64_t took_us = errand->answered_us - errand->begun_us;
	int64_t loaded_us = errand->answered_us;

	LOG(INFO, "loaded", LOG_TEXT("model", errand->model),
		LOG_NUMBER("ms", took_us / US_PER_MS));
	rest(errand);
	loader->events.on_loaded(loader->events.arg, took_us, loaded_us);
}

static void fail_load(struct loader *loader, const struct loader_failure *failure)
{
	LOG(WARN, "a load failed", LOG_TEXT("model", loader->turn.model),
		LOG_NUMBER("status", failure->status),
		LOG_TEXT("error", failure->text ? failure->text : outcome_text(failure->outcome)));
	rest(&loader->turn);
	loader->events.on_load_failed(loader->events.arg, failure);
}

/* Our own want of means, Ollama gone, or silent for too long. */
static void fail(struct errand *errand, enum outcome outcome, bool is_broken)
{
	struct loader *loader = errand->loader;
	struct loader_failure failure = {.outcome = outcome, .is_broken = is_broken};

	if (outcome == OUTCOME_QUEUE_FULL)
		failure.text = outcome_no_means;
	switch (errand->step) {
	case STEP_LOOK:
		if (is_broken && ++loader->broken_looks < BROKEN_LOOKS_MOST)
			end_look(loader, RUNNER_UNKNOWN);
		else
			end_look(loader, RUNNER_GENERATES);
		break;
	case STEP_UNLOAD:
		/* With Ollama gone its runners are; else it is told again. */
		if (is_broken) {
			end_unload(loader);
			break;
		}
		set_step(errand, STEP_GONE);
		arm(errand, LOADER_POLL_US);
		break;
	case STEP_LOAD:
		fail_load(loader, &failure);
		break;
	case STEP_GONE:
	case STEP_SEEN:
	case STEP_NONE:
		break;
	}
}

/* Waiting for /api/ps. */

static bool is_listed(const struct loader *loader, const char *model)
{
	for (size_t i = 0; i < residency_count(loader->residency); i++) {
		if (strcmp(residency_at(loader->residency, i)->name, model) == 0)
			return true;
	}
	return false;
}

static void ask(struct errand *errand);

/* It is still listed, or /api/ps has not answered since. */
static void wait_on(struct errand *errand)
{
	int64_t now_us = ticker_now_us();
	bool is_gone_step = errand->step == STEP_GONE;

	if (!probe_is_usable(errand->loader->probe)) {
		loader_residency_changed(errand->loader);
		return;
	}
	if (now_us - errand->begun_us >= LOADER_UNLOAD_US && is_gone_step) {
		LOG(WARN, "a model stays although it was unloaded: others use it",
			LOG_TEXT("model", errand->model));
		end_unload(errand->loader);
		return;
	}
	if (now_us - errand->step_us >= LOADER_SEEN_US && !is_gone_step) {
		end_load(errand->loader);
		return;
	}
	if (is_gone_step && now_us - errand->step_us >= LOADER_AGAIN_US) {
		set_step(errand, STEP_UNLOAD);
		ask(errand);
		return;
	}
	probe_refresh(errand->loader->probe);
	arm(errand, LOADER_POLL_US);
}

void loader_residency_changed(struct loader *loader)
{
	struct errand *errand = &loader->turn;
	bool is_fresh = residency_asked_us(loader->residency) >= errand->answered_us &&
			residency_asked_us(loader->residency) > 0;

	if (errand->step != STEP_GONE && errand->step != STEP_SEEN)
		return;
	/* Gone with Ollama; a model that was just loaded may be. */
	if (!probe_is_usable(loader->probe))
		is_fresh = true;
	if (!is_fresh)
		return;
	if (errand->step == STEP_SEEN)
		end_load(loader);
	else if (!probe_is_usable(loader->probe) || !is_listed(loader, errand->model))
		end_unload(loader);
}

/* Answers. */

static void take_look(struct loader *loader, int status, const char *text, size_t length)
{
	struct show_result seen;

	loader->broken_looks = 0;
	/* It is not there, or no name at all: Ollama's own answer is the answer. */
	if (status >= STATUS_CLIENT_ERROR && status < STATUS_SERVER_ERROR)
		end_look(loader, RUNNER_NOT_LOCAL);
	else if (status != STATUS_OK || !show_read(text, length, &seen))
		end_look(loader, RUNNER_GENERATES);
	else if (seen.is_remote)
		end_look(loader, RUNNER_NOT_LOCAL);
	else
		end_look(loader,
			seen.can_embed && !seen.can_complete ? RUNNER_EMBEDS : RUNNER_GENERATES);
}

static void take_load(struct errand *errand, int status, const char *text, size_t length)
{
	struct lookup error = {.path = "error"};
	struct loader_failure failure = {.status = status};

	if (status < STATUS_CLIENT_ERROR) {
		set_step(errand, STEP_SEEN);
		probe_refresh(errand->loader->probe);
		arm(errand, LOADER_POLL_US);
		return;
	}
	failure.outcome = outcome_of_status(status);
	failure.text = "Ollama could not load the model";
	if (lookup_read(text, length, &error, 1) && error.is_found)
		failure.text = error.text;
	fail_load(errand->loader, &failure);
}

static void take_answer(struct errand *errand)
{
	size_t length = evbuffer_get_length(errand->answer);
	const char *text = length ? (const char *)evbuffer_pullup(errand->answer, -1) : "";

	probe_note_answered(errand->loader->probe);
	errand->answered_us = ticker_now_us();
	switch (errand->step) {
	case STEP_LOOK:
		take_look(errand->loader, errand->status, text, length);
		break;
	case STEP_UNLOAD:
		set_step(errand, STEP_GONE);
		wait_on(errand);
		break;
	case STEP_LOAD:
		take_load(errand, errand->status, text, length);
		break;
	case STEP_GONE:
	case STEP_SEEN:
	case STEP_NONE:
		break;
	}
}

static void on_connected(void *arg)
{
	struct errand *errand = arg;
	int64_t limit_ms = errand->loader->settings->upstream_first_byte_timeout_ms;

	errand->is_connected = true;
	event_del(errand->timer);
	if (errand->step != STEP_LOAD)
		arm(errand, LOADER_LOOK_US);
	else if (limit_ms > 0)
		arm(errand, limit_ms * US_PER_MS);
}

static void on_head(void *arg, const struct exchange_head *head)
{
	struct errand *errand = arg;

	errand->status = head->status;
}

static void on_data(void *arg, struct evbuffer *data)
{
	struct errand *errand = arg;

	/* What is longer is none of the answers that are understood. */
	if (evbuffer_get_length(errand->answer) + evbuffer_get_length(data) > LOADER_ANSWER_MOST)
		return;
	if (evbuffer_add_buffer(errand->answer, data) != 0)
		mem_out(evbuffer_get_length(data));
}

static void could_not_begin(struct errand *errand)
{
	if (pool_failed_locally(errand->loader->pool)) {
		fail(errand, OUTCOME_QUEUE_FULL, false);
		return;
	}
	probe_note_refused(errand->loader->probe);
	fail(errand, OUTCOME_UPSTREAM_REFUSED, true);
}

static void on_end(void *arg, enum exchange_end end)
{
	struct errand *errand = arg;

	errand->exchange = NULL;
	event_del(errand->timer);
	switch (end) {
	case EXCHANGE_COMPLETE:
		take_answer(errand);
		break;
	case EXCHANGE_REFUSED:
		could_not_begin(errand);
		break;
	case EXCHANGE_RESET:
	case EXCHANGE_MALFORMED:
	case EXCHANGE_TRUNCATED:
		probe_note_broken(errand->loader->probe);
		fail(errand, OUTCOME_UPSTREAM_RESET, true);
		break;
	}
}

static const struct exchange_events exchange_events = {
	.on_connected = on_connected,
	.on_head = on_head,
	.on_data = on_data,
	.on_end = on_end,
};

static bool fill_body(void *arg, struct evbuffer *out)
{
	const struct errand *errand = arg;

	return evbuffer_add(out, errand->body, strlen(errand->body)) == 0;
}

static void ask(struct errand *errand)
{
	struct field items[] = {{"Content-Type", "application/json", strlen("Content-Type"),
		strlen("application/json")}};
	const struct fields fields = {items, ARRAY_LENGTH(items), ARRAY_LENGTH(items)};
	const struct exchange_request request = {
		.method = "POST",
		.target = errand->target,
		.fields = &fields,
		.fill_body = fill_body,
		.body_bytes = strlen(errand->body),
		.has_body = true,
		/* A load must not be lost to an idle connection that Ollama just closed. */
		.wants_fresh = true,
	};
	int64_t limit_ms = errand->loader->settings->upstream_connect_timeout_ms;

	errand->status = 0;
	errand->is_connected = false;
	evbuffer_drain(errand->answer, evbuffer_get_length(errand->answer));
	if (limit_ms > 0)
		arm(errand, limit_ms * US_PER_MS);
	errand->exchange = exchange_start(errand->loader->pool, &request, &exchange_events, errand);
	if (!errand->exchange)
		could_not_begin(errand);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct errand *errand = arg;
	bool was_connected = errand->is_connected;

	if (errand->step == STEP_GONE || errand->step == STEP_SEEN) {
		wait_on(errand);
		return;
	}
	if (errand->exchange)
		exchange_cancel(errand->exchange);
	errand->exchange = NULL;
	if (!was_connected)
		probe_note_refused(errand->loader->probe);
	fail(errand, was_connected ? OUTCOME_UPSTREAM_TIMEOUT : OUTCOME_UPSTREAM_REFUSED,
		!was_connected);
}

/* Beginnings. */

static void put_options(struct json_writer *writer, const struct runner *runner)
{
	json_begin_object(writer, "options");
	for (int i = 0; i < PEEK_OPTION_COUNT; i++) {
		const char *name = peek_option_name((enum peek_option)i);

		if (!runner->has_option[i])
			continue;
		if (i == PEEK_USE_MMAP)
			json_put_bool(writer, name, runner->option[i] != 0);
		else
			json_put_int(writer, name, runner->option[i]);
	}
	json_end_object(writer);
}

/* An empty request for the runner; with the same options, else Ollama reloads it. */
static char *empty_request(const struct runner *runner, bool is_unload)
{
	struct json_writer *writer = json_writer_create();
	size_t length;
	char *body;

	json_begin_object(writer, NULL);
	json_put_string(writer, "model", runner->spelling);
	if (runner->kind == RUNNER_EMBEDS) {
		json_begin_array(writer, "input");
		json_end_array(writer);
	} else {
		json_put_bool(writer, "stream", false);
	}
	put_options(writer, runner);
	if (is_unload)
		json_put_int(writer, "keep_alive", 0);
	json_end_object(writer);
	body = mem_strdup(json_writer_get(writer, &length));
	json_writer_destroy(writer);
	return body;
}

static void begin(struct errand *errand, enum step step, const struct runner *runner,
	const char *target, char *body)
{
	assert(errand->step == STEP_NONE);
	errand->model = mem_strdup(runner->model);
	errand->body = body;
	errand->target = target;
	errand->begun_us = ticker_now_us();
	errand->answered_us = errand->begun_us;
	set_step(errand, step);
	ask(errand);
}

void loader_look(struct loader *loader, const struct runner *runner)
{
	struct json_writer *writer = json_writer_create();
	size_t length;
	char *body;

	json_begin_object(writer, NULL);
	json_put_string(writer, "model", runner->spelling);
	json_end_object(writer);
	body = mem_strdup(json_writer_get(writer, &length));
	json_writer_destroy(writer);
	begin(&loader->look, STEP_LOOK, runner, "/api/show", body);
}

static const char *target_of(const struct runner *runner)
{
	return runner->kind == RUNNER_EMBEDS ? "/api/embed" : "/api/generate";
}

bool loader_is_busy(const struct loader *loader)
{
	return loader->turn.step != STEP_NONE;
}

void loader_unload(struct loader *loader, const struct runner *runner)
{
	LOG(INFO, "unloading", LOG_TEXT("runner", runner->key));
	begin(&loader->turn, STEP_UNLOAD, runner, target_of(runner), empty_request(runner, true));
}

void loader_load(struct loader *loader, const struct runner *runner)
{
	LOG(INFO, "loading", LOG_TEXT("runner", runner->key));
	begin(&loader->turn, STEP_LOAD, runner, target_of(runner), empty_request(runner, false));
}
