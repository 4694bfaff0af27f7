#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>
#include <event2/listener.h>

#include "conn.h"
#include "sim.h"

#define BACKLOG 4096
/* How long we accept nothing after a failed accept (no descriptors left). */
#define RETRY_US 50000
#define PORT_TEXT_BYTES 64

static void on_tail(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	struct conn *conn;

	for (size_t i = 0; i < server->dirty_count; i++)
		conn_flush(server->dirty[i]);
	server->dirty_count = 0;
	while ((conn = TAILQ_FIRST(&server->dead)) != NULL) {
		TAILQ_REMOVE(&server->dead, conn, link);
		conn_free(conn);
	}
}

void server_mark_dirty(struct server *server, struct conn *conn)
{
	if (conn->is_dirty)
		return;
	conn->is_dirty = true;
	if (server->dirty_count == server->dirty_capacity) {
		server->dirty_capacity = 2 * server->dirty_capacity + 64;
		server->dirty = mem_grow_array(
			server->dirty, server->dirty_capacity, sizeof(struct conn *));
	}
	server->dirty[server->dirty_count++] = conn;
	event_active(server->tail, 0, 0);
}

void server_bury(struct server *server, struct conn *conn)
{
	TAILQ_REMOVE(&server->open, conn, link);
	TAILQ_INSERT_TAIL(&server->dead, conn, link);
	server->open_count--;
	event_active(server->tail, 0, 0);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
	int length, void *arg)
{
	struct server *server = arg;
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	struct conn *conn = conn_create(server->sim, fd);
	TAILQ_INSERT_TAIL(&server->open, conn, link);
	server->open_count++;
	server->accepted++;
}

static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct server *server = arg;
	struct timeval pause = {.tv_usec = RETRY_US};

	evconnlistener_disable(listener);
	event_add(server->retry, &pause);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;

	evconnlistener_enable(server->listener);
}

static void describe(const struct sockaddr_storage *address, char *text, size_t bytes)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;

		inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof(host));
		snprintf(text, bytes, "[%s]:%u", host, ntohs(six->sin6_port));
		return;
	}
	const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
	inet_ntop(AF_INET, &four->sin_addr, host, sizeof(host));
	snprintf(text, bytes, "%s:%u", host, ntohs(four->sin_port));
}

static bool is_loopback(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(
			&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
	return ((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr ==
	       htonl(INADDR_LOOPBACK);
}

/* evutil_parse_sockaddr_port() takes no port 0. */
static bool parse_address(const char *text, struct sockaddr_storage *where, int *length)
{
	struct sockaddr_in *four = (struct sockaddr_in *)(void *)where;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)where;
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2] = "", *end = NULL; /* with brackets */
	unsigned long port = colon == NULL ? 0 : strtoul(colon + 1, &end, 10);

	if (colon == NULL || end == colon + 1 || *end != '\0' || port > UINT16_MAX ||
		(size_t)(colon - text) >= sizeof(host))
		return false;
	memcpy(host, text, (size_t)(colon - text));
	if (host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = '\0';
		six->sin6_family = AF_INET6;
		six->sin6_port = htons((uint16_t)port);
		*length = sizeof(*six);
		return inet_pton(AF_INET6, host + 1, &six->sin6_addr) == 1;
	}
	four->sin_family = AF_INET;
	four->sin_port = htons((uint16_t)port);
	*length = sizeof(*four);
	return inet_pton(AF_INET, host, &four->sin_addr) == 1;
}

bool server_start(struct server *server, struct sim *sim, const char *address)
{
	struct sockaddr_storage where = {0};
	int length = sizeof(where);
	char text[INET6_ADDRSTRLEN + PORT_TEXT_BYTES];

	memset(server, 0, sizeof(*server));
	TAILQ_INIT(&server->open);
	TAILQ_INIT(&server->dead);
	server->sim = sim;
	if (!parse_address(address, &where, &length)) {
		fprintf(stderr, "ollama-sim: --listen %s: not ADDRESS:PORT\n", address);
		return false;
	}
	server->tail = event_new(sim->loop, -1, 0, on_tail, server);
	server->retry = event_new(sim->loop, -1, 0, on_retry, server);
	server->listener = evconnlistener_new_bind(sim->loop, on_accept, server,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, BACKLOG,
		(struct sockaddr *)&where, length);
	if (server->listener == NULL) {
		fprintf(stderr, "ollama-sim: --listen %s: %s\n", address, strerror(errno));
		return false;
	}
	evconnlistener_set_error_cb(server->listener, on_accept_error);
	socklen_t bound = sizeof(where);
	getsockname(evconnlistener_get_fd(server->listener), (struct sockaddr *)&where, &bound);
	server->is_loopback = is_loopback(&where);
	describe(&where, text, sizeof(text));
	fprintf(stderr, "listening on %s\n", text);
	return true;
}

void server_finish(struct server *server)
{
	struct conn *conn, *next;

	if (server->sim == NULL)
		return;
	for (conn = TAILQ_FIRST(&server->open); conn != NULL; conn = next) {
		next = TAILQ_NEXT(conn, link);
		conn_close(conn);
	}
	if (server->tail != NULL)
		on_tail(-1, 0, server);
	if (server->listener != NULL)
		evconnlistener_free(server->listener);
	if (server->tail != NULL)
		event_free(server->tail);
	if (server->retry != NULL)
		event_free(server->retry);
	free(server->dirty);
}
