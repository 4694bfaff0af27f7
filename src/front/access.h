/*
 * Who may (PRODUCT 5, 9): decides about each complete head before anything else does, from the
 * settings, the head and the peer: Host, API key, listener, Origin, paths, rate. proxy.c asks it
 * for every request, Ollama's and our own; models are asked for later, when the body was read
 * (core/permission). Nothing here waits or writes to the client.
 *
 * With keys configured, a key of ours is taken out of the head and overwritten, whatever the
 * verdict: it is neither forwarded nor kept.
 */
#ifndef SO_FRONT_ACCESS_H
#define SO_FRONT_ACCESS_H

#include <stdbool.h>

#include "base/compiler.h"
#include "core/outcome.h"
#include "core/route.h"
#include "http/head.h"

struct access;
struct api_key;
struct settings;

struct access_peer {
	const char *ip; /* for the diagnostics */
	bool is_loopback;
	bool came_by_admin; /* by a listener of admin_listen */
	const char *listen; /* client_listen(); NULL: it has no rule */
};

struct access_verdict {
	enum outcome outcome; /* NONE: come in */
	bool is_absent;	      /* NONE, but this listener does not serve it: 404 */
	const char *text;     /* static; NULL: the outcome's */
	int retry_after;      /* seconds, for RATE_LIMITED */
	/* The key that was shown, or NULL. Belongs to the settings in force now. */
	const struct api_key *key;
};

/* Asks the machine for its own names: at start, not in the loop. */
struct access *access_create(struct settings *settings);
void access_destroy(struct access *access);
/* Requests from now on; a key that keeps its name keeps its bucket. */
void access_set_settings(struct access *access, struct settings *settings);

struct access_verdict access_check(struct access *access, struct request_head *head,
	const struct access_peer *peer, const struct route *route);
/*
 * May this request change something of ours (cancel, pause, …)? Only from a loopback peer that
 * speaks for itself (no proxy's X-Forwarded-For, Forwarded or Via) or with an admin key; and with
 * an Origin only where that is this service itself. `head` and `key` as access_check() left them.
 */
bool access_may_change(
	const struct request_head *head, const struct access_peer *peer, const struct api_key *key);

/* `host` as in Host, with or without a port; "" is what HTTP/1.0 may send. */
bool access_host_is_known(
	const struct settings *settings, char *const *own_names, const char *host);

#endif
