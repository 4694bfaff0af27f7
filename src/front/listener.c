#include "front/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
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
	/* A local socket is for its owner and group: 0660. */
	LOCAL_MASK = 0117,
};

struct listener {
	struct clients *clients;
	evhtp_t *htp;
	char *name;
	char *listen; /* as the configuration spells it */
	struct event *retry;
	bool is_admin;
	bool is_stopped;
	bool is_left; /* for good: another process accepts */

	char *path; /* of a local socket that is ours to remove; NULL: none */
	dev_t device;
	ino_t inode;
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
	if (listener->is_left || !listener->is_stopped || !clients_may_add(listener->clients))
		return;
	listener->is_stopped = false;
	evtimer_del(listener->retry);
	evconnlistener_enable(listener->htp->server);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct listener *listener = arg;

	listener_resume(listener);
	if (listener->is_stopped && !listener->is_left)
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
	clients_add(listener->clients, owned, (struct sockaddr *)&peer,
		&(struct clients_way){
			.listen = listener->listen,
			.is_tls = listener_is_tls(listener),
			.is_admin = listener->is_admin,
		});
	if (!clients_may_add(listener->clients) && !listener->is_left) {
		LOG(WARN, "accepting no more connections: max_connections",
			LOG_TEXT("listener", listener->name));
		stop(listener);
	}
	return EVHTP_RES_ERROR;
}

/* Closes without touching errno. */
static void close_quietly(int fd)
{
	int error = errno;

	close(fd);
	errno = error;
}

static bool set_options(int fd, int family)
{
	const int one = 1;

	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return false;
	return family != AF_INET6 ||
	       setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) == 0;
}

/* A file that an ended program left behind is removed. false: somebody listens there, or it is
 * something else; errno stays. */
static bool remove_stale(const struct address *address)
{
	const struct sockaddr_un *local = (const void *)&address->storage;
	int error = errno;
	struct stat file;
	bool is_stale = false;
	int fd;

	if (error != EADDRINUSE || lstat(local->sun_path, &file) < 0 || !S_ISSOCK(file.st_mode))
		goto out;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		goto out;
	is_stale = connect(fd, (const struct sockaddr *)local, sizeof(*local)) < 0 &&
		   errno == ECONNREFUSED && unlink(local->sun_path) == 0;
	close(fd);
out:
	errno = error;
	return is_stale;
}

/* The mode is set by the mask: there is no moment in which others may connect. */
static bool bind_local(int fd, const struct address *address)
{
	const struct sockaddr *local = (const struct sockaddr *)&address->storage;
	mode_t before = umask(LOCAL_MASK);
	bool is_bound = bind(fd, local, address->length) == 0;

	if (!is_bound && remove_stale(address))
		is_bound = bind(fd, local, address->length) == 0;
	umask(before);
	return is_bound;
}

/* A non-blocking socket with its address; -1: errno says why. */
static int open_socket(const struct address *address)
{
	int family = address->storage.ss_family;
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool is_bound;

	if (fd < 0)
		return -1;
	if (family == AF_UNIX)
		is_bound = bind_local(fd, address);
	else
		is_bound =
			set_options(fd, family) &&
			bind(fd, (const struct sockaddr *)&address->storage, address->length) == 0;
	if (is_bound)
		return fd;
	close_quietly(fd);
	return -1;
}

static char *name_of(const struct sockaddr *address)
{
	char text[ADDRESS_TEXT_BYTES];

	if (address->sa_family == AF_UNIX)
		return mem_printf(
			"unix:%s", ((const struct sockaddr_un *)(const void *)address)->sun_path);
	address_print(address, text);
	return mem_strdup(text);
}

/* Remembers which file it is, so that a successor's is not removed. */
static void note_file(struct listener *listener, const struct sockaddr *address)
{
	const struct sockaddr_un *local = (const void *)address;
	struct stat file;

	if (address->sa_family != AF_UNIX || lstat(local->sun_path, &file) < 0)
		return;
	listener->path = mem_strdup(local->sun_path);
	listener->device = file.st_dev;
	listener->inode = file.st_ino;
}

static void remove_file(const struct listener *listener)
{
	struct stat file;

	if (listener->path && lstat(listener->path, &file) == 0 &&
		file.st_dev == listener->device && file.st_ino == listener->inode)
		unlink(listener->path);
}

/* Takes `fd` over. NULL: errno says why. */
static struct listener *listen_on(struct event_base *base, struct clients *clients, int fd)
{
	struct listener *listener = mem_zalloc(sizeof(*listener));
	/* A byte more than the kernel writes: a local path need not end in a NUL. */
	union {
		struct sockaddr_storage storage;
		char bytes[sizeof(struct sockaddr_storage) + 1];
	} bound = {0};
	socklen_t length = sizeof(bound.storage);
	const int one = 1;

