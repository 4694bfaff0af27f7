/* The checks of this machine: configuration, environment, files, descriptors, clock. */
#include "doctor/checks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "config/old_names.h"
#include "config/where.h"
#include "doctor/facts.h"

/* Two descriptors a connection (its own and Ollama's) and what else is open. */
static const double descriptors_least = 1024;
static const double nearly_all = 0.9;
/* What an NTP client leaves, and more than a busy loopback answer takes. */
static const double skew_most_s = 5;
static const double step_most_ms = 100;
/* 2024-01-01: this program is younger. */
static const double wall_least_s = 1704067200;
static const double mib = 1024 * 1024;
/* Less is used up in a moment. */
static const double free_least_bytes = 64.0 * 1024 * 1024;

static struct finding elsewhere(void)
{
	return finding_make(VERDICT_UNSURE, NULL,
		"cannot tell: the service runs on another machine; run doctor there");
}

struct finding check_configuration(const struct facts *facts)
{
	if (!facts->machine.is_here)
		return elsewhere();
	if (facts->machine.config_error)
		return finding_make(VERDICT_FAIL,
			"correct it: at its next start the service would refuse it", "%s",
			facts->machine.config_error);
	return finding_make(VERDICT_OK, NULL, "file and environment can be read");
}

/* The same host and port as the upstream's. */
static bool is_upstream(const struct facts *facts, const char *host)
{
	const char *upstream = facts->service.upstream_url ? facts->service.upstream_url
							   : facts_get(facts, "upstream");
	char *with_scheme = strstr(host, "://") ? mem_strdup(host) : mem_printf("http://%s", host);
	char *first = NULL, *second = NULL;
	uint16_t first_port = 0, second_port = 0;
	bool is_tls, is_same = false;
	const char *unused;

	if (upstream && where_parse_upstream(with_scheme, &first, &first_port, &is_tls, &unused) &&
		where_parse_upstream(upstream, &second, &second_port, &is_tls, &unused))
		is_same = first_port == second_port &&
			  (strcmp(first, second) == 0 ||
				  /* Ollama's own form of every address */
				  strcmp(first, "0.0.0.0") == 0);
	free(first);
	free(second);
	free(with_scheme);
	return is_same;
}

struct finding check_ollama_host(const struct facts *facts)
{
	const char *host = facts->machine.ollama_host;
	bool is_ours = facts->upstream.is_shared_ollama ||
		       facts->service.version_status == 508; /* the loop's status */

	if (!host || !*host)
		return finding_make(VERDICT_OK, NULL, "it is not set here");
	if (!is_upstream(facts, host))
		return finding_make(VERDICT_OK, NULL, "%s is not the upstream", host);
	if (is_ours)
		return finding_make(VERDICT_FAIL,
			"leave OLLAMA_HOST to the clients and set --upstream to Ollama's own "
			"address",
			"OLLAMA_HOST (%s) names shared-ollama, and the upstream is the same", host);
	return finding_make(VERDICT_WARN,
		"export OLLAMA_HOST with the service's URL for clients; only Ollama's own unit "
		"needs Ollama's address",
		"OLLAMA_HOST (%s) names Ollama itself: clients started here bypass the queue",
		host);
}

static bool is_loopback_listen(const char *listen)
{
	static const char *const loopbacks[] = {"127.", "[::1]", "localhost:"};
	const char *plain = where_after_https(listen);

	if (where_after_unix(listen))
		return true;
	listen = plain ? plain : listen;
	for (size_t i = 0; i < ARRAY_LENGTH(loopbacks); i++) {
		if (strncmp(listen, loopbacks[i], strlen(loopbacks[i])) == 0)
			return true;
	}
	return false;
}

/* The first address that is not loopback, a new string, or NULL. */
static char *open_listen(const char *list)
{
	while (list && *list) {
		size_t length = strcspn(list, ",");
		size_t blanks = strspn(list, " ");
		char *one = mem_strndup(list + blanks, length > blanks ? length - blanks : 0);

		if (*one && !is_loopback_listen(one))
			return one;
		free(one);
		list += length;
		list += *list == ',';
	}
	return NULL;
}

struct finding check_access(const struct facts *facts)
{
	const char *listen = facts_get(facts, "listen");
	char *open = open_listen(listen);
	struct finding finding;

	if (!listen || (!facts->has_settings_in_force && !facts->machine.is_here))
		finding = finding_make(
			VERDICT_UNSURE, NULL, "cannot tell: its configuration is not shown");
	else if (!open)
		finding = finding_make(VERDICT_OK, NULL, "it listens on this machine only");
	else if (facts->keys_count > 0)
		finding = finding_make(VERDICT_OK, NULL,
			"it listens on %s, and asks for one of %.0f API keys", open,
			facts->keys_count);
	else
		finding = finding_make(VERDICT_WARN,
			"API keys (docs/security.md), or --listen 127.0.0.1:8000; in a trusted "
			"network it may stay",
			"it listens on %s, and whoever can reach that may use it: there are no API "
			"keys",
			open);
	free(open);
	return finding;
}

struct finding check_log(const struct facts *facts)
{
	const char *path = facts_get(facts, "request_log");

	if (facts->service.log_dropped > 0)
		return finding_make(VERDICT_FAIL,
			"make room on the log's disk, or read its pipe faster",
			"%.0f lines of the request log were dropped", facts->service.log_dropped);
	if (facts->machine.log_error)
		return finding_make(VERDICT_FAIL,
			"correct --request-log, or the folder's owner and rights", "%s",
			facts->machine.log_error);
	if (path && !*path)
		return finding_make(VERDICT_WARN, "--request-log logs/requests.jsonl",
			"no request log is written: nobody will know what happened");
	if (path && facts->machine.log_is_checked)
		return finding_make(VERDICT_OK, NULL, "%s can be written", path);
	if (!facts->machine.is_here)
		return elsewhere();
	return finding_make(VERDICT_UNSURE, NULL,
		"cannot tell: %s is not below this folder: run doctor in the service's",
		path ? path : "the request log");
}

