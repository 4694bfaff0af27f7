#include "proxy.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>

#include "admin/admin.h"
#include "admin/events.h"
#include "agent_check.h"
#include "back/pool.h"
#include "back/probe.h"
#include "banner.h"
#include "base/delay.h"
#include "base/graveyard.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "conductor.h"
#include "config/settings.h"
#include "core/residency.h"
#include "core/ring.h"
#include "core/scheduler.h"
#include "front/access.h"
#include "front/client.h"
#include "front/clients.h"
#include "front/reply.h"
#include "io/systemd.h"
#include "io/tls.h"
#include "listeners.h"
#include "observe/request_log.h"
#include "observe/stats.h"
#include "relay/pass.h"
#include "relay/relay.h"
#include "watch.h"
#include "watchdog.h"

enum {
	US_PER_MS = 1000,
	/* Descriptors that are not clients: listeners, log, epoll, signals, libraries; and each
	   client's connection to Ollama comes on top. */
	DESCRIPTORS_SPARE = 64,
	/* After a forced stop: what was said last to clients gets this long to be taken. */
	LAST_WORDS_US = 500 * 1000,
};

/* SIGTERM, SIGINT: drain, then stop; SIGUSR1: reopen the log; SIGHUP: read the certificate again.
 */
static const int handled_signals[] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP};

/* How far the end is. */
enum proxy_life { PROXY_SERVING, PROXY_DRAINING, PROXY_STOPPING };

struct proxy {
	struct settings *settings;
	struct event_base *base;
	struct graveyard *graveyard;
	struct event *signals[ARRAY_LENGTH(handled_signals)];
	struct event *end; /* the drain's end, then that of the last words */

	struct tally tally;
	struct pass_tally pass_tally;
	struct ring *ring;
	struct scheduler *scheduler;
	struct residency *residency;
	struct tls_client *tls; /* of an https upstream; else NULL */
	struct pool *pool;
	struct probe *probe;
	struct access *access;
	struct clients *clients;
	struct listeners *listeners; /* NULL while they are made */
	struct passes *passes;
	struct relay *relay;
	struct conductor *conductor;
	struct watch *watch;
	struct admin_calls calls;
	struct request_log *log;
	struct stats stats;
	struct banner *banner;
	struct agent_check *agent;
	struct watchdog *watchdog;

	int64_t started_us;
	bool is_over; /* the time for the last words is */
	enum proxy_life life;
	bool changed; /* the scheduler should look */
};

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

	return scheduler_place(proxy->scheduler, &view, job);
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

static struct admin_view view_of(const struct proxy *proxy)
{
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
		.log_dropped = request_log_dropped(proxy->log),
		.bodies_bytes = relay_bodies_bytes(proxy->relay),
		.connections = clients_count(proxy->clients),
		.draining = proxy->life != PROXY_SERVING,
		.paused = conductor_is_paused(proxy->conductor),
		.started_us = proxy->started_us,
		.now_us = ticker_now_us(),
	};
}

static struct admin_view on_view(void *arg)
{
	return view_of(arg);
}

static struct agent_state on_agent(void *arg)
{
	const struct proxy *proxy = arg;

	return (struct agent_state){
		.queued = proxy->tally.queued,
		.max_queue_size = proxy->settings->max_queue_size,
		.is_draining = proxy->life != PROXY_SERVING,
		.is_paused = conductor_is_paused(proxy->conductor),
		.is_upstream_down = probe_state(proxy->probe) == PROBE_DOWN,
	};
}

/* What operators ask for. */

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
	return pause_of(proxy);
}

static struct admin_pause on_resume(void *arg)
{
	struct proxy *proxy = arg;

	conductor_resume(proxy->conductor);
	return pause_of(proxy);
}

static size_t on_cancel(void *arg, const char *id)
{
	struct proxy *proxy = arg;

	return relay_cancel(proxy->relay, id);
}

