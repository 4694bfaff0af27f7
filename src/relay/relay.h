/*
 * Carries jobs: ties a client, its job and an exchange with Ollama together, from complete head to
 * end (STYLE B4, docs/job-states.md). proxy.c hands it heads of ROUTE_JOB and, in the turn's tail,
 * the jobs that the scheduler lets go. All state changes of jobs are here.
 */
#ifndef SO_RELAY_RELAY_H
#define SO_RELAY_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/admission.h"
#include "core/liveness.h"
#include "core/record.h"
#include "core/scheduler.h"
#include "core/tally.h"

struct access_verdict;
struct client;
struct event_base;
struct graveyard;
struct job;
struct list;
struct passes;
struct places;
struct pool;
struct probe;
struct relay;
struct residency;
struct ring;
struct route;
struct runner;
struct scheduler;
struct settings;

/* Everything that relay works with; proxy.c owns it all, it outlives the relay. */
struct relay_parts {
	struct event_base *base;
	struct graveyard *graveyard;
	struct tally *tally;
	struct ring *ring;
	struct scheduler *scheduler;
	struct residency *residency;
	struct pool *pool;
	struct probe *probe;
	struct passes *passes; /* takes over jobs that prove to be mere unloads */
	struct record_events observers;
	/* What the scheduler sees now. */
	struct scheduler_view (*on_view)(void *arg);
	/* Of a waiting job, among those that wait: 1 is next. */
	int64_t (*place)(void *arg, const struct job *job);
	/* Ollama said nothing to this job in the time allowed; it ends next. */
	void (*on_silent)(void *arg, const struct job *job, enum liveness liveness);
	/* Something changed that the scheduler should see; the turn's tail asks it. */
	void (*on_changed)(void *arg);
	void *arg;
};

struct relay *relay_create(const struct relay_parts *parts, struct settings *settings);
/* Ends all jobs as cut. */
void relay_destroy(struct relay *relay);
/* For jobs that come from now on. */
void relay_set_settings(struct relay *relay, struct settings *settings);

/* A whole head of a job; the client is accepted or answered. */
void relay_request(struct relay *relay, struct client *client, const struct route *route);
/* The same, but access_check() has refused it: answered and counted as a job. */
void relay_refuse(struct relay *relay, struct client *client, const struct route *route,
	const struct access_verdict *verdict);
/* The scheduler's word: QUEUED → CONNECTING. May mark changed again (refused at once). */
void relay_dispatch(struct relay *relay, struct job *job);
/* The runner is being loaded by us: its waiting jobs' deadlines stand still, until it has ended. */
void relay_load_begun(struct relay *relay, const struct runner *runner);
void relay_load_ended(struct relay *relay, const struct runner *runner);
/* And it did not come up: its waiting jobs end with this. `status` of Ollama's own error, 0: none;
 * `text` NULL: the outcome's. */
void relay_load_failed(struct relay *relay, const struct runner *runner, enum outcome outcome,
	int status, const char *text);
/* An operator ends the jobs of this id, in whatever state: 410, or in the stream's own form and the
 * cut. Returns how many. */
size_t relay_cancel(struct relay *relay, const char *id);
/* From now on new jobs are refused with SHUTTING_DOWN. */
void relay_drain(struct relay *relay);
/* drain_timeout is over: waiting jobs get 503, running ones are cut. */
void relay_stop(struct relay *relay);

/* The turn's tail, after the scheduler: clients that cannot be answered in time are told so, if a
 * job came, ended or was loaded since the last time. */
void relay_test_patience(struct relay *relay);
/* Places that are kept for clients which were told to come back. */
const struct places *relay_places(const struct relay *relay);

/* struct job.link of all living jobs in order of arrival. */
const struct list *relay_jobs(const struct relay *relay);
/* Bytes of all kept bodies. */
uint64_t relay_bodies_bytes(const struct relay *relay);
/* For Retry-After of other refusals. */
int relay_retry_after(const struct relay *relay);

#endif
