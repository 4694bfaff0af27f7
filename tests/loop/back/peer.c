#include "peer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>

#include "base/list.h"
#include "base/memory.h"

enum { RECEIVED_MOST = 1024 * 1024, CHUNK_BYTES = 32 * 1024, AT_ONCE_BYTES = 1024 * 1024 };

struct connection {
	struct list in_all;
	struct peer *peer;
	struct bufferevent *bev;
	const struct peer_step *script;
	const struct peer_step *step;
	uint64_t left; /* of a step that takes or sends many bytes */
	bool is_begun; /* `left` is set */
	bool may_go;
};

struct peer {
	struct event_base *base;
	struct evconnlistener *listener;
	const struct peer_step *const *scripts;
	struct list connections;
	char received[RECEIVED_MOST + 1];
	uint64_t received_bytes;
	size_t accepted;
	size_t closed;
	size_t steps;
};

static void close_connection(struct connection *connection)
{
	int fd = bufferevent_getfd(connection->bev);

	list_remove(&connection->in_all);
	/* Now, not when the loop comes to it. */
	bufferevent_setfd(connection->bev, -1);
	close(fd);
	bufferevent_free(connection->bev);
	free(connection);
}

static void reset_connection(struct connection *connection)
{
	const struct linger now = {.l_onoff = 1};

	setsockopt(bufferevent_getfd(connection->bev), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close_connection(connection);
}

static bool await_text(struct connection *connection, const char *text)
{
	struct evbuffer *input = bufferevent_get_input(connection->bev);
	struct evbuffer_ptr at = evbuffer_search(input, text, strlen(text), NULL);

	if (at.pos < 0)
		return false;
	evbuffer_drain(input, (size_t)at.pos + strlen(text));
	return true;
}

static bool await_bytes(struct connection *connection)
{
	struct evbuffer *input = bufferevent_get_input(connection->bev);
	size_t length = evbuffer_get_length(input);

	if (length > connection->left)
		length = (size_t)connection->left;
	evbuffer_drain(input, length);
	connection->left -= length;
	return connection->left == 0;
}

/* As much as fits; the write callback goes on. */
static bool send_many(struct connection *connection, bool is_chunked)
{
	static char fill[CHUNK_BYTES];
	struct evbuffer *output = bufferevent_get_output(connection->bev);

	memset(fill, 'x', sizeof(fill));
	while (connection->left > 0 && evbuffer_get_length(output) < AT_ONCE_BYTES) {
		size_t length =
			connection->left < sizeof(fill) ? (size_t)connection->left : sizeof(fill);

		if (is_chunked)
			evbuffer_add_printf(output, "%zx\r\n", length);
		evbuffer_add(output, fill, length);
		if (is_chunked)
			evbuffer_add(output, "\r\n", 2);
		connection->left -= length;
	}
	return connection->left == 0;
}

static void send_text(struct connection *connection, const struct peer_step *step)
{
	evbuffer_add(bufferevent_get_output(connection->bev), step->text,
		step->bytes ? (size_t)step->bytes : strlen(step->text));
}

static bool is_all_sent(const struct connection *connection)
{
	return evbuffer_get_length(bufferevent_get_output(connection->bev)) == 0;
}

enum played { WAITING, PLAYED, ENDED };

static enum played play_step(struct connection *connection, const struct peer_step *step)
{
	if (!connection->is_begun)
		connection->left = step->bytes;
	connection->is_begun = true;
	switch (step->kind) {
	case PEER_END:
		return WAITING;
	case PEER_AWAIT:
		return await_text(connection, step->text) ? PLAYED : WAITING;
	case PEER_AWAIT_BYTES:
		return await_bytes(connection) ? PLAYED : WAITING;
	case PEER_AWAIT_GO:
		return connection->may_go ? PLAYED : WAITING;
	case PEER_SEND:
		send_text(connection, step);
		return PLAYED;
	case PEER_SEND_FILL:
	case PEER_SEND_CHUNKS:
		return send_many(connection, step->kind == PEER_SEND_CHUNKS) ? PLAYED : WAITING;
	case PEER_STOP_READING:
		bufferevent_disable(connection->bev, EV_READ);
		return PLAYED;
	case PEER_READ_ON:
		bufferevent_enable(connection->bev, EV_READ);
		return PLAYED;
	case PEER_CLOSE:
		if (!is_all_sent(connection))
			return WAITING;
		connection->peer->steps++;
		close_connection(connection);
		return ENDED;
	case PEER_RESET:
		if (!is_all_sent(connection))
			return WAITING;
		connection->peer->steps++;
		reset_connection(connection);
		return ENDED;
	case PEER_AGAIN:
		connection->step = connection->script - 1;
		return PLAYED;
	}
	abort();
}

static void play(struct connection *connection)
{
	for (;;) {
		const struct peer_step *step = connection->step;
		enum played played = play_step(connection, step);

		if (played != PLAYED)
			return;
		if (step->kind == PEER_AWAIT_GO)
			connection->may_go = false;
		connection->is_begun = false;
		connection->step++;
		connection->peer->steps++;
	}
}

static void note_received(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
	struct connection *connection = arg;
	struct peer *peer = connection->peer;
	struct evbuffer_ptr at;
	size_t length = info->n_added;

	if (length == 0)
		return;
	if (peer->received_bytes < RECEIVED_MOST) {
		if (length > RECEIVED_MOST - peer->received_bytes)
			length = (size_t)(RECEIVED_MOST - peer->received_bytes);
		evbuffer_ptr_set(
			buffer, &at, evbuffer_get_length(buffer) - info->n_added, EVBUFFER_PTR_SET);
		evbuffer_copyout_from(buffer, &at, peer->received + peer->received_bytes, length);
	}
	peer->received_bytes += info->n_added;
}

static void on_io(struct bufferevent *bev, void *arg)
{
	play(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct connection *connection = arg;

	connection->peer->closed++;
	close_connection(connection);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
	int length, void *arg)
{
	struct peer *peer = arg;
	struct connection *connection = mem_zalloc(sizeof(*connection));

	connection->peer = peer;
	connection->bev = bufferevent_socket_new(peer->base, fd, BEV_OPT_CLOSE_ON_FREE);
	connection->script = connection->step = *peer->scripts;
	if (peer->scripts[1])
		peer->scripts++;
	peer->accepted++;
	list_append(&peer->connections, &connection->in_all);
	evbuffer_add_cb(bufferevent_get_input(connection->bev), note_received, connection);
	bufferevent_setcb(connection->bev, on_io, on_io, on_event, connection);
	bufferevent_set_max_single_write(connection->bev, AT_ONCE_BYTES);
	bufferevent_enable(connection->bev, EV_READ | EV_WRITE);
	play(connection);
}

struct peer *peer_create(struct event_base *base, const char *host, uint16_t port,
	const struct peer_step *const *scripts)
{
	struct peer *peer = mem_zalloc(sizeof(*peer));
	struct sockaddr_storage address = {0};
	int length = sizeof(address);
	char *text = mem_printf(strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, (unsigned)port);

	list_init(&peer->connections);
	peer->base = base;
	peer->scripts = scripts;
	/* libevent parses a port of 0 as an error. */
	if (port == 0)
		*strrchr(text, ':') = '\0';
	if (evutil_parse_sockaddr_port(text, (struct sockaddr *)&address, &length) != 0)
		abort();
	free(text);
	peer->listener = evconnlistener_new_bind(base, on_accept, peer,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, -1, (struct sockaddr *)&address, length);
	if (!peer->listener)
		abort();
	return peer;
}

void peer_destroy(struct peer *peer)
{
	struct list *node;
	struct list *following;

	if (!peer)
		return;
	LIST_EACH_SAFE(&peer->connections, node, following)
	close_connection(CONTAINER_OF(node, struct connection, in_all));
	evconnlistener_free(peer->listener);
	free(peer);
}

uint16_t peer_port(const struct peer *peer)
{
	struct sockaddr_storage address;
	socklen_t length = sizeof(address);

	if (getsockname(evconnlistener_get_fd(peer->listener), (struct sockaddr *)&address,
		    &length) != 0)
		abort();
	if (address.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
	return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

void peer_go(struct peer *peer)
{
	struct list *node;
	struct list *following;

	LIST_EACH_SAFE(&peer->connections, node, following)
	{
		struct connection *connection = CONTAINER_OF(node, struct connection, in_all);

		if (connection->step->kind != PEER_AWAIT_GO)
			continue;
		connection->may_go = true;
		play(connection);
	}
}

size_t peer_accepted(const struct peer *peer)
{
	return peer->accepted;
}

size_t peer_closed(const struct peer *peer)
{
	return peer->closed;
}

const char *peer_received(const struct peer *peer)
{
	return peer->received;
}

uint64_t peer_received_bytes(const struct peer *peer)
{
	return peer->received_bytes;
}

size_t peer_steps(const struct peer *peer)
{
	return peer->steps;
}