/* Own endpoints are neither counted nor logged, nor are their refusals. */
static void refuse(struct proxy *proxy, struct client *client, const struct route *route,
	const struct access_verdict *verdict)
{
	struct reply_error error = {
		.outcome = verdict->outcome, .family = route->family, .text = verdict->text};

	switch (route->kind) {
	case ROUTE_OWN:
		reply_error(client, &error);
		break;
	case ROUTE_JOB:
		relay_refuse(proxy->relay, client, route, verdict);
		break;
	case ROUTE_GONE:
	case ROUTE_PASS:
		passes_refuse_access(proxy->passes, client, route, verdict);
		break;
	}
}

/* false: it may not come in and is answered. */
static bool let_in(struct proxy *proxy, struct client *client, const struct route *route)
{
	struct access_peer peer = {
		.ip = client_ip(client),
		.is_loopback = client_is_loopback(client),
		.came_by_admin = client_came_by_admin(client),
		.listen = client_listen(client),
	};
	struct access_verdict verdict =
		access_check(proxy->access, client_head_to_check(client), &peer, route);

	client_set_key(client, verdict.key);
	if (verdict.is_absent) {
		reply_not_found(client);
		return false;
	}
	if (verdict.outcome != OUTCOME_NONE)
		refuse(proxy, client, route, &verdict);
	return verdict.outcome == OUTCOME_NONE;
}

/* A whole head: ours, gone, a job or a pass. */
static void on_request(void *arg, struct client *client)
{
	struct proxy *proxy = arg;
	const struct request_head *head = client_head(client);
	struct route route = route_find(head->method, head->path);
	struct admin_view view;
	char *text;

	if (!let_in(proxy, client, &route))
		return;
	switch (route.kind) {
	case ROUTE_OWN:
		view = view_of(proxy);
		admin_answer(&view, &proxy->calls, client, &route);
		break;
	case ROUTE_GONE:
		text = mem_printf(
			"this route of the old service is gone; use %s", route.use_instead);
		passes_refuse(proxy->passes, client, &route, OUTCOME_GONE, text);
		free(text);
		break;
	case ROUTE_JOB:
		relay_request(proxy->relay, client, &route);
		break;
	case ROUTE_PASS:
		passes_request(proxy->passes, client, &route);
		break;
	}
}

static enum outcome outcome_of_error(enum http_error error)
{
	switch (error) {
	case HTTP_ERROR_HEAD_TOO_LARGE:
		return OUTCOME_HEAD_TOO_LARGE;
	case HTTP_ERROR_TARGET_TOO_LONG:
		return OUTCOME_TARGET_TOO_LONG;
	case HTTP_ERROR_NOT_IMPLEMENTED:
		return OUTCOME_NOT_IMPLEMENTED;
	case HTTP_ERROR_VERSION:
		return OUTCOME_HTTP_VERSION;
	case HTTP_ERROR_EXPECTATION:
		return OUTCOME_EXPECTATION_FAILED;
	case HTTP_ERROR_NONE:
	case HTTP_ERROR_BAD_REQUEST:
		break;
	}
	return OUTCOME_BAD_REQUEST;
}

static void on_bad_head(void *arg, struct client *client, enum http_error error)
{
	struct proxy *proxy = arg;

	passes_refuse(proxy->passes, client, NULL, outcome_of_error(error), NULL);
}

static void on_slow_head(void *arg, struct client *client)
{
	struct proxy *proxy = arg;

	passes_refuse(proxy->passes, client, NULL, OUTCOME_REQUEST_TIMEOUT, NULL);
}

static void on_client_closed(void *arg)
{
	struct proxy *proxy = arg;

	if (proxy->listeners)
		listeners_resume(proxy->listeners);
}

/* Drain and end. */

