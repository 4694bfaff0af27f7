/*
 * One request whose body is complete, and its answer, over one evhttp connection
 * (docs/decisions/0001). Started by relay (jobs), pass and probe. The user gives method, target,
 * fields and body and is told what comes back; time limits are the user's own.
 *
 * Order of events: on_connected?, on_interim*, on_head?, on_data*, on_end. on_end comes exactly
 * once, unless exchange_cancel() was called; it may come before exchange_start() returns only as
 * ret = NULL (then no event is sent at all). The exchange frees itself after on_end or cancel.
 *
 * All addresses of the upstream are tried in turn until one accepts. An answer is read by our own
 * rules (RFC 9112) beside evhttp's, byte for byte (back/witness): a 101, a doubtful length, a line
 * without CRLF, a head over 64 KiB are MALFORMED, also where what is wrong came with the head; what
 * comes later and is wrong makes it TRUNCATED, and nothing is passed on that came in one read with
 * it. A chunk is held in memory until it is whole: evhttp cannot do otherwise.
 */
#ifndef SO_BACK_EXCHANGE_H
#define SO_BACK_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "http/fields.h"
#include "http/framing.h"

struct evbuffer;
struct exchange;
struct pool;

#define EXCHANGE_ENDS(X)                                                         \
	X(COMPLETE, "complete")	  /* the whole answer arrived */                 \
	X(REFUSED, "refused")	  /* no address accepted the connection */       \
	X(RESET, "reset")	  /* the connection ended before a whole head */ \
	X(MALFORMED, "malformed") /* not a sound HTTP answer */                  \
	X(TRUNCATED, "truncated") /* broke off, or became malformed, after its head */

enum exchange_end {
#define X(symbol, name) EXCHANGE_##symbol,
	EXCHANGE_ENDS(X)
#undef X
};
const char *exchange_end_name(enum exchange_end end);

/* The answer's head; valid during on_head only. Fields as received, all of them. */
struct exchange_head {
	int status;
	const char *reason;
	const struct fields *fields;
	struct framing framing; /* CHUNKED: on_data is called once for each upstream chunk */
};

/* Any of them may call exchange_pause/resume/cancel on this exchange. */
struct exchange_events {
	/* Connected, the request is being sent. May be called before exchange_start() returns. */
	void (*on_connected)(void *arg);
	/* Of a status from 100 to 199, but for 101; NULL: not wanted. Nobody asked for a 100. */
	void (*on_interim)(void *arg, int status, const struct fields *fields);
	void (*on_head)(void *arg, const struct exchange_head *head);
	/* The callee takes what it wants out of `data` (evbuffer_add_buffer moves it); the rest is
	 * thrown away. */
	void (*on_data)(void *arg, struct evbuffer *data);
	void (*on_end)(void *arg, enum exchange_end end);
};

struct exchange_request {
	const char *method; /* one that exchange_can_send() knows */
	const char *target; /* sent verbatim */
	/* All to be sent; copied. Host, Content-Length, Transfer-Encoding, Connection and Expect
	 * are left out: they are made here or cannot be sent. */
	const struct fields *fields;
	/* Fills the body into `out`, called during exchange_start(), again when another address is
	 * tried; NULL: none. false: it cannot. */
	bool (*fill_body)(void *arg, struct evbuffer *out);
	uint64_t body_bytes; /* Content-Length is sent for it; with has_body false none but for
				POST, PUT, PATCH (0) */
	bool has_body;
	bool wants_fresh; /* not on an idle connection, so that it also tells whether Ollama accepts
			   */
};

/* evhttp has a name for this method (else the tunnel carries it). */
bool exchange_can_send(const char *method);
/*
 * NULL: it could not even begin (no address known, out of descriptors, body unreadable); treat it
 * as EXCHANGE_REFUSED. `arg` is for events and fill_body and must live until on_end or cancel.
 */
MUST_CHECK struct exchange *exchange_start(struct pool *pool,
	const struct exchange_request *request, const struct exchange_events *events, void *arg);
/* Ends it and closes the connection in this turn's tail (the graveyard), which is what makes Ollama
 * stop; no event follows. Safe inside every event and while connecting. */
void exchange_cancel(struct exchange *exchange);
/* Backpressure: stop and go on reading from Ollama. What was read already still arrives. */
void exchange_pause(struct exchange *exchange);
void exchange_resume(struct exchange *exchange);
/* It runs on a connection that had served another request before (for 3.11's rule on passes). */
bool exchange_is_reused(const struct exchange *exchange);
/* A byte came from Ollama, if only of an interim answer or of a head that broke off. */
bool exchange_has_heard(const struct exchange *exchange);
/* Microseconds (ticker) of the last byte in either direction: for the user's idle limit. */
int64_t exchange_last_activity_us(const struct exchange *exchange);

#endif
