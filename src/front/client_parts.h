/*
 * The inside of a client connection, seen only by the files of front/ that make it up: client.c
 * (cycle), clients.c (all of them), input.c (reading), output.c (writing and time limits) and
 * reply.c (answers).
 */
#ifndef SO_FRONT_CLIENT_PARTS_H
#define SO_FRONT_CLIENT_PARTS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <event2/util.h>

#include "base/list.h"
#include "front/client.h"
#include "front/clients.h"
#include "front/intake.h"

struct bufferevent;
struct address_count;
struct addresses;
struct evbuffer_cb_entry;
struct event;
struct hangups;

/* "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" and its NUL, as strftime may write any year. */
enum { CLIENTS_DATE_BYTES = 48 };

enum {
	/* The tail of the output that still counts as room: a user that was told to wait goes on
	   well before the socket runs dry. */
	CLIENT_OUTPUT_LOW_BYTES = 64 * 1024,
	/* Moved between socket and buffer in one go. libevent's default of 16 KiB is a bottleneck
	   for images. */
	CLIENT_MOVED_BYTES = 256 * 1024,
};

enum client_state {
	CLIENT_HANDSHAKE, /* TLS is not agreed yet */
	CLIENT_HEAD,	  /* waits for a request head */
	CLIENT_BODY,	  /* the request has a user; its body is coming */
	CLIENT_ANSWERING, /* the body is complete, the answer is not */
	CLIENT_LINGERING, /* the answer is delivered, the body is not complete: what comes is thrown
			     away */
	CLIENT_CLOSING,	  /* our side is shut; waits for the peer to read and close */
	CLIENT_CLOSED,	  /* in the graveyard */
};

struct clients {
	struct event_base *base;
	struct graveyard *graveyard;
	struct settings *settings;
	struct clients_events events;
	struct list all;
	struct list dirty;
	struct hangups *hangups;
	struct addresses *addresses;
	size_t count;
	bool draining;
	time_t date_second;	       /* of `date` */
	char date[CLIENTS_DATE_BYTES]; /* the Date field, with its end of line */
};

struct client {
	struct clients *clients;
	struct list link;
	struct list dirty_link;
	struct bufferevent *connection; /* TLS only */
	struct evbuffer *input;		/* the connection's, or plain TCP's own */
	struct evbuffer *output;
	evutil_socket_t fd;
	char *ip;
	struct address_count *address; /* NULL: it is not counted by its address */
	char *listen;		       /* its listener's, as `listen` spells it */
	bool is_loopback;
	bool is_tls; /* the bufferevent does all writing itself */
	bool came_by_admin;

	enum client_state state;
	struct request_head head;
	size_t scanned; /* of the head that is coming */
	struct intake intake;

	const struct client_user *user; /* NULL: nobody, or the answer delivers itself */
	void *user_arg;
	const struct api_key *key;
	struct settings *key_settings; /* where it stands; counted */
	bool has_head;		       /* head stands */
	bool has_served; /* a request was answered: an idle connection may be closed without a word
			  */
	bool in_handler; /* on_request or another event of ours is on the stack */
	bool body_paused;
	bool body_lost;	    /* malformed or too slow: where it ends cannot be known */
	bool continue_owed; /* the client waits for 100 Continue */
	bool wants_room;    /* client_has_room() was false */

	/* the answer */
	bool answer_begun;
	bool answer_ended;
	bool answer_cut; /* ended without its end: close */
	bool answer_chunked;
	bool answer_has_length; /* Content-Length was sent */
	bool answer_bodiless;	/* HEAD, 204, 304: body pieces are dropped */
	bool close_after;	/* this is the connection's last answer */

	/* reading and writing */
	/* plain TCP: reading is on while it is pending */
	struct event *readable;
	/* plain TCP: NULL: not yet needed */
	struct event *writable;
	bool writes_by_event; /* the kernel did not take all at once: the rest waits for an event */
	bool is_watched;      /* reading is off; a hang-up is told by hangups */
	struct evbuffer_cb_entry *progress; /* TLS: while writes_by_event */

	/* time limits; microseconds of the ticker */
	struct event *timer;
	int64_t timer_due_us;	 /* 0: not pending */
	int64_t since_us;	 /* the present state began */
	int64_t head_started_us; /* first byte of the head that is coming; 0: none came */
	int64_t last_read_us;
	int64_t last_write_us; /* the kernel took something, or the output was empty */
};

/* input.c */
void client_input_start(struct client *client);
void client_input_stop(struct client *client);
/* What lies in the input is looked at from an event of its own. */
void client_input_again(struct client *client);
/* Before the socket is closed. */
void client_input_finish(struct client *client);

/* client.c */
struct client *client_create(struct clients *clients, struct bufferevent *connection,
	const char *ip, bool is_loopback, bool is_tls);
/* Goes on with what lies in the input; called by the events and after an answer was delivered. */
void client_process(struct client *client);
/* The kernel has the whole answer: tells the user and goes on with the next request, lingers or
 * closes. */
void client_answer_delivered(struct client *client);
/* The body cannot become complete: tells the user, who answers; the connection closes after that.
 */
void client_body_failed(struct client *client, enum outcome why);
/* A hang-up was seen while reading was off. */
void client_on_hang_up(struct client *client);
/* The end, from any state: tells the user (unless `why` is OUTCOME_NONE), closes, goes to the
 * graveyard. */
void client_close(struct client *client, enum outcome why);
void client_set_state(struct client *client, enum client_state state);

/* output.c */
struct evbuffer *client_output(struct client *client);
void client_mark_dirty(struct client *client);
/* true: the answer was delivered and more requests may wait in the input. */
void client_flush(struct client *client);
/* Something was written; the output is at or below the low mark. */
void client_on_drained(struct client *client);
/* Sets the timer to the nearest limit of the present state. */
void client_arm(struct client *client);
void client_output_finish(struct client *client);

#endif
