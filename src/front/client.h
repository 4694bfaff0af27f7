/*
 * A client's connection from accept to close: reads heads, one request at a time, hands each to its
 * user, sees that answers are delivered, and starts again (keep-alive, pipelining in order).
 * States: (HANDSHAKE →) HEAD → BODY → ANSWERING → (LINGERING →) HEAD or closed. Made by
 * front/listener; relay, pass and admin are users; front/reply writes the answers.
 *
 * The link between a client and its user is cut by the client before on_left or on_sent is called,
 * or by client_release() and client_abort().
 */
#ifndef SO_FRONT_CLIENT_H
#define SO_FRONT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/outcome.h"
#include "http/framing.h"
#include "http/head.h"

struct api_key;
struct client;
struct evbuffer;

/* Unsent bytes from which on a user should stop adding: a few times what a socket buffer takes,
 * small beside 1,000 streams. */
enum { CLIENT_UNSENT_HIGH = 256 * 1024 };

/* Who answers the present request. None may be called from inside client_accept(). */
struct client_user {
	/*
	 * Decoded body bytes; the callee takes them all out of `data`. `is_complete` comes once,
	 * with or without data. Not called while client_pause_body() holds.
	 */
	void (*on_body)(void *arg, struct evbuffer *data, bool is_complete);
	/*
	 * It is over: CLIENT_GONE, CLIENT_STALLED; or the body failed: REQUEST_TIMEOUT,
	 * BAD_REQUEST: then the user is still attached and must answer with reply_error() or
	 * reply_cut().
	 */
	void (*on_left)(void *arg, enum outcome why);
	void (*on_body_failed)(void *arg, enum outcome why);
	/* client_has_room() was false and is true again. */
	void (*on_room)(void *arg);
	/* The kernel has taken the whole answer; the client goes on by itself. */
	void (*on_sent)(void *arg);
};

/* The request in hand; valid until on_sent, on_left, client_release() or client_abort(). */
const struct request_head *client_head(const struct client *client);
/* For access_check(), before the request has a user. */
struct request_head *client_head_to_check(struct client *client);
/*
 * The API key of the request in hand; NULL: none. Belongs to the settings in force at on_request,
 * which the client keeps until the next one: whoever keeps it longer takes those.
 */
void client_set_key(struct client *client, const struct api_key *key);
const struct api_key *client_key(const struct client *client);
/* The address that its listener has in `listen`, as it is spelled there. */
const char *client_listen(const struct client *client);
/* It came by a listener of admin_listen. */
bool client_came_by_admin(const struct client *client);
/* The peer's address without port. */
const char *client_ip(const struct client *client);
bool client_is_loopback(const struct client *client);

/* From on_request only: takes the request. Body bytes follow from the next turn's events on, or at
 * once after on_request returned. */
void client_accept(struct client *client, const struct client_user *user, void *arg);
/* Cuts the link; an answer that was begun and ended is delivered without its user. For use after
 * reply_error() and reply_cut(). */
void client_release(struct client *client);
/* Cuts the link and closes the connection at once, whatever was sent. */
void client_abort(struct client *client);
/* "HTTP/1.1 100 Continue", if the client asked for it and no body byte came yet; once. */
void client_send_continue(struct client *client);
/* Backpressure on the body. */
void client_pause_body(struct client *client);
void client_resume_body(struct client *client);
/* Below CLIENT_UNSENT_HIGH. */
bool client_has_room(const struct client *client);
/* Unsent bytes. */
size_t client_unsent_bytes(const struct client *client);

#endif
