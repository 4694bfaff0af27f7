#include "lifecycle.h"

#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

#include <event2/event.h>

#include "admin/events.h"
#include "base/compiler.h"
#include "base/delay.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "core/tally.h"
#include "front/clients.h"
#include "io/systemd.h"
#include "relay/pass.h"
#include "relay/relay.h"

enum {
	US_PER_MS = 1000,
	/* After a forced stop: what was said last to clients gets this long to be taken. */
	LAST_WORDS_US = 500 * 1000,
	/* Leaving: a request that is on its way on an idle connection arrives in this time. */
	LATE_US = 500 * 1000,
	/* Leaving: a connection that was accepted just before has sent its first request by then,
	   also after a TLS handshake over a slow line. */
	FRESH_US = 3 * 1000 * 1000,
};

static const int handled_signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};

/* How far the end is. */
enum phase { PHASE_SERVING, PHASE_LEAVING, PHASE_DRAINING, PHASE_STOPPING };

struct lifecycle {
	struct lifecycle_parts parts;
	struct event *signals[ARRAY_LENGTH(handled_signals)];
	struct event *end; /* the drain's end, then that of the last words; leaving: its steps */
	enum phase phase;
	int64_t leaving_since_us;
	bool is_over; /* the time for the last words is */
	/* asked for in this turn */
	bool wants_reload;
	bool wants_reopen;
	bool wants_upgrade;
	int wants_end; /* so many times */
};

static void begin_drain(struct lifecycle *lifecycle, int64_t limit_ms)
{
	const struct lifecycle_parts *parts = &lifecycle->parts;

	systemd_notify(SYSTEMD_STOPPING);
	lifecycle->phase = PHASE_DRAINING;
	LOG(INFO, "draining: running and waiting jobs are served, new ones refused",
		LOG_NUMBER("queued", parts->tally->queued),
		LOG_NUMBER("in_progress", parts->tally->in_progress));
	relay_drain(parts->relay);
	passes_drain(parts->passes);
	events_drain(parts->events);
	clients_close_idle(parts->clients);
	event_del(lifecycle->end);
	if (limit_ms > 0)
		delay_start(lifecycle->end, limit_ms * US_PER_MS);
}

static void stop_now(struct lifecycle *lifecycle)
{
	const struct lifecycle_parts *parts = &lifecycle->parts;

	lifecycle->phase = PHASE_STOPPING;
	relay_drain(parts->relay);
	relay_stop(parts->relay);
	passes_stop(parts->passes);
	events_drain(parts->events);
	clients_close_idle(parts->clients);
	delay_start(lifecycle->end, LAST_WORDS_US);
}

static bool is_idle(const struct lifecycle *lifecycle)
{
	const struct tally *tally = lifecycle->parts.tally;

	return tally->reading + tally->queued + tally->in_progress + tally->flushing == 0 &&
	       lifecycle->parts.pass_tally->in_progress == 0 &&
	       clients_busy(lifecycle->parts.clients) == 0;
}

bool lifecycle_is_closed(const struct lifecycle *lifecycle)
{
	int64_t left_us = ticker_now_us() - lifecycle->leaving_since_us;

	return lifecycle->phase == PHASE_LEAVING && left_us >= LATE_US &&
	       clients_fresh(lifecycle->parts.clients) == 0;
}

bool lifecycle_has_ended(const struct lifecycle *lifecycle)
{
	switch (lifecycle->phase) {
	case PHASE_SERVING:
		return false;
	case PHASE_LEAVING:
		return lifecycle_is_closed(lifecycle) && is_idle(lifecycle);
	case PHASE_DRAINING:
		return is_idle(lifecycle);
	case PHASE_STOPPING:
		return lifecycle->is_over || is_idle(lifecycle);
	}
	return true;
}

bool lifecycle_is_draining(const struct lifecycle *lifecycle)
{
	return lifecycle->phase == PHASE_DRAINING || lifecycle->phase == PHASE_STOPPING;
}

