#include "proxy.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "admin/admin.h"
#include "admin/events.h"
#include "agent_check.h"
#include "back/pool.h"
#include "back/probe.h"
#include "banner.h"
#include "base/graveyard.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "conductor.h"
#include "config/settings.h"
#include "core/residency.h"
#include "core/ring.h"
#include "core/scheduler.h"
#include "descriptors.h"
#include "front/access.h"
#include "front/client.h"
#include "front/clients.h"
#include "io/handover.h"
#include "io/systemd.h"
#include "io/tls.h"
#include "lifecycle.h"
#include "listeners.h"
#include "observe/request_log.h"
#include "proxy_parts.h"
#include "relay/pass.h"
#include "relay/relay.h"
#include "reload.h"
#include "takeover.h"
#include "upgrade.h"
#include "watch.h"
#include "watchdog.h"

/* What the modules tell. */

static void on_changed(void *arg)
{
	struct proxy *proxy = arg;

	proxy->changed = true;
}

static void on_record_ended(void *arg, const struct record *record)
{
	struct proxy *proxy = arg;

	request_log_add(proxy->log, record);
	stats_add(&proxy->stats, record);
}

static int64_t on_place(void *arg, const struct job *job)
{
	struct proxy *proxy = arg;
	struct scheduler_view view = conductor_view(proxy->conductor);
	char unused[SCHEDULER_REASON_BYTES];

	/* Many that wait may be told in one turn. */
	if (proxy->ranked_us != view.now_us)
		scheduler_rank(proxy->scheduler, &view);
	proxy->ranked_us = view.now_us;
	return scheduler_explain(proxy->scheduler, &view, job, unused);
}

static void on_silent(void *arg, const struct job *job, enum liveness liveness)
{
	struct proxy *proxy = arg;

	watch_silence(proxy->watch, job->record.model, job->record.runner, liveness);
}

static int on_retry_after(void *arg)
{
	struct proxy *proxy = arg;

	return relay_retry_after(proxy->relay);
}

static struct scheduler_view on_turns_view(void *arg)
{
	struct proxy *proxy = arg;

	return conductor_view(proxy->conductor);
}

static void on_probe_change(void *arg)
{
	struct proxy *proxy = arg;

	conductor_probe_changed(proxy->conductor);
	if (proxy->banner)
		banner_probe_changed(proxy->banner);
}

/* By the scheduler; of no use before the scheduler has turns. */
static bool on_gives_way(void *arg, const char *model)
{
	const struct proxy *proxy = arg;

	return scheduler_gives_way(proxy->scheduler, model);
}

static void on_models_changed(void *arg)
{
	const struct proxy *proxy = arg;

	scheduler_models_changed(proxy->scheduler);
}

static void on_client_closed(void *arg)
{
	struct proxy *proxy = arg;

	if (proxy->listeners)
		listeners_resume(proxy->listeners);
}

static void set_rotation(void *arg)
{
	struct proxy *proxy = arg;

	request_log_set_rotation(proxy->log, proxy->settings->request_log_max,
		(int)proxy->settings->request_log_keep);
}

/* The turn's tail. */

/* true: clients are left that have something to write. */
static bool settle(struct proxy *proxy)
{
	if (proxy->changed) {
		conductor_send(proxy->conductor);
		/* What it changed it has seen itself: it was asked until it had nothing more. */
		proxy->changed = false;
		conductor_look_after(proxy->conductor);
		watch_look(proxy->watch, conductor_is_paused(proxy->conductor));
		events_changed(proxy->calls.events);
	}
	upgrade_turn(proxy->upgrade);
	lifecycle_turn(proxy->lifecycle, proxy->settings->drain_timeout_ms);
	return clients_flush(proxy->clients);
}

/* true: something is left to do at once, the next turn must not block. */
static bool finish_turn(struct proxy *proxy)
{
	bool again = settle(proxy);

	/* What ends with an answer's last bytes needs no turn of its own. */
	if (proxy->changed)
		again = settle(proxy);
	graveyard_run(proxy->graveyard);
	request_log_flush(proxy->log);
	return again || proxy->changed;
}

void proxy_run(struct proxy *proxy)
{
	bool again = false;

	while (!lifecycle_has_ended(proxy->lifecycle)) {
		ticker_new_turn();
		event_base_loop(proxy->base, EVLOOP_ONCE | (again ? EVLOOP_NONBLOCK : 0));
		again = finish_turn(proxy);
	}
	LOG(INFO, "stopped", LOG_NUMBER("completed", proxy->tally.ended[COUNTER_COMPLETED]));
}

