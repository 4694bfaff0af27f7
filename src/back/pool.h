/*
 * The connections to Ollama: which addresses it has now, evhttp connections that are idle and may
 * be used again, and an own count of what is open. Made by proxy.c; used by back/exchange,
 * back/tunnel (addresses only) and back/probe.
 *
 * The last idle connection is used first, so that those which a burst left over grow old: they are
 * closed after POOL_IDLE_US, and beyond as many as jobs may run (POOL_IDLE_LEAST) the oldest at
 * once. An idle connection that Ollama closed, or that sent a byte nobody asked for, is never used
 * again.
 */
#ifndef SO_BACK_POOL_H
#define SO_BACK_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct address;
struct bufferevent;
struct connection;
struct evbuffer;
struct event_base;
struct evhttp_connection;
struct graveyard;
struct settings;
struct pool;
struct tls_client;

enum {
	/* So many idle ones may be kept at least, more where more jobs may run (at the start): each
	   that is not kept is a connect for a later request. */
	POOL_IDLE_LEAST = 64,
	/* Shorter than the keep-alive limit of every proxy that may stand before an Ollama. */
	POOL_IDLE_US = 60 * 1000 * 1000,
};

/* The name is resolved at once; until the first answer nothing can connect (numeric addresses: at
 * once). */
struct pool *pool_create(
	struct event_base *base, struct graveyard *graveyard, const struct settings *settings);
/* Before the first connection: all of them speak TLS. `tls` is borrowed and must outlive the pool.
 */
void pool_set_tls(struct pool *pool, struct tls_client *tls);
/* What TLS had against the upstream at the last refusal ("its certificate is not accepted: ..."),
 * or NULL: then it refused the connection. */
const char *pool_problem(const struct pool *pool);
/*
 * All exchanges and tunnels must have ended or been cancelled; what of them still waits in the
 * graveyard is destroyed here. Not from inside a callback. NULL is fine.
 */
void pool_destroy(struct pool *pool);
/* "127.0.0.1:11434": what Host says upstream and messages name. */
const char *pool_host(const struct pool *pool);
/*
 * The latest exchange or tunnel that could not begin, or was REFUSED, failed for want of our own
 * means: no descriptor is left, or its body could not be read. It says nothing about Ollama. Asked
 * once, right after the failure.
 */
bool pool_failed_locally(struct pool *pool);
size_t pool_open_connections(const struct pool *pool);
size_t pool_idle_connections(const struct pool *pool);
/* Idle ones that the other side closed, ever. Ollama closes none while it lives. */
uint64_t pool_lost_connections(const struct pool *pool);

/* When Ollama was last asked for anything but an answer about itself (GET, HEAD), by whomever:
 * `now_us` while that is under way, else its end; 0: never. */
int64_t pool_used_us(const struct pool *pool, int64_t now_us);

/* ---- for back/ only ---- */

/* A request begins (+1) or ends (-1). Those that only ask are not told. */
void pool_note_use(struct pool *pool, int change, int64_t now_us);
/* This method may use or load a model. */
bool pool_is_use(const char *method);

/* A body could not be read: see pool_failed_locally(). */
void pool_note_local_failure(struct pool *pool);
struct graveyard *pool_graveyard(const struct pool *pool);
/* Closes what was idle for POOL_IDLE_US; a timer does so by itself. */
void pool_sweep(struct pool *pool);
/* What the resolver found; called by loop tests too. */
void pool_set_addresses(struct pool *pool, const struct address *addresses, size_t count);
/* All addresses known now; they may change in every turn. */
size_t pool_address_count(const struct pool *pool);
/* Where to begin: the address that was connected last. */
size_t pool_first_address(const struct pool *pool);
/* `index` is taken modulo the count, which must not be 0. */
const struct address *pool_address(const struct pool *pool, size_t index);
void pool_note_connected(struct pool *pool, size_t index);
/* Every address was tried and none connected: the name is resolved again. */
void pool_note_refused(struct pool *pool);
/* A TLS bufferevent writes and reads by itself: its socket is not to be touched. */
bool pool_is_tls(const struct pool *pool);
/* A bufferevent for a connection, TLS or not, without a socket; closes with its end. NULL: out of
 * memory. */
MUST_CHECK struct bufferevent *pool_bufferevent(const struct pool *pool);
/* A connection of the tunnel's own begins and ends. */
void pool_count_open(struct pool *pool, int change);
/* TCP_NODELAY and CLOEXEC for a socket that libevent made. */
void pool_tune_socket(int fd);

/*
 * libevent reads at most POOL_FULL_READ_BYTES in an event; after such a read there is often more,
 * and one recv of 64 KiB makes bulk three times as fast. false: the read failed, which the next one
 * will not tell (it sees an EOF).
 */
enum { POOL_FULL_READ_BYTES = 4096 };
MUST_CHECK bool pool_read_more(int fd, struct evbuffer *input);

/* Who uses a connection is told how its bytes move. Called from inside libevent: nothing may be
 * ended there. */
struct connection_watch {
	/* `left` bytes wait to be sent. */
	void (*on_output)(void *arg, size_t added, size_t removed, size_t left);
	/* `held` bytes were read and not yet taken by evhttp; the last `added` > 0 of them just
	 * now.
	 */
	void (*on_input)(void *arg, size_t added, size_t held);
};

/* An idle connection that is sound, or NULL. */
struct connection *pool_lease(struct pool *pool);
/* A new one to that address; it connects with its first request. NULL: out of memory. */
struct connection *pool_connect(struct pool *pool, size_t index);
struct evhttp_connection *connection_evcon(const struct connection *connection);
/* `watch` is not copied. */
void connection_watch(
	struct connection *connection, const struct connection_watch *watch, void *arg);
/*
 * evhttp stops and begins to read where a request begins and where an answer ends; each time
 * libevent would tell the kernel at the turn's end that nothing changed. While the connection is
 * held, an event of ours reads too, and nothing is to be told. Taken for the length of evhttp's own
 * call; the turn must not end with it. Both may be called at any time; TLS is never held.
 */
void connection_hold(struct connection *connection);
void connection_let_go(struct connection *connection);
/* Its EOF was a failed read. */
bool connection_is_broken(const struct connection *connection);
/* Ready for another request: kept idle, unless bytes lie behind the last answer. */
void pool_return(struct connection *connection);
/* It is closed at the end of the turn; no watch is called from now on. */
void pool_discard(struct connection *connection);

#endif
