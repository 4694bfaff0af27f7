/* What operators see (view, agent-check) and ask for (pause, resume, cancel, signals). Called by
 * admin/, agent_check.c and lifecycle.c through what proxy.c hands them. */
#include "proxy_parts.h"

#include "admin/admin_accounts.h"
#include "back/pool.h"
#include "back/probe.h"
#include "base/ticker.h"
#include "conductor.h"
#include "config/settings.h"
#include "front/clients.h"
#include "lifecycle.h"
#include "observe/request_log.h"
#include "relay/relay.h"
#include "takeover.h"
#include "upgrade.h"

struct admin_view operators_view(void *arg)
{
	struct proxy *proxy = arg;
	struct clients_unsent unsent = clients_unsent(proxy->clients);

	admin_meet(&proxy->stats, proxy->scheduler);
	return (struct admin_view){
		.settings = proxy->settings,
		.jobs = &proxy->tally,
		.passes = &proxy->pass_tally,
		.stats = &proxy->stats,
		.ring = proxy->ring,
		.living_jobs = relay_jobs(proxy->relay),
		.residency = proxy->residency,
		.scheduler = proxy->scheduler,
		.turns = conductor_view(proxy->conductor),
		.upstream =
			{
				.url = proxy->settings->upstream,
				.state = probe_state_name(probe_state(proxy->probe)),
				.is_up = probe_state(proxy->probe) == PROBE_UP,
				.version = probe_version(proxy->probe),
				.open_connections = pool_open_connections(proxy->pool),
				.idle_connections = pool_idle_connections(proxy->pool),
			},
		.log = request_log_report(proxy->log),
		.bodies_bytes = relay_bodies_bytes(proxy->relay),
		.connections = clients_count(proxy->clients),
		.unsent_bytes = unsent.bytes,
		.unsent_most_bytes = unsent.most,
		.draining = lifecycle_is_draining(proxy->lifecycle),
		.paused = conductor_is_paused(proxy->conductor),
		.started_us = proxy->started_us,
		.started_wall_us = proxy->started_wall_us,
		.now_us = ticker_now_us(),
	};
}

struct agent_state operators_agent(void *arg)
{
	const struct proxy *proxy = arg;

	return (struct agent_state){
		.queued = proxy->tally.queued,
		.max_queue_size = proxy->settings->max_queue_size,
		.is_draining = lifecycle_is_draining(proxy->lifecycle),
		.is_paused = conductor_is_paused(proxy->conductor),
		.is_upstream_down = probe_state(proxy->probe) == PROBE_DOWN,
	};
}

static struct admin_pause pause_of(const struct proxy *proxy)
{
	return (struct admin_pause){
		.paused = conductor_is_paused(proxy->conductor),
		.unload = conductor_is_unloading(proxy->conductor),
		.queued = proxy->tally.queued,
		.in_progress = proxy->tally.in_progress,
	};
}

static struct admin_pause on_pause(void *arg, bool unload)
{
	struct proxy *proxy = arg;

	conductor_pause(proxy->conductor, unload);
	takeover_tell_pause(proxy->takeover);
	return pause_of(proxy);
}

static struct admin_pause on_resume(void *arg)
{
	struct proxy *proxy = arg;

	conductor_resume(proxy->conductor);
	takeover_tell_pause(proxy->takeover);
	return pause_of(proxy);
}

static size_t on_cancel(void *arg, const char *id)
{
	struct proxy *proxy = arg;

	return relay_cancel(proxy->relay, id);
}

struct admin_calls operators_calls(struct proxy *proxy)
{
	return (struct admin_calls){
		.pause = on_pause, .resume = on_resume, .cancel = on_cancel, .arg = proxy};
}

void operators_on_reload(void *arg)
{
	struct proxy *proxy = arg;
	const struct reload_parts parts = {
		.access = proxy->access,
		.clients = proxy->clients,
		.conductor = proxy->conductor,
		.listeners = proxy->listeners,
		.passes = proxy->passes,
		.relay = proxy->relay,
		.log = proxy->log,
		.ring = proxy->ring,
		.watch = proxy->watch,
	};
	struct settings *fresh = reload_run(&parts, &proxy->source, proxy->settings);

	if (!fresh)
		return;
	settings_return(proxy->settings);
	proxy->settings = fresh;
}

void operators_on_reopen(void *arg)
{
	struct proxy *proxy = arg;

	request_log_reopen(proxy->log);
}

void operators_on_upgrade(void *arg)
{
	struct proxy *proxy = arg;

	upgrade_begin(proxy->upgrade);
}
