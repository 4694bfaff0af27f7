/*
 * What every loop test of back/ stands on: an event loop with its turn as proxy.c has it, a
 * graveyard, a pool whose upstream is the scripted peer, and a user of exchanges and tunnels that
 * writes down every event.
 */
#ifndef SO_TEST_BENCH_H
#define SO_TEST_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>

#include "back/exchange.h"
#include "back/tunnel.h"
#include "peer.h"

struct bench {
	struct event_base *base;
	struct graveyard *graveyard;
	struct pool *pool;
	struct peer *peer;
};

/* The scripts are those of peer_create(). */
void bench_start(struct bench *bench, const struct peer_step *const *scripts);
/* So many jobs may run at once. */
void bench_start_with(
	struct bench *bench, const struct peer_step *const *scripts, int64_t max_concurrent);
/* Everything must have ended; frees all, so that leaks are seen. */
void bench_stop(struct bench *bench);
/* Turns the loop until `is_done` says so; fails after 20 s. */
void bench_run(struct bench *bench, bool (*is_done)(void *arg), void *arg);
/* Until nothing happens for 20 ms: for what must not happen. */
void bench_settle(struct bench *bench);
/* The program's memory now; 0 under AddressSanitizer, where it means nothing. */
size_t bench_rss_bytes(void);

/* In which event the user does something. */
enum moment { MOMENT_NONE, MOMENT_CONNECTED, MOMENT_INTERIM, MOMENT_HEAD, MOMENT_DATA, MOMENT_END };

struct user {
	struct bench *bench;
	struct exchange *exchange;
	struct tunnel *tunnel;
	enum moment cancel_at;
	enum moment pause_at;
	int connected;
	int interims;
	int interim_status; /* the last one's */
	size_t interim_fields;
	int heads;
	int status;
	char *reason;
	char *fields; /* "Name: value\n" each */
	struct framing framing;
	int data_calls;
	size_t data_sizes[64]; /* of the first calls */
	struct evbuffer *body;
	uint64_t body_bytes;
	bool drops_body; /* counted only */
	int rooms;
	int ends;
	enum exchange_end end;
	bool had_heard; /* at on_end, of an exchange */
	int events_after_end;
	const char *send;   /* the body of an exchange */
	uint64_t send_fill; /* or this many bytes */
	int fills;
	bool cannot_fill;
};

void user_init(struct user *user, struct bench *bench);
void user_finish(struct user *user);
/* Starts an exchange that must begin. `fields`: "Name: value" texts, NULL-terminated, or NULL. */
void user_ask(struct user *user, const char *method, const char *target);
void user_ask_with(
	struct user *user, const char *method, const char *target, const char *const *fields);
/* The same, but it may fail at once. */
bool user_try(struct user *user, const char *method, const char *target, const char *const *fields);
void user_open_tunnel(struct user *user, const char *method, const char *target,
	const char *const *fields, struct framing framing);
void user_cancel(struct user *user);
void user_resume(struct user *user);
/* For bench_run. */
bool user_has_ended(void *user);
/* Runs until on_end and checks that it came once. */
void user_run(struct user *user);
const char *user_body(struct user *user);

#endif