static double number(const struct facts *facts, const char *name)
{
	const char *value = facts_get(facts, name);
	char *end;
	double parsed = value ? strtod(value, &end) : NAN;

	if (!value || end == value)
		return NAN;
	switch (*end) {
	case 'k':
		return parsed * 1024;
	case 'm':
		return parsed * mib;
	case 'g':
		return parsed * mib * 1024;
	default:
		return parsed;
	}
}

struct finding check_disk(const struct facts *facts)
{
	static const char fix[] = "make room, or lower --request-log-max and --request-log-keep, "
				  "or --body-total, or choose another --spool-directory";
	const struct facts_machine *machine = &facts->machine;
	double bodies = number(facts, "body_total");
	double logs = number(facts, "request_log_max") * (number(facts, "request_log_keep") + 1);

	if (!machine->is_here)
		return elsewhere();
	if (machine->log_free_bytes < free_least_bytes ||
		machine->spool_free_bytes < free_least_bytes)
		return finding_make(VERDICT_FAIL, fix,
			"%.0f MiB are free at the %s: lines are dropped and large requests refused",
			fmin(machine->log_free_bytes, machine->spool_free_bytes) / mib,
			machine->log_free_bytes < free_least_bytes ? "request log"
								   : "spool directory");
	if (machine->spool_free_bytes < bodies)
		return finding_make(VERDICT_WARN, fix,
			"%.0f MiB are free at the spool directory, body_total is %.0f MiB",
			machine->spool_free_bytes / mib, bodies / mib);
	if (machine->log_free_bytes < logs)
		return finding_make(VERDICT_WARN, fix,
			"%.0f MiB are free at the request log, which may grow to %.0f MiB",
			machine->log_free_bytes / mib, logs / mib);
	if (isnan(machine->log_free_bytes) && isnan(machine->spool_free_bytes))
		return finding_make(
			VERDICT_UNSURE, NULL, "cannot tell: the folders are not to be seen here");
	return finding_make(
		VERDICT_OK, NULL, "there is room for the request log and large requests");
}

struct finding check_descriptors(const struct facts *facts)
{
	static const char fix[] = "LimitNOFILE=65536 in the unit, or ulimit -n, then a restart";
	const struct facts_machine *machine = &facts->machine;

	if (!machine->is_here)
		return elsewhere();
	if (isnan(machine->descriptors_most))
		return finding_make(VERDICT_UNSURE, NULL,
			"cannot tell: the process of the service is not to be seen: run doctor as "
			"its user or root");
	if (machine->descriptors_open >= nearly_all * machine->descriptors_most)
		return finding_make(VERDICT_FAIL, fix, "%.0f of %.0f descriptors are in use",
			machine->descriptors_open, machine->descriptors_most);
	if (machine->descriptors_most < descriptors_least)
		return finding_make(VERDICT_WARN, fix,
			"the service may open %.0f descriptors: too few for many clients",
			machine->descriptors_most);
	return finding_make(VERDICT_OK, NULL, "the service may open %.0f descriptors",
		machine->descriptors_most);
}

struct finding check_clock(const struct facts *facts)
{
	static const char fix[] =
		"let NTP set the clock (timedatectl set-ntp true), on both machines";
	const struct facts_machine *machine = &facts->machine;
	const struct facts_upstream *upstream = &facts->upstream;

	if (machine->wall_s < wall_least_s)
		return finding_make(VERDICT_FAIL, fix,
			"this machine's clock stands in the past: "
			"times in the log are wrong");
	if (fabs(upstream->skew_s) > skew_most_s)
		return finding_make(VERDICT_WARN, fix,
			"Ollama's clock is %.0f s %s: times of its models cannot be compared",
			fabs(upstream->skew_s), upstream->skew_s > 0 ? "ahead" : "behind");
	if (fabs(machine->step_ms) > step_most_ms)
		return finding_make(VERDICT_WARN, fix,
			"the clock was moved by %.0f ms while doctor ran", machine->step_ms);
	if (facts->log.back_steps > 0)
		return finding_make(VERDICT_WARN, fix,
			"times in the request log go back %zu times, by up to %.0f s: the clock "
			"was set",
			facts->log.back_steps, facts->log.back_s);
	return finding_make(VERDICT_OK, NULL, "%s",
		isnan(upstream->skew_s) ? "it runs evenly" : "it runs evenly, as Ollama's does");
}

struct finding check_old_variables(const struct facts *facts)
{
	const struct words *found = &facts->machine.old_variables;
	struct words pairs = {0};
	struct finding finding;
	char *all;

	if (!facts->machine.is_here)
		return elsewhere();
	if (found->count == 0)
		return finding_make(VERDICT_OK, NULL, "none is set here");
	for (size_t i = 0; i < found->count; i++) {
		char *successor = old_names_successor(found->items[i]);
		char *pair = mem_printf("%s is now %s", found->items[i], successor);

		words_add(&pairs, pair);
		free(pair);
		free(successor);
	}
	all = words_join(&pairs);
	finding = finding_make(VERDICT_WARN,
		"set the new ones, or a file with -c, and take the old ones away",
		"variables that look like the old service's are set and mean nothing: %s", all);
	free(all);
	words_finish(&pairs);
	return finding;
}
