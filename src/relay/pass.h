/*
 * Carries passes: every request that is no job (STYLE B4). No ring, no slot, both directions at
 * once. Bodies of known length up to PASS_COLLECT_BYTES are collected and go by an exchange; every
 * other body streams through a tunnel, never stored. proxy.c hands it heads of ROUTE_PASS and all
 * that is refused before it is known what it is.
 */
#ifndef SO_RELAY_PASS_H
#define SO_RELAY_PASS_H

#include <stdbool.h>

#include "core/outcome.h"
#include "core/record.h"
#include "core/tally.h"

struct access_verdict;
struct client;
struct event_base;
struct graveyard;
struct passes;
struct pool;
struct probe;
struct residency;
struct route;
struct settings;
struct spool;

struct passes_parts {
	struct event_base *base;
	struct graveyard *graveyard;
	struct pass_tally *tally;
	struct pool *pool;
	struct probe *probe;
	struct residency *residency;
	struct record_events observers;
	/* Seconds for Retry-After. */
	int (*retry_after)(void *arg);
	/* The model of this name is drained or unloaded by us; NULL: never. */
	bool (*gives_way)(void *arg, const char *model);
	/* A pass was answered that brings, copies or deletes models; NULL: nobody minds. */
	void (*on_models_changed)(void *arg);
	void *arg;
};

struct passes *passes_create(const struct passes_parts *parts, struct settings *settings);
/* Cuts those that live, then frees. */
void passes_destroy(struct passes *passes);
/* drain_timeout is over: cuts those that live. */
void passes_stop(struct passes *passes);
void passes_set_settings(struct passes *passes, struct settings *settings);
/* New ones are refused. */
void passes_drain(struct passes *passes);

/* A whole head of a pass; the client is accepted or answered. */
void passes_request(struct passes *passes, struct client *client, const struct route *route);
/* A job that proved to be a mere unload: `record` and `spool` (the complete body) are taken over,
 * the client has no user and a complete body. */
void passes_adopt(struct passes *passes, struct client *client, const struct route *route,
	struct record *record, struct spool *spool);
/* Ollama accepted our own unload: it serves those that were held and mean the same model. */
void passes_unload_answered(
	struct passes *passes, bool (*is_meant)(void *arg, const char *model), void *arg);
/* Turns have changed: an unload that was held for a model that does not give way any more is sent.
 */
void passes_look_again(struct passes *passes);
/* Refuses a request: an answer with this outcome, one record. `route` NULL: its head was not
 * acceptable. `text` NULL: the outcome's. */
void passes_refuse(struct passes *passes, struct client *client, const struct route *route,
	enum outcome outcome, const char *text);
/* The same with what access_check() says. */
void passes_refuse_access(struct passes *passes, struct client *client, const struct route *route,
	const struct access_verdict *verdict);

#endif
