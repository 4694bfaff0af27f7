#include "reload.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "conductor.h"
#include "config/changes.h"
#include "config/load.h"
#include "config/settings.h"
#include "core/ring.h"
#include "descriptors.h"
#include "front/access.h"
#include "front/clients.h"
#include "io/tls.h"
#include "listeners.h"
#include "observe/request_log.h"
#include "relay/pass.h"
#include "relay/relay.h"
#include "watch.h"

size_t reload_places(const struct settings *settings)
{
	int64_t running = settings->max_concurrent_limit > settings->max_concurrent
				  ? settings->max_concurrent_limit
				  : settings->max_concurrent;

	return (size_t)(settings->max_queue_size + running);
}

/* NULL: `ret_error` says why. */
static struct settings *read_again(const struct reload_source *source, char **ret_error)
{
	struct load_result loaded = load_settings(source->argc, source->argv, source->environment);

	if (loaded.action == LOAD_SERVE)
		return loaded.settings;
	settings_return(loaded.settings);
	*ret_error = loaded.message;
	return NULL;
}

/* The steps that can fail, the last one last; false: nothing has changed. */
static bool prepare(const struct reload_parts *parts, const struct settings *fresh,
	struct tls_server **ret_tls, char **ret_error)
{
	if (!listeners_read_certificate(parts->listeners, fresh, ret_tls, ret_error))
		return false;
	if (request_log_change(parts->log, fresh->request_log, fresh->log_operations))
		return true;
	*ret_error = mem_printf(
		"cannot write the request log %s: %s", fresh->request_log, strerror(errno));
	tls_server_destroy(*ret_tls);
	return false;
}

static void put_in_force(
	const struct reload_parts *parts, struct settings *fresh, struct tls_server *tls)
{
	log_set_level(fresh->log_level);
	request_log_set_rotation(parts->log, fresh->request_log_max, (int)fresh->request_log_keep);
	listeners_set_settings(parts->listeners, fresh, tls);
	access_set_settings(parts->access, fresh);
	clients_set_settings(parts->clients, fresh);
	passes_set_settings(parts->passes, fresh);
	relay_set_settings(parts->relay, fresh);
	watch_set_settings(parts->watch, fresh);
	conductor_set_settings(parts->conductor, fresh);
	ring_resize(parts->ring, reload_places(fresh));
	/* max_connections may have grown */
	listeners_resume(parts->listeners);
}

static void tell(const char *kept, const char *changed)
{
	if (kept)
		LOG(WARN, "these keys keep their values until a restart or an upgrade (SIGUSR2)",
			LOG_TEXT("keys", kept));
	LOG(INFO, changed ? "the configuration is reloaded" : "the configuration has not changed",
		LOG_TEXT("changed", changed ? changed : ""));
}

/* What somebody changed: a max_connections that was only lowered otherwise is not. A new text. */
static char *what_changed(struct reload_source *source, struct settings *fresh, int64_t wanted,
	const struct settings *old)
{
	int64_t fitting = fresh->max_connections;
	char *changed;

	if (wanted == source->max_connections)
		fresh->max_connections = old->max_connections;
	changed = changes_list(fresh, old);
	fresh->max_connections = fitting;
	source->max_connections = wanted;
	return changed;
}

struct settings *reload_run(
	const struct reload_parts *parts, struct reload_source *source, const struct settings *old)
{
	struct tls_server *tls = NULL;
	char *error = NULL;
	struct settings *fresh = read_again(source, &error);
	char *kept, *changed;
	int64_t wanted;

	if (!fresh)
		goto fail;
	kept = changes_keep(fresh, old);
	wanted = fresh->max_connections;
	descriptors_fit(fresh);
	if (!prepare(parts, fresh, &tls, &error)) {
		free(kept);
		goto fail;
	}
	changed = what_changed(source, fresh, wanted, old);
	put_in_force(parts, fresh, tls);
	tell(kept, changed);
	free(kept);
	free(changed);
	return fresh;
fail:
	LOG(ERROR, "the configuration stays the old one", LOG_TEXT("reason", error));
	free(error);
	settings_return(fresh);
	return NULL;
}
