/*
 * What changes on the way (PRODUCT 1.4), in one place: the fields that go to Ollama and those that
 * come back to the client. Everything else is passed as it is, in order. Called by relay and pass.
 */
#ifndef SO_RELAY_FORWARD_H
#define SO_RELAY_FORWARD_H

#include <stdbool.h>
#include <stdint.h>

#include "core/policy.h"
#include "core/record.h"
#include "http/fields.h"

struct client;
struct request_head;
struct route;
struct settings;

/* A list of fields and the strings that were made for it. Zeroed: empty. */
struct forward {
	struct fields fields;
	char *forwarded_for;
	char *via;
	char *numbers; /* X-Queue-Wait-Ms, or Max-Forwards */
};

/* Frees the strings and the list; the forward is empty again. */
void forward_finish(struct forward *forward);

/*
 * Fields to send upstream: without hop-by-hop fields, Host and Content-Length; X-Forwarded-For and
 * Via appended to, X-Request-Id ours or the client's, and the traceparent that we started. Expect
 * stays only with `keep_expect` (the tunnel relays it); Max-Forwards of OPTIONS and TRACE is one
 * less. `forward` must be empty; it points into `client`'s head.
 */
void forward_request(struct forward *forward, const struct client *client,
	const struct record *record, bool keep_expect);
/*
 * Fields to send to the client: without hop-by-hop fields and Content-Length; X-Request-Id set.
 * Jobs: also X-Queue-Wait-Ms and, where `warm` is known, X-Model-Warm-Start. `forward` must be
 * empty; it points into `upstream`.
 */
void forward_response(struct forward *forward, const struct fields *upstream,
	const struct record *record, enum known warm);
/*
 * An interim answer of Ollama's, before the head (RFC 9110 §15.2): a 100 only where the client
 * waits for one, any other without hop-by-hop fields and framing. None to HTTP/1.0, and none to a
 * client that does not read: a flood of them would fill memory.
 */
void forward_interim(struct client *client, int status, const struct fields *upstream);
/* The target to send on: as received, or the alias's path with the query that was received. A new
 * string, the caller frees. */
char *forward_target(const struct request_head *head, const struct route *route);
/* This request went through this very process before: its Via names us. */
bool forward_is_loop(const struct fields *fields);
/* How often an OPTIONS or TRACE may still be forwarded (RFC 9110 §7.6.2): at 0 it is ours to
 * answer. Below 0: as often as need be. */
int forward_hops_left(const struct request_head *head);
/* Fills what is known at a complete head: id, ip, project, method, path, user agent, traceparent,
 * arrived. `settings` has the rules that may tell the project. */
void forward_fill_record(struct record *record, const struct client *client,
	const struct route *route, const struct settings *settings);
/* What the head tells for the policy; `record` is filled and lives as long as the head. */
struct policy_request forward_policy_request(
	const struct client *client, const struct route *route, const struct record *record);

#endif