/* Building and tearing down. */

static struct event_base *create_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	/* One thread, and fewer epoll_ctl calls: no descriptor in the loop is a dup()ed one (FACTS
	 * D). */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static void warn_if_open(const struct proxy *proxy)
{
	if (proxy->settings->api_keys_count > 0)
		return;
	if (listeners_are_exposed(proxy->listeners, false))
		LOG(WARN, "other machines can use this without a key: whoever reaches it may use, "
			  "pull and delete models; configure keys (docs/security.md)");
	if (listeners_are_exposed(proxy->listeners, true))
		LOG(WARN, "other machines can reach admin_listen and no keys are configured");
}

static void create_core(struct proxy *proxy)
{
	const struct settings *settings = proxy->settings;

	proxy->ring = ring_create(reload_places(settings));
	proxy->scheduler = scheduler_create();
	proxy->residency = residency_create();
}

static void create_carriers(struct proxy *proxy)
{
	struct record_events observers = {.on_ended = on_record_ended, .arg = proxy};
	struct passes_parts passes = {
		.base = proxy->base,
		.graveyard = proxy->graveyard,
		.tally = &proxy->pass_tally,
		.pool = proxy->pool,
		.probe = proxy->probe,
		.residency = proxy->residency,
		.observers = observers,
		.retry_after = on_retry_after,
		.gives_way = on_gives_way,
		.on_models_changed = on_models_changed,
		.arg = proxy,
	};
	struct relay_parts relay = {
		.base = proxy->base,
		.graveyard = proxy->graveyard,
		.tally = &proxy->tally,
		.ring = proxy->ring,
		.scheduler = proxy->scheduler,
		.residency = proxy->residency,
		.pool = proxy->pool,
		.probe = proxy->probe,
		.observers = observers,
		.on_view = on_turns_view,
		.place = on_place,
		.on_silent = on_silent,
		.on_changed = on_changed,
		.arg = proxy,
	};

	proxy->passes = passes_create(&passes, proxy->settings);
	relay.passes = proxy->passes;
	proxy->relay = relay_create(&relay, proxy->settings);
}

static void create_conductor(struct proxy *proxy)
{
	struct conductor_parts parts = {
		.base = proxy->base,
		.pool = proxy->pool,
		.probe = proxy->probe,
		.residency = proxy->residency,
		.ring = proxy->ring,
		.scheduler = proxy->scheduler,
		.relay = proxy->relay,
		.passes = proxy->passes,
		.tally = &proxy->tally,
		.stats = &proxy->stats,
		.watch = proxy->watch,
		.on_changed = on_changed,
		.arg = proxy,
	};

	proxy->conductor = conductor_create(&parts, proxy->settings);
}

static void create_admin(struct proxy *proxy)
{
	proxy->calls = operators_calls(proxy);
	proxy->calls.events = events_create(proxy->base, operators_view, proxy);
}

static bool create_back(struct proxy *proxy, char **ret_error)
{
	const struct settings *settings = proxy->settings;
	struct probe_events events = {.on_change = on_probe_change, .arg = proxy};

	if (settings->upstream_is_tls) {
		proxy->tls = tls_client_create(
			settings->upstream_host, settings->upstream_ca, ret_error);
		if (!proxy->tls)
			return false;
	}
	proxy->pool = pool_create(proxy->base, proxy->graveyard, settings);
	if (proxy->tls)
		pool_set_tls(proxy->pool, proxy->tls);
	proxy->probe = probe_create(proxy->base, proxy->pool, proxy->residency, &events);
	return true;
}

static void create_front(struct proxy *proxy)
{
	struct clients_events events = {
		.on_request = requests_on_head,
		.on_bad_head = requests_on_bad_head,
		.on_slow_head = requests_on_slow_head,
		.on_closed = on_client_closed,
		.arg = proxy,
	};

	proxy->access = access_create(proxy->settings);
	proxy->clients = clients_create(proxy->base, proxy->graveyard, proxy->settings, &events);
}

static void create_lifecycle(struct proxy *proxy)
{
	const struct lifecycle_parts parts = {
		.base = proxy->base,
		.clients = proxy->clients,
		.passes = proxy->passes,
		.relay = proxy->relay,
		.events = proxy->calls.events,
		.tally = &proxy->tally,
		.pass_tally = &proxy->pass_tally,
		.on_reload = operators_on_reload,
		.on_reopen = operators_on_reopen,
		.on_upgrade = operators_on_upgrade,
		.arg = proxy,
	};

	proxy->lifecycle = lifecycle_create(&parts);
}