void lifecycle_leave(struct lifecycle *lifecycle)
{
	lifecycle->phase = PHASE_LEAVING;
	lifecycle->leaving_since_us = ticker_now_us();
	events_drain(lifecycle->parts.events);
	clients_leave(lifecycle->parts.clients);
	delay_start(lifecycle->end, LATE_US);
}

/* One of LEAVING's steps is due. */
static void go_on_leaving(struct lifecycle *lifecycle)
{
	if (ticker_now_us() - lifecycle->leaving_since_us >= FRESH_US)
		clients_close_waiting(lifecycle->parts.clients);
	else
		clients_close_idle(lifecycle->parts.clients);
	if (!lifecycle_is_closed(lifecycle))
		delay_start(lifecycle->end, LATE_US);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	struct lifecycle *lifecycle = arg;

	switch (lifecycle->phase) {
	case PHASE_SERVING:
		break;
	case PHASE_LEAVING:
		go_on_leaving(lifecycle);
		break;
	case PHASE_DRAINING:
		stop_now(lifecycle);
		break;
	case PHASE_STOPPING:
		lifecycle->is_over = true;
		break;
	}
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	struct lifecycle *lifecycle = arg;

	switch (number) {
	case SIGHUP:
		lifecycle->wants_reload = true;
		break;
	case SIGUSR1:
		lifecycle->wants_reopen = true;
		break;
	case SIGUSR2:
		lifecycle->wants_upgrade = true;
		break;
	default:
		lifecycle->wants_end++;
		break;
	}
}

static void reload(struct lifecycle *lifecycle)
{
	if (lifecycle->phase != PHASE_SERVING) {
		LOG(INFO, "the program ends: nothing is reloaded");
		return;
	}
	systemd_notify(SYSTEMD_RELOADING);
	lifecycle->parts.on_reload(lifecycle->parts.arg);
	systemd_notify(SYSTEMD_READY);
}

void lifecycle_turn(struct lifecycle *lifecycle, int64_t drain_timeout_ms)
{
	const struct lifecycle_parts *parts = &lifecycle->parts;

	if (lifecycle->wants_reopen)
		parts->on_reopen(parts->arg);
	if (lifecycle->wants_reload)
		reload(lifecycle);
	if (lifecycle->wants_upgrade && lifecycle->phase == PHASE_SERVING)
		parts->on_upgrade(parts->arg);
	for (; lifecycle->wants_end > 0; lifecycle->wants_end--) {
		if (lifecycle_is_draining(lifecycle))
			stop_now(lifecycle);
		else
			begin_drain(lifecycle, drain_timeout_ms);
	}
	lifecycle->wants_reopen = lifecycle->wants_reload = lifecycle->wants_upgrade = false;
}

struct lifecycle *lifecycle_create(const struct lifecycle_parts *parts)
{
	struct lifecycle *lifecycle = mem_zalloc(sizeof(*lifecycle));

	lifecycle->parts = *parts;
	/* a client or a log's reader that is gone is told by the write */
	signal(SIGPIPE, SIG_IGN);
	/* A file that may not grow is a full disk: write() tells. */
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LENGTH(handled_signals); i++) {
		lifecycle->signals[i] =
			evsignal_new(parts->base, handled_signals[i], on_signal, lifecycle);
		if (!lifecycle->signals[i] || evsignal_add(lifecycle->signals[i], NULL) != 0)
			mem_out(sizeof(*lifecycle));
	}
	lifecycle->end = evtimer_new(parts->base, on_end, lifecycle);
	if (!lifecycle->end)
		mem_out(sizeof(*lifecycle));
	return lifecycle;
}

void lifecycle_destroy(struct lifecycle *lifecycle)
{
	if (!lifecycle)
		return;
	for (size_t i = 0; i < ARRAY_LENGTH(handled_signals); i++)
		event_free(lifecycle->signals[i]);
	event_free(lifecycle->end);
	free(lifecycle);
}
