#include "watch.h"

#include <stdlib.h>

#include <event2/event.h>

#include "back/probe.h"
#include "base/delay.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "config/settings.h"
#include "core/tally.h"
#include "io/command.h"

struct watch {
	struct settings *settings;
	const struct probe *probe;
	const struct tally *tally;
	struct command *stuck;
	struct command *down;
	struct event *timer;
	bool is_paused;
	int64_t down_since_us; /* jobs wait and Ollama is not usable; 0: not so */
};

static void call(struct watch *watch, struct command *command, const char *text, const char *model,
	const char *runner, const char *reason)
{
	char *variables[] = {
		mem_printf("SHARED_OLLAMA_REASON=%s", reason),
		mem_printf("SHARED_OLLAMA_UPSTREAM=%s", watch->settings->upstream),
		mem_printf("SHARED_OLLAMA_MODEL=%s", model ? model : ""),
		mem_printf("SHARED_OLLAMA_RUNNER=%s", runner ? runner : ""),
		NULL,
	};

	if (!command_run(command, text, (const char *const *)variables))
		LOG(DEBUG, "a command is not started again so soon", LOG_TEXT("reason", reason));
	for (char **variable = variables; *variable; variable++)
		free(*variable);
}

static void call_down(struct watch *watch, const char *reason)
{
	const char *text = watch->settings->on_upstream_down;

	if (*text && command_may_run(watch->down))
		call(watch, watch->down, text, NULL, NULL, reason);
}

/* While it stays so the command is run once in each of its pauses. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;

	watch_look(watch, watch->is_paused);
	if (!watch->down_since_us)
		return;
	call_down(watch, probe_state_name(probe_state(watch->probe)));
	delay_start(watch->timer, WATCH_DOWN_US);
}

void watch_look(struct watch *watch, bool is_paused)
{
	bool is_down = !is_paused && watch->tally->queued > 0 && !probe_is_usable(watch->probe);

	watch->is_paused = is_paused;
	if (!is_down) {
		if (watch->down_since_us)
			event_del(watch->timer);
		watch->down_since_us = 0;
	} else if (!watch->down_since_us) {
		watch->down_since_us = ticker_now_us();
		delay_start(watch->timer, WATCH_DOWN_US);
	}
}

void watch_silence(
	struct watch *watch, const char *model, const char *runner, enum liveness liveness)
{
	const char *text = watch->settings->on_runner_stuck;

	switch (liveness) {
	case LIVENESS_DEAD:
		call_down(watch, liveness_name(liveness));
		break;
	case LIVENESS_LOADING:
	case LIVENESS_STUCK:
		if (*text && model && command_may_run(watch->stuck))
			call(watch, watch->stuck, text, model, runner, liveness_name(liveness));
		break;
	case LIVENESS_BUSY:
		break;
	}
}

struct watch *watch_create(struct event_base *base, const struct probe *probe,
	const struct tally *tally, struct settings *settings)
{
	struct watch *watch = mem_zalloc(sizeof(*watch));

	watch->settings = settings_take(settings);
	watch->probe = probe;
	watch->tally = tally;
	watch->stuck = command_create(base, "on_runner_stuck");
	watch->down = command_create(base, "on_upstream_down");
	watch->timer = evtimer_new(base, on_timer, watch);
	if (!watch->timer)
		mem_out(sizeof(*watch));
	return watch;
}

void watch_destroy(struct watch *watch)
{
	if (!watch)
		return;
	command_destroy(watch->stuck);
	command_destroy(watch->down);
	event_free(watch->timer);
	settings_return(watch->settings);
	free(watch);
}

void watch_set_settings(struct watch *watch, struct settings *settings)
{
	settings_return(watch->settings);
	watch->settings = settings_take(settings);
}
