/*
 * The inside of passes, seen only by its files: pass.c (the client's side, beginnings and
 * endings), pass_upstream.c (Ollama's side), pass_unload.c (unloads that our own one serves).
 */
#ifndef SO_RELAY_PASS_PARTS_H
#define SO_RELAY_PASS_PARTS_H

#include "base/compiler.h"
#include "base/list.h"
#include "core/permission.h"
#include "core/record.h"
#include "core/route.h"
#include "relay/pass.h"
#include "json/tap.h"

struct event;
struct exchange;
struct peek;
struct spool;
struct tunnel;

struct passes {
	struct passes_parts parts;
	struct settings *settings;
	struct list all;
	bool draining;
	size_t held_count;
};

/* What a pass waits for. */
enum pass_phase {
	PASS_READING, /* a body that is collected */
	PASS_CONNECTING,
	PASS_AWAITING,	/* the response head (a tunnel's body may still be going out) */
	PASS_STREAMING, /* the rest of the response */
	PASS_FLUSHING,	/* the client to take the rest */
	PASS_DONE,
};

struct pass {
	struct list link;
	struct passes *passes;
	struct settings *settings;
	struct permission permission; /* these settings and what of them limits it */
	struct record record;
	struct route route;
	struct client *client; /* NULL: the link is cut */
	enum pass_phase phase;
	struct spool *spool; /* a collected body */
	struct peek *peek;   /* while it is collected: the model for the log */
	struct tap *tap;     /* where the answer's stream stands */
	enum tap_format format;
	bool has_body;
	struct exchange *exchange;
	struct tunnel *tunnel;
	bool upload_complete;
	bool answer_begun;
	bool upstream_paused;
	bool sent_again;
	bool is_unload; /* a mere unload */
	bool is_held;	/* not sent: our own unload of its model serves it */
	int status;
	int retry_after; /* seconds; 0: what the queue says */
	struct event *timer;
	int64_t timer_due_us;
	int64_t phase_since_us;
	int64_t activity_us; /* bytes went in either direction, or reading went on */
};

/* pass.c */
void pass_set_phase(struct pass *pass, enum pass_phase phase);
/* Sets the pass's one timer to the nearest limit of its phase. */
void pass_arm(struct pass *pass);
/* The one bad ending: an error answer if none was begun, else the cut. `text` NULL: the outcome's.
 * The pass must not be used afterwards. */
void pass_fail(struct pass *pass, enum outcome outcome, const char *text);

/* pass_unload.c */
/* true: its model gives way; it waits for our own unload and is not sent. */
MUST_CHECK bool pass_hold_unload(struct pass *pass);
void pass_let_go(struct pass *pass);

/* pass_upstream.c */
/* The body is complete: send it by an exchange. May end the pass. */
void pass_start_exchange(struct pass *pass);
/* The body is coming, or the method has no name in evhttp: send it by a tunnel. May end the pass.
 */
void pass_start_tunnel(struct pass *pass);
/* No connection came about. Ends the pass. `text` NULL: the outcome's. */
void pass_refused(struct pass *pass, const char *text);

#endif
