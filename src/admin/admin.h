/*
 * Our own endpoints below /api/v1/ (PRODUCT 1.3): health, queue/stats, queue/requests, config;
 * what changes something is in control, the stream in events. What it shows is handed in by proxy.c
 * as one view, so that admin knows neither back nor relay. Called by proxy.c for ROUTE_OWN heads.
 */
#ifndef SO_ADMIN_ADMIN_H
#define SO_ADMIN_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "admin/control.h"
#include "base/list.h"
#include "config/settings.h"
#include "core/residency.h"
#include "core/ring.h"
#include "core/route.h"
#include "core/scheduler.h"
#include "core/tally.h"
#include "observe/sink.h"
#include "observe/stats.h"

struct client;
struct evbuffer;
struct json_writer;

struct admin_upstream {
	const char *url;
	const char *state; /* probe_state_name() */
	bool is_up;
	const char *version; /* NULL: unknown */
	size_t open_connections;
	size_t idle_connections;
};

struct admin_view {
	const struct settings *settings;
	const struct tally *jobs;
	const struct pass_tally *passes;
	const struct stats *stats;
	const struct ring *ring;
	const struct list *living_jobs; /* struct job.link, in order of arrival */
	const struct residency *residency;
	struct scheduler *scheduler; /* it is asked for its report only */
	struct scheduler_view turns; /* what it sees now */
	struct admin_upstream upstream;
	struct sink_report log;
	uint64_t bodies_bytes; /* kept request bodies */
	uint64_t connections;  /* of clients */
	/* of answers that they have not taken yet; the most of one */
	uint64_t unsent_bytes;
	uint64_t unsent_most_bytes;
	bool draining;
	bool paused;
	int64_t started_us;
	int64_t started_wall_us;
	int64_t now_us;
};

/* Takes the request of `client` and answers it. `calls` does what the view cannot. */
void admin_answer(const struct admin_view *view, const struct admin_calls *calls,
	struct client *client, const struct route *route);

/* The JSON of each, for tests: written into a fresh writer. */
void admin_write_health(struct json_writer *writer, const struct admin_view *view);
void admin_write_stats(struct json_writer *writer, const struct admin_view *view);
/* The settings in force; secrets are "hidden". */
void admin_write_config(struct json_writer *writer, const struct admin_view *view);
void admin_write_requests(struct json_writer *writer, const struct admin_view *view);
/* Prometheus' text (PRODUCT 6.3). */
void admin_write_metrics(struct evbuffer *out, const struct admin_view *view);
/* 200 or 503, by `ready` (?ready=1). */
int admin_health_status(const struct admin_view *view, bool ready);

#endif