static void begin_drain(struct proxy *proxy)
{
	int64_t limit_ms = proxy->settings->drain_timeout_ms;

	proxy->life = PROXY_DRAINING;
	systemd_notify(SYSTEMD_STOPPING);
	LOG(INFO, "draining: running and waiting jobs are served, new ones refused",
		LOG_NUMBER("queued", proxy->tally.queued),
		LOG_NUMBER("in_progress", proxy->tally.in_progress));
	relay_drain(proxy->relay);
	passes_drain(proxy->passes);
	events_drain(proxy->calls.events);
	clients_close_idle(proxy->clients);
	if (limit_ms > 0)
		delay_start(proxy->end, limit_ms * US_PER_MS);
}

static void stop_now(struct proxy *proxy)
{
	proxy->life = PROXY_STOPPING;
	relay_drain(proxy->relay);
	relay_stop(proxy->relay);
	passes_stop(proxy->passes);
	events_drain(proxy->calls.events);
	clients_close_idle(proxy->clients);
	delay_start(proxy->end, LAST_WORDS_US);
}

static bool is_idle(const struct proxy *proxy)
{
	const struct tally *tally = &proxy->tally;

	return tally->reading + tally->queued + tally->in_progress + tally->flushing == 0 &&
	       proxy->pass_tally.in_progress == 0 && clients_busy(proxy->clients) == 0;
}

/* true: nothing holds the process any longer. */
static bool has_ended(const struct proxy *proxy)
{
	switch (proxy->life) {
	case PROXY_SERVING:
		return false;
	case PROXY_DRAINING:
		return is_idle(proxy);
	case PROXY_STOPPING:
		return proxy->is_over || is_idle(proxy);
	}
	return true;
}

static void reload(struct proxy *proxy)
{
	systemd_notify(SYSTEMD_RELOADING);
	listeners_reload(proxy->listeners);
	systemd_notify(SYSTEMD_READY);
}

/* drain_timeout is over, or the time for the last words. */
static void on_end(evutil_socket_t fd, short what, void *arg)
{
	struct proxy *proxy = arg;

	if (proxy->life == PROXY_DRAINING)
		stop_now(proxy);
	else
		proxy->is_over = true;
}

static void on_signal(evutil_socket_t signal_number, short what, void *arg)
{
	struct proxy *proxy = arg;

	if (signal_number == SIGUSR1)
		request_log_reopen(proxy->log);
	else if (signal_number == SIGHUP)
		reload(proxy);
	else if (proxy->life == PROXY_SERVING)
		begin_drain(proxy);
	else
		stop_now(proxy);
}

/* The turn's tail. */

/* true: something is left to do at once, the next turn must not block. */
static bool finish_turn(struct proxy *proxy)
{
	bool again = false;

	if (proxy->changed) {
		proxy->changed = false;
		conductor_run(proxy->conductor);
		watch_look(proxy->watch, conductor_is_paused(proxy->conductor));
		events_changed(proxy->calls.events);
	}
	again = clients_flush(proxy->clients);
	graveyard_run(proxy->graveyard);
	request_log_flush(proxy->log);
	return again || proxy->changed;
}

void proxy_run(struct proxy *proxy)
{
	bool again = false;

	while (!has_ended(proxy)) {
		ticker_new_turn();
		event_base_loop(proxy->base, EVLOOP_ONCE | (again ? EVLOOP_NONBLOCK : 0));
		again = finish_turn(proxy);
	}
	LOG(INFO, "stopped", LOG_NUMBER("completed", proxy->tally.ended[COUNTER_COMPLETED]));
}

/* Building and tearing down. */

/* Each client may need a second descriptor, its request's connection to Ollama; a kept body may be
 * in a file. */
