#include "front/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <evhtp/evhtp.h>

#include "base/log.h"
#include "base/memory.h"
#include "front/clients.h"
#include "io/address.h"
#include "io/holder.h"

enum {
	/* The kernel caps it at net.core.somaxconn. */
	BACKLOG = 4096,
	/* Out of descriptors: look again after this long; no event tells that one became free. */
	RETRY_US = 100 * 1000,
};

struct listener {
	struct clients *clients;
	evhtp_t *htp;
	char name[ADDRESS_TEXT_BYTES];
	struct event *retry;
	bool is_admin;
	bool is_stopped;
};

static void stop(struct listener *listener)
{
	static const struct timeval soon = {.tv_usec = RETRY_US};

	listener->is_stopped = true;
	evconnlistener_disable(listener->htp->server);
	evtimer_add(listener->retry, &soon);
}

void listener_resume(struct listener *listener)
{
	if (!listener->is_stopped || !clients_may_add(listener->clients))
		return;
	listener->is_stopped = false;
	evtimer_del(listener->retry);
	evconnlistener_enable(listener->htp->server);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	listener_resume(listener);
	if (listener->is_stopped)
		stop(listener);
}

static void on_accept_error(struct evconnlistener *server, void *arg)
{
	int error = EVUTIL_SOCKET_ERROR();
	evhtp_t *htp = arg;
	struct listener *listener = htp->arg;

	LOG(WARN, "cannot accept a connection; trying again shortly",
		LOG_TEXT("listener", listener->name),
		LOG_TEXT("error", evutil_socket_error_to_string(error)));
	stop(listener);
}

static evhtp_res on_pre_accept(evhtp_connection_t *connection, void *arg)
{
	struct listener *listener = arg;

	if (!clients_may_add_from(listener->clients, connection->saddr)) {
		LOG(WARN, "refused a connection: max_connections_per_address",
			LOG_TEXT("listener", listener->name));
		return EVHTP_RES_ERROR;
	}
	return EVHTP_RES_OK;
}

/* libevhtp gives the bufferevent away and, for the error returned, frees the rest of its own (FACTS
 * 1; a loop test guards it). */
static evhtp_res on_post_accept(evhtp_connection_t *connection, void *arg)
{
	struct listener *listener = arg;
	struct sockaddr_storage peer = {0};
	socklen_t length = sizeof(peer);
	struct bufferevent *owned;

	if (getpeername(connection->sock, (struct sockaddr *)&peer, &length) < 0)
		return EVHTP_RES_ERROR;
	fcntl(connection->sock, F_SETFD, FD_CLOEXEC);
	owned = evhtp_connection_take_ownership(connection);
	clients_add(listener->clients, owned, (struct sockaddr *)&peer, listener->is_admin);
	if (!clients_may_add(listener->clients)) {
		LOG(WARN, "accepting no more connections: max_connections",
			LOG_TEXT("listener", listener->name));
		stop(listener);
	}
	return EVHTP_RES_ERROR;
}

/* A non-blocking socket, listening; -1: errno says why. */
static int open_socket(const struct address *address)
{
	int one = 1;
	int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		goto fail;
	if (address->storage.ss_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
		goto fail;
	if (bind(fd, (const struct sockaddr *)&address->storage, address->length) < 0)
		goto fail;
	return fd;
fail:
	one = errno;
	close(fd);
	errno = one;
	return -1;
}

/* Names the flag and, for a port that is taken, who holds it. A new string. */
static char *explain(const char *name, bool is_admin, int error)
{
	char *holder = NULL;
	char *text;

	if (error == EADDRINUSE)
		holder = holder_of_port((uint16_t)strtoul(strrchr(name, ':') + 1, NULL, 10));
	text = mem_printf("cannot listen on %s: %s%s%s; choose another address with --%slisten",
		name, strerror(error), holder ? ", held by " : "", holder ? holder : "",
		is_admin ? "admin-" : "");
	free(holder);
	return text;
}

struct listener *listener_create(struct event_base *base, struct clients *clients,
	const struct address *address, bool is_admin, char **ret_error)
{
	struct listener *listener = mem_zalloc(sizeof(*listener));
	struct sockaddr_storage bound = {0};
	socklen_t length = sizeof(bound);
	int fd = open_socket(address);

	listener->clients = clients;
	listener->is_admin = is_admin;
	address_print((const struct sockaddr *)&address->storage, listener->name);
	if (fd < 0)
		goto fail;
	listener->htp = evhtp_new(base, listener);
	evhtp_enable_flag(listener->htp, EVHTP_FLAG_ENABLE_NODELAY);
	evhtp_set_pre_accept_cb(listener->htp, on_pre_accept, listener);
	evhtp_set_post_accept_cb(listener->htp, on_post_accept, listener);
	if (evhtp_accept_socket(listener->htp, fd, BACKLOG) < 0)
		goto fail_close;
	evconnlistener_set_error_cb(listener->htp->server, on_accept_error);
	listener->retry = evtimer_new(base, on_retry, listener);
	if (getsockname(fd, (struct sockaddr *)&bound, &length) == 0)
		address_print((struct sockaddr *)&bound, listener->name);
	return listener;
fail_close:
	close(fd);
	evhtp_free(listener->htp);
fail:
	*ret_error = explain(listener->name, is_admin, errno);
	free(listener);
	return NULL;
}

void listener_destroy(struct listener *listener)
{
	if (!listener)
		return;
	evtimer_del(listener->retry);
	event_free(listener->retry);
	evhtp_unbind_socket(listener->htp);
	evhtp_free(listener->htp);
	free(listener);
}

const char *listener_name(const struct listener *listener)
{
	return listener->name;
}
