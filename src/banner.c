#include "banner.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "back/exchange.h"
#include "back/probe.h"
#include "base/memory.h"
#include "config/settings.h"
#include "core/residency.h"

enum { STATUS_OK = 200, MS_PER_S = 1000 };

struct banner {
	struct pool *pool;
	struct probe *probe;
	struct residency *residency;
	struct settings *settings;
	char *listening;
	bool is_tls;
	struct exchange *question; /* "are you the simulated one?" */
	bool was_asked;
	bool is_simulated;
	bool is_printed;
};

static void print_loaded(const struct banner *banner)
{
	size_t count = residency_count(banner->residency);

	fprintf(stderr, "  loaded      ");
	if (count == 0)
		fprintf(stderr, "no model");
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "%s%s", i ? ", " : "", residency_at(banner->residency, i)->name);
	fprintf(stderr, "\n");
}

/* The URL of where we listen, between two texts; 0.0.0.0 and [::] are no address to connect to.
 * Nothing where it is a unix socket. */
static void print_url(const struct banner *banner, const char *before, const char *after)
{
	const char *port = strrchr(banner->listening, ':');
	const char *scheme = banner->is_tls ? "https" : "http";
	bool is_any = strncmp(banner->listening, "0.0.0.0:", strlen("0.0.0.0:")) == 0 ||
		      strncmp(banner->listening, "[::]:", strlen("[::]:")) == 0;

	if (strncmp(banner->listening, "unix:", strlen("unix:")) == 0)
		return;
	if (is_any && port)
		fprintf(stderr, "%s%s://localhost%s%s", before, scheme, port, after);
	else
		fprintf(stderr, "%s%s://%s%s", before, scheme, banner->listening, after);
}

/* The listeners of admin_listen are not known here. */
static void print_dashboard(const struct banner *banner)
{
	char **admin = banner->settings->admin_listen;

	if (!admin || !admin[0])
		print_url(banner, "  dashboard   ", "/dashboard\n");
}

static void print(struct banner *banner)
{
	const struct settings *settings = banner->settings;
	const char *version = probe_version(banner->probe);

	banner->is_printed = true;
	fprintf(stderr, "\n");
	if (banner->is_simulated)
		fprintf(stderr, "  SIMULATED OLLAMA: answers are made up, no model runs\n");
	if (probe_state(banner->probe) == PROBE_UP) {
		fprintf(stderr, "  upstream    %s, Ollama %s\n", settings->upstream,
			version ? version : "(version unknown)");
		print_loaded(banner);
	} else {
		fprintf(stderr, "  upstream    %s does not answer yet; requests wait for it\n",
			settings->upstream);
	}
	fprintf(stderr, "  queue       %lld running at once, %lld waiting, %g s at most\n",
		(long long)settings->max_concurrent, (long long)settings->max_queue_size,
		(double)settings->default_timeout_ms / MS_PER_S);
	fprintf(stderr, "  log         %s\n",
		settings->request_log[0] ? settings->request_log : "off");
	print_dashboard(banner);
	print_url(banner, "\n  export OLLAMA_HOST=", "\n");
	fprintf(stderr, "\n");
}

static void on_head(void *arg, const struct exchange_head *head)
{
	struct banner *banner = arg;

	banner->is_simulated = head->status == STATUS_OK;
}

static void on_data(void *arg, struct evbuffer *data)
{
}

static void on_end(void *arg, enum exchange_end end)
{
	struct banner *banner = arg;

	banner->question = NULL;
	print(banner);
}

static void on_connected(void *arg)
{
}

static const struct exchange_events events = {
	.on_connected = on_connected,
	.on_head = on_head,
	.on_data = on_data,
	.on_end = on_end,
};

struct banner *banner_create(struct pool *pool, struct probe *probe, struct residency *residency,
	struct settings *settings, const char *listening, bool is_tls)
{
	struct banner *banner = mem_zalloc(sizeof(*banner));

	banner->pool = pool;
	banner->probe = probe;
	banner->residency = residency;
	banner->settings = settings_take(settings);
	banner->listening = mem_strdup(listening);
	banner->is_tls = is_tls;
	return banner;
}

void banner_destroy(struct banner *banner)
{
	if (!banner)
		return;
	if (banner->question)
		exchange_cancel(banner->question);
	free(banner->listening);
	settings_return(banner->settings);
	free(banner);
}

/* The control endpoint of subprojects/ollama-sim; a real Ollama answers 404. */
static void ask(struct banner *banner)
{
	static const struct fields none;
	struct exchange_request request = {
		.method = "GET", .target = "/sim/state", .fields = &none};

	banner->was_asked = true;
	banner->question = exchange_start(banner->pool, &request, &events, banner);
	if (!banner->question)
		print(banner);
}

void banner_probe_changed(struct banner *banner)
{
	if (banner->is_printed || banner->was_asked)
		return;
	if (probe_state(banner->probe) == PROBE_UP)
		ask(banner);
	else if (probe_state(banner->probe) == PROBE_DOWN)
		print(banner);
}
