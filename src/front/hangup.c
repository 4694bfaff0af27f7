#include "front/hangup.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/memory.h"

/* Told in one go; what is left makes the descriptor readable again. */
enum { EVENTS_AT_ONCE = 64 };

struct hangups {
	int epoll;
	struct event *event;
	void (*on_hang_up)(struct client *client);
};

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct hangups *hangups = arg;
	struct epoll_event events[EVENTS_AT_ONCE];
	int count = epoll_wait(hangups->epoll, events, EVENTS_AT_ONCE, 0);

	for (int i = 0; i < count; i++)
		hangups->on_hang_up(events[i].data.ptr);
}

struct hangups *hangups_create(struct event_base *base, void (*on_hang_up)(struct client *client))
{
	struct hangups *hangups = mem_zalloc(sizeof(*hangups));

	hangups->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (hangups->epoll < 0)
		mem_out(0);
	hangups->on_hang_up = on_hang_up;
	hangups->event =
		event_new(base, hangups->epoll, EV_READ | EV_PERSIST, on_readable, hangups);
	event_add(hangups->event, NULL);
	return hangups;
}

void hangups_destroy(struct hangups *hangups)
{
	if (!hangups)
		return;
	event_free(hangups->event);
	close(hangups->epoll);
	free(hangups);
}

void hangups_watch(struct hangups *hangups, evutil_socket_t fd, struct client *client)
{
	/* EPOLLERR and EPOLLHUP are always told. */
	struct epoll_event event = {.events = EPOLLRDHUP, .data.ptr = client};

	if (epoll_ctl(hangups->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		LOG(ERROR, "cannot watch a connection for its end", LOG_NUMBER("fd", fd));
}

void hangups_forget(struct hangups *hangups, evutil_socket_t fd)
{
	struct epoll_event unused = {0};

	epoll_ctl(hangups->epoll, EPOLL_CTL_DEL, fd, &unused);
}