/* To whom this process hands over one day, and from whom it takes over now. */
static void create_upgrade(struct proxy *proxy, struct handover *handover)
{
	const struct upgrade_parts parts = {
		.base = proxy->base,
		.agent = proxy->agent,
		.conductor = proxy->conductor,
		.lifecycle = proxy->lifecycle,
		.listeners = proxy->listeners,
		.log = proxy->log,
		.tally = &proxy->tally,
		.program = proxy->source.program,
		.argv = proxy->source.argv,
	};
	const struct takeover_events events = {.on_took = set_rotation, .arg = proxy};

	proxy->upgrade = upgrade_create(&parts);
	if (handover)
		proxy->takeover = takeover_create(proxy->base, handover, proxy->conductor, &events);
	else
		set_rotation(proxy);
}

struct proxy *proxy_create(struct settings *settings, const struct reload_source *source,
	struct handover *handover, char **ret_error)
{
	struct proxy *proxy = mem_zalloc(sizeof(*proxy));

	proxy->source = *source;
	proxy->source.max_connections = settings->max_connections;
	descriptors_fit(settings);
	proxy->settings = settings_take(settings);
	proxy->started_us = ticker_now_us();
	proxy->started_wall_us = ticker_wall_us();
	proxy->base = create_base();
	proxy->graveyard = graveyard_create();
	proxy->log = request_log_create(settings->request_log, settings->log_operations);
	if (!proxy->log) {
		*ret_error = mem_printf("cannot write the request log %s: %s; choose another with "
					"--request-log",
			settings->request_log, strerror(errno));
		goto fail;
	}
	create_core(proxy);
	if (!create_back(proxy, ret_error))
		goto fail;
	create_front(proxy);
	create_carriers(proxy);
	proxy->watch = watch_create(proxy->base, proxy->probe, &proxy->tally, settings);
	create_conductor(proxy);
	create_admin(proxy);
	create_lifecycle(proxy);
	proxy->listeners =
		listeners_create(proxy->base, proxy->clients, settings, handover, ret_error);
	if (!proxy->listeners)
		goto fail;
	proxy->agent = agent_check_create(
		proxy->base, settings->agent_listen, operators_agent, proxy, ret_error);
	if (!proxy->agent)
		goto fail;
	proxy->watchdog = watchdog_create(proxy->base);
	/* Before the lines that say that it is ready. */
	warn_if_open(proxy);
	for (size_t i = 0; i < listeners_count(proxy->listeners); i++)
		fprintf(stderr, "listening on %s\n", listeners_name(proxy->listeners, i));
	for (size_t i = 0; i < agent_check_count(proxy->agent); i++)
		fprintf(stderr, "listening on %s\n", agent_check_name(proxy->agent, i));
	systemd_notify(SYSTEMD_READY);
	create_upgrade(proxy, handover);
	if (isatty(STDERR_FILENO))
		proxy->banner = banner_create(proxy->pool, proxy->probe, proxy->residency, settings,
			listeners_name(proxy->listeners, 0), listeners_is_tls(proxy->listeners, 0));
	return proxy;
fail:
	handover_destroy(handover);
	proxy_destroy(proxy);
	return NULL;
}

void proxy_destroy(struct proxy *proxy)
{
	if (!proxy)
		return;
	banner_destroy(proxy->banner);
	upgrade_destroy(proxy->upgrade);
	takeover_destroy(proxy->takeover);
	watchdog_destroy(proxy->watchdog);
	agent_check_destroy(proxy->agent);
	listeners_destroy(proxy->listeners);
	proxy->listeners = NULL;
	lifecycle_destroy(proxy->lifecycle);
	events_destroy(proxy->calls.events);
	conductor_destroy(proxy->conductor);
	relay_destroy(proxy->relay);
	passes_destroy(proxy->passes);
	watch_destroy(proxy->watch);
	clients_destroy(proxy->clients);
	access_destroy(proxy->access);
	probe_destroy(proxy->probe);
	pool_destroy(proxy->pool);
	tls_client_destroy(proxy->tls);
	residency_destroy(proxy->residency);
	scheduler_destroy(proxy->scheduler);
	ring_destroy(proxy->ring);
	request_log_destroy(proxy->log);
	graveyard_destroy(proxy->graveyard);
	event_base_free(proxy->base);
	settings_return(proxy->settings);
	free(proxy);
}
