/* The inside of proxy, seen by proxy.c (builds all, turns the loop), requests.c (what becomes of a
 * head) and operators.c (what operators see and ask for). All `arg` are the proxy. */
#ifndef SO_PROXY_PARTS_H
#define SO_PROXY_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/admin.h"
#include "agent_check.h"
#include "core/job.h"
#include "http/head.h"
#include "observe/stats.h"
#include "proxy.h"
#include "reload.h"

struct client;

struct proxy {
	struct settings *settings;
	struct event_base *base;
	struct graveyard *graveyard;
	struct lifecycle *lifecycle;
	struct reload_source source;
	struct upgrade *upgrade;
	struct takeover *takeover; /* NULL: no process was here before */

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
	int64_t started_wall_us;
	int64_t ranked_us; /* when each waiting job's place was found out last */
	bool changed;	   /* the scheduler should look */
};

/* A client's head is whole: to our own endpoints, a job or a pass, if it may come in. */
void requests_on_head(void *arg, struct client *client);
/* It is malformed or too large, or not whole in time: answered and counted as a pass. */
void requests_on_bad_head(void *arg, struct client *client, enum http_error error);
void requests_on_slow_head(void *arg, struct client *client);

/* What the own endpoints, the page and /metrics show of this moment. */
struct admin_view operators_view(void *arg);
/* The same for HAProxy's agent-check. */
struct agent_state operators_agent(void *arg);
/* Pause, resume and cancel; without `events`, which is the caller's to fill. */
struct admin_calls operators_calls(struct proxy *proxy);
/* SIGHUP, SIGUSR1, SIGUSR2. */
void operators_on_reload(void *arg);
void operators_on_reopen(void *arg);
void operators_on_upgrade(void *arg);

#endif
