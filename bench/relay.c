/*
 * bench-relay UPSTREAM-PORT: the least that can stand between two sockets, as the limit for what
 * does more. One thread, epoll; every client connection gets one to the upstream, bytes are copied
 * as they come and nobody looks at them. Prints `listening on ADDR:PORT` to stderr; ends on
 * SIGTERM.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "base/memory.h"

enum { EVENTS = 512, COPY_BYTES = 65536, BACKLOG = 4096, DECIMAL = 10 };

/* One of the two ends; `other` gets what is read here. */
struct end {
	int fd; /* -1: closed, freed at the turn's end */
	struct end *other;
	/* what the other's socket did not take; nothing is read meanwhile */
	char *unsent;
	size_t unsent_length;
	struct end *next_dead;
};

static int epoll;
static struct sockaddr_in upstream = {.sin_family = AF_INET};
static struct end *dead;

static void fail(const char *what)
{
	fprintf(stderr, "bench-relay: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static void watch(struct end *end, uint32_t what, int operation)
{
	struct epoll_event event = {.events = what, .data.ptr = end};

	(void)epoll_ctl(epoll, operation, end->fd, &event);
}

static void drop_one(struct end *end)
{
	close(end->fd);
	end->fd = -1;
	free(end->unsent);
	end->next_dead = dead;
	dead = end;
}

/* An event of this turn may still name them. */
static void drop(struct end *end)
{
	drop_one(end->other);
	drop_one(end);
}

static struct end *make_end(int fd)
{
	struct end *end = mem_zalloc(sizeof(*end));
	int on = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	end->fd = fd;
	return end;
}

static void on_connections(int listener)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		int to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		struct end *client, *server;

		/* to the same machine: a connect that waits is short */
		if (to < 0 || connect(to, (struct sockaddr *)&upstream, sizeof(upstream)) < 0)
			fail("connect");
		client = make_end(fd);
		server = make_end(to);
		client->other = server;
		server->other = client;
		watch(client, EPOLLIN, EPOLL_CTL_ADD);
		watch(server, EPOLLIN, EPOLL_CTL_ADD);
	}
}

static void on_readable(struct end *from)
{
	static char bytes[COPY_BYTES];
	ssize_t got = recv(from->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	ssize_t sent;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		drop(from);
		return;
	}
	sent = send(from->other->fd, bytes, (size_t)got, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		sent = 0;
	if (sent == got)
		return;
	from->unsent_length = (size_t)(got - sent);
	from->unsent = mem_grow_array(NULL, from->unsent_length, 1);
	memcpy(from->unsent, bytes + sent, from->unsent_length);
	watch(from, 0, EPOLL_CTL_MOD);
	watch(from->other, (from->other->unsent ? 0 : EPOLLIN) | EPOLLOUT, EPOLL_CTL_MOD);
}

static void on_writable(struct end *to)
{
	struct end *from = to->other;
	ssize_t sent;

	if (!from->unsent)
		return;
	sent = send(to->fd, from->unsent, from->unsent_length, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent <= 0)
		return;
	from->unsent_length -= (size_t)sent;
	memmove(from->unsent, from->unsent + sent, from->unsent_length);
	if (from->unsent_length)
		return;
	free(from->unsent);
	from->unsent = NULL;
	watch(to, to->unsent ? 0 : EPOLLIN, EPOLL_CTL_MOD);
	watch(from, EPOLLIN | (to->unsent ? EPOLLOUT : 0), EPOLL_CTL_MOD);
}

static void turn(int listener)
{
	struct epoll_event events[EVENTS];
	int count = epoll_wait(epoll, events, EVENTS, -1);

	for (int i = 0; i < count; i++) {
		struct end *end = events[i].data.ptr;

		if (!end) {
			on_connections(listener);
			continue;
		}
		if (end->fd >= 0 && events[i].events & EPOLLOUT)
			on_writable(end);
		if (end->fd >= 0 && events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP) &&
			!end->unsent)
			on_readable(end);
		else if (end->fd >= 0 && events[i].events & (EPOLLERR | EPOLLHUP))
			drop(end);
	}
	while (dead) {
		struct end *next = dead->next_dead;

		free(dead);
		dead = next;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(address);
	struct epoll_event event = {.events = EPOLLIN};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct rlimit limit;

	if (argc != 2) {
		fputs("usage: bench-relay UPSTREAM-PORT\n", stderr);
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	upstream.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	upstream.sin_port = htons((uint16_t)strtoul(argv[1], NULL, DECIMAL));
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (listener < 0 || bind(listener, (struct sockaddr *)&address, bytes) < 0 ||
		listen(listener, BACKLOG) < 0)
		fail("listen");
	(void)getsockname(listener, (struct sockaddr *)&address, &bytes);
	(void)epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
	fprintf(stderr, "listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
	for (;;)
		turn(listener);
}