static void fit_connections(struct settings *settings)
{
	struct rlimit limit;
	int64_t room;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			LOG(WARN, "cannot raise the limit of descriptors",
				LOG_TEXT("error", strerror(errno)));
		if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
			return;
	}
	room = (int64_t)limit.rlim_cur - DESCRIPTORS_SPARE -
	       2 * (settings->max_concurrent_limit + settings->max_queue_size);
	if (room < 1)
		room = 1;
	if (settings->max_connections > 0 && settings->max_connections <= room)
		return;
	LOG(WARN, "max_connections is lowered to what the limit of descriptors allows",
		LOG_NUMBER("max_connections", settings->max_connections), LOG_NUMBER("now", room),
		LOG_NUMBER("descriptors", limit.rlim_cur));
	settings->max_connections = room;
}

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
	int64_t running = settings->max_concurrent_limit > settings->max_concurrent
				  ? settings->max_concurrent_limit
				  : settings->max_concurrent;

	proxy->ring = ring_create((size_t)(settings->max_queue_size + running));
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
	proxy->calls = (struct admin_calls){
		.pause = on_pause,
		.resume = on_resume,
		.cancel = on_cancel,
		.events = events_create(proxy->base, on_view, proxy),
		.arg = proxy,
	};
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
		.on_request = on_request,
		.on_bad_head = on_bad_head,
		.on_slow_head = on_slow_head,
		.on_closed = on_client_closed,
		.arg = proxy,
	};

	proxy->access = access_create(proxy->settings);
	proxy->clients = clients_create(proxy->base, proxy->graveyard, proxy->settings, &events);
}

static void watch_signals(struct proxy *proxy)
{
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_LENGTH(handled_signals); i++) {
		proxy->signals[i] = evsignal_new(proxy->base, handled_signals[i], on_signal, proxy);
		evsignal_add(proxy->signals[i], NULL);
	}
	proxy->end = evtimer_new(proxy->base, on_end, proxy);
}

struct proxy *proxy_create(struct settings *settings, char **ret_error)
{
	struct proxy *proxy = mem_zalloc(sizeof(*proxy));

	fit_connections(settings);
	proxy->settings = settings_take(settings);
	proxy->started_us = ticker_now_us();
	proxy->base = create_base();
	proxy->graveyard = graveyard_create();
	proxy->log = request_log_create(settings->request_log, settings->log_operations);
	if (!proxy->log) {
		*ret_error = mem_printf("cannot write the request log %s: %s; choose another with "
					"--request-log",
			settings->request_log, strerror(errno));
		goto fail;
	}
	request_log_set_rotation(
		proxy->log, settings->request_log_max, (int)settings->request_log_keep);
	watch_signals(proxy);
	create_core(proxy);
	if (!create_back(proxy, ret_error))
		goto fail;
	create_front(proxy);
	create_carriers(proxy);
	proxy->watch = watch_create(proxy->base, proxy->probe, &proxy->tally, settings);
	create_conductor(proxy);
	create_admin(proxy);
	proxy->listeners = listeners_create(proxy->base, proxy->clients, settings, ret_error);
	if (!proxy->listeners)
		goto fail;
	proxy->agent =
		agent_check_create(proxy->base, settings->agent_listen, on_agent, proxy, ret_error);
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
	if (isatty(STDERR_FILENO))
		proxy->banner = banner_create(proxy->pool, proxy->probe, proxy->residency, settings,
			listeners_name(proxy->listeners, 0), listeners_is_tls(proxy->listeners, 0));
	return proxy;
fail:
	proxy_destroy(proxy);
	return NULL;
}

void proxy_destroy(struct proxy *proxy)
{
	if (!proxy)
		return;
	banner_destroy(proxy->banner);
	watchdog_destroy(proxy->watchdog);
	agent_check_destroy(proxy->agent);
	listeners_destroy(proxy->listeners);
	proxy->listeners = NULL;
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
	for (size_t i = 0; i < ARRAY_LENGTH(handled_signals); i++) {
		if (proxy->signals[i])
			event_free(proxy->signals[i]);
	}
	if (proxy->end)
		event_free(proxy->end);
	graveyard_destroy(proxy->graveyard);
	event_base_free(proxy->base);
	settings_return(proxy->settings);
	free(proxy);
}
