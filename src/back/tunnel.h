/*
 * One request whose body is not complete when it is sent, or whose method evhttp cannot name
 * (FACTS: blobs of gigabytes): a connection of its own, both directions at once, backpressure both
 * ways, `Connection: close` upstream. Started by relay/pass only. Never half-closes: Ollama takes
 * that for a disconnect. The order of events is exchange's, with on_interim before on_head and
 * on_room at any time before on_end. The tunnel frees itself after on_end or cancel.
 *
 * Memory: what waits to be sent is bounded by the user (TUNNEL_HIGH_BYTES and its last piece), what
 * was read by one read. 101 is malformed, as nobody asked for it.
 */
#ifndef SO_BACK_TUNNEL_H
#define SO_BACK_TUNNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "back/exchange.h"
#include "base/compiler.h"
#include "http/framing.h"

struct tunnel;

enum {
	/* Enough to keep a disk or a gigabit line busy between two turns. */
	TUNNEL_HIGH_BYTES = 512 * 1024,
	TUNNEL_LOW_BYTES = 128 * 1024,
};

struct tunnel_events {
	void (*on_connected)(void *arg);
	/* As exchange's; a 100 Continue comes because the request carried Expect. */
	void (*on_interim)(void *arg, int status, const struct fields *fields);
	void (*on_head)(void *arg, const struct exchange_head *head);
	/* Once for each upstream chunk; a chunk over 256 KiB comes in pieces. */
	void (*on_data)(void *arg, struct evbuffer *data);
	/* The upload's buffer fell below its low mark: tunnel_send() is welcome again. */
	void (*on_room)(void *arg);
	/* The last one. An early answer (Ollama answered before the upload was complete) is
	 * COMPLETE too. */
	void (*on_end)(void *arg, enum exchange_end end);
};

struct tunnel_request {
	const char *method;
	const char *target;
	/* All to be sent, Expect included where the client sent it; copied. Host, Content-Length,
	 * Transfer-Encoding and Connection are left out: they are made here. */
	const struct fields *fields;
	struct framing framing; /* of the body: NONE, LENGTH or CHUNKED */
};

/* NULL: it could not even begin; treat it as EXCHANGE_REFUSED. No event comes before it returns.
 * `arg` must live until on_end or cancel. */
MUST_CHECK struct tunnel *tunnel_start(struct pool *pool, const struct tunnel_request *request,
	const struct tunnel_events *events, void *arg);
/* Takes all of `data`, decoded body bytes, one chunk a call if chunked; before the connection
 * stands too. false: above the high mark, wait for on_room. Once Ollama takes no more (an early
 * answer) the rest is thrown away. */
bool tunnel_send(struct tunnel *tunnel, struct evbuffer *data);
/* The body is complete: as long as its Content-Length said. */
void tunnel_send_end(struct tunnel *tunnel);
/* As exchange_cancel(). */
void tunnel_cancel(struct tunnel *tunnel);
/* Stop and go on reading the answer. What was read already still arrives. */
void tunnel_pause(struct tunnel *tunnel);
void tunnel_resume(struct tunnel *tunnel);
int64_t tunnel_last_activity_us(const struct tunnel *tunnel);

#endif
