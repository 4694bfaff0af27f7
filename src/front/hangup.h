/*
 * Hang-ups of clients from whom nothing is read at the moment (pipelined bytes wait, or an upload
 * is held back). One epoll of our own beside libevent's: on a reset libevent reports EV_READ and
 * EV_WRITE but never EV_CLOSED, and an event for EV_READ would fire for the unread bytes. Made by
 * clients, used by client.
 */
#ifndef SO_FRONT_HANGUP_H
#define SO_FRONT_HANGUP_H

#include <event2/util.h>

struct client;
struct event_base;
struct hangups;

/* `on_hang_up` is called from the loop; it closes the client, which calls hangups_forget(). */
struct hangups *hangups_create(struct event_base *base, void (*on_hang_up)(struct client *client));
void hangups_destroy(struct hangups *hangups);
/* From now on a FIN or RST of the peer is told. Nothing must be watched twice. */
void hangups_watch(struct hangups *hangups, evutil_socket_t fd, struct client *client);
void hangups_forget(struct hangups *hangups, evutil_socket_t fd);

#endif