	listener->clients = clients;
	listener->htp = evhtp_new(base, listener);
	if (getsockname(fd, (struct sockaddr *)&bound.storage, &length) < 0)
		goto fail;
	/* Accepted sockets inherit it. libevhtp's flag counts only for sockets that it binds
	   itself. */
	if (bound.storage.ss_family != AF_UNIX &&
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
		goto fail;
	evhtp_set_pre_accept_cb(listener->htp, on_pre_accept, listener);
	evhtp_set_post_accept_cb(listener->htp, on_post_accept, listener);
	if (evhtp_accept_socket(listener->htp, fd, BACKLOG) < 0)
		goto fail;
	evconnlistener_set_error_cb(listener->htp->server, on_accept_error);
	listener->retry = evtimer_new(base, on_retry, listener);
	listener->name = name_of((struct sockaddr *)&bound.storage);
	return listener;
fail:
	close_quietly(fd);
	evhtp_free(listener->htp);
	free(listener);
	return NULL;
}

/* Names the flag and, for a port that is taken, who holds it. A new string. */
static char *explain(const char *name, bool is_admin, int error)
{
	char *holder = NULL;
	char *text;

	if (error == EADDRINUSE && strncmp(name, "unix:", strlen("unix:")) != 0)
		holder = holder_of_port((uint16_t)strtoul(strrchr(name, ':') + 1, NULL, 10));
	text = mem_printf("cannot listen on %s: %s%s%s; choose another address with --%slisten",
		name, strerror(error), holder ? ", held by " : "", holder ? holder : "",
		is_admin ? "admin-" : "");
	free(holder);
	return text;
}

struct listener *listener_create(struct event_base *base, struct clients *clients,
	const struct address *address, const char *listen, bool is_admin, char **ret_error)
{
	int fd = open_socket(address);
	struct listener *listener = fd < 0 ? NULL : listen_on(base, clients, fd);
	int error = errno;
	char *name;

	if (listener) {
		listener->listen = mem_strdup(listen);
		listener->is_admin = is_admin;
		note_file(listener, (const struct sockaddr *)&address->storage);
		return listener;
	}
	name = name_of((const struct sockaddr *)&address->storage);
	*ret_error = explain(name, is_admin, error);
	free(name);
	errno = error;
	return NULL;
}

struct listener *listener_adopt(
	struct event_base *base, struct clients *clients, int fd, bool is_tls, char **ret_error)
{
	struct listener *listener = NULL;

	if (evutil_make_socket_nonblocking(fd) == 0)
		listener = listen_on(base, clients, fd);
	else
		close_quietly(fd);
	if (listener)
		listener->listen = mem_printf("%s%s", is_tls ? "https://" : "", listener->name);
	else
		*ret_error = mem_printf(
			"cannot listen on the passed descriptor %d: %s", fd, strerror(errno));
	return listener;
}

struct listener *listener_take_over(struct event_base *base, struct clients *clients, int fd,
	const char *listen, bool is_admin, char **ret_error)
{
	struct sockaddr_storage bound = {0};
	socklen_t length = sizeof(bound);
	struct listener *listener = listener_adopt(base, clients, fd, false, ret_error);

	if (!listener)
		return NULL;
	free(listener->listen);
	listener->listen = mem_strdup(listen);
	listener->is_admin = is_admin;
	if (getsockname(fd, (struct sockaddr *)&bound, &length) == 0)
		note_file(listener, (const struct sockaddr *)&bound);
	return listener;
}

void listener_leave(struct listener *listener)
{
	listener->is_left = true;
	evtimer_del(listener->retry);
	/* Not closed yet: the changelist takes it out of epoll in the next turn, and of a
	   descriptor that another process has too nothing else would. */
	evconnlistener_disable(listener->htp->server);
	free(listener->path);
	listener->path = NULL;
}

int listener_fd(const struct listener *listener)
{
	return evconnlistener_get_fd(listener->htp->server);
}

const char *listener_listen(const struct listener *listener)
{
	return listener->listen;
}

bool listener_is_admin(const struct listener *listener)
{
	return listener->is_admin;
}

void listener_set_tls(struct listener *listener, struct ssl_ctx_st *context)
{
	listener->htp->ssl_ctx = context;
	/* An OpenSSL bufferevent would call back from inside evbuffer_add (FACTS A4). */
	evhtp_set_bev_flags(listener->htp, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
}

bool listener_is_tls(const struct listener *listener)
{
	return listener->htp->ssl_ctx != NULL;
}

void listener_destroy(struct listener *listener)
{
	if (!listener)
		return;
	evtimer_del(listener->retry);
	event_free(listener->retry);
	remove_file(listener);
	evhtp_unbind_socket(listener->htp);
	/* It would free what is only borrowed. */
	listener->htp->ssl_ctx = NULL;
	evhtp_free(listener->htp);
	free(listener->path);
	free(listener->listen);
	free(listener->name);
	free(listener);
}

const char *listener_name(const struct listener *listener)
{
	return listener->name;
}
