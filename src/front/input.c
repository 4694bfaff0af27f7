/*
 * The reading half of a client connection on plain TCP: a recv() into its input, where libevent's
 * own read asks the kernel first how much there is and never takes over 4 KiB. A TLS connection is
 * read by its bufferevent. Called by client.c; the event is the client's.
 */
#include "front/client_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/memory.h"

enum {
	/* What a request without a large body fits into. */
	READ_BYTES = 4 * 1024,
	/* Of a body there is more; another turn begins after it, so that no connection waits long.
	 * A chunk of libevent's with its own head has 64 KiB then. */
	READ_BODY_BYTES = 64 * 1024 - 64,
	/* What an event is told that does not come from the socket. */
	AGAIN = EV_TIMEOUT,
};

/* As recv(); without memory for what came, this connection fails and no other. By way of the stack,
 * since most heads are a few hundred bytes and space of the input would stay with the body that
 * came behind. Heads hold keys: nothing is left here. */
static ssize_t receive(const struct client *client, struct evbuffer *input)
{
	char bytes[READ_BYTES];
	ssize_t got = recv(client->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	size_t length;

	if (got <= 0)
		return got;
	length = (size_t)got;
	if (evbuffer_add(input, bytes, length) != 0) {
		errno = ENOMEM;
		got = -1;
	}
	explicit_bzero(bytes, length);
	return got;
}

/* As recv(). Into the input, without a copy; only as much space as is needed, or what a slow client
 * sends would take the most of it for as long as its body is kept. */
static ssize_t receive_body(const struct client *client, struct evbuffer *input)
{
	struct evbuffer_iovec space;
	int most = 0;
	ssize_t got;
	int error;

	if (ioctl(client->fd, FIONREAD, &most) != 0 || most <= READ_BYTES)
		return receive(client, input);
	if (most > READ_BODY_BYTES)
		most = READ_BODY_BYTES;
	if (evbuffer_reserve_space(input, most, &space, 1) != 1) {
		errno = ENOMEM;
		return -1;
	}
	got = recv(client->fd, space.iov_base, (size_t)most, MSG_DONTWAIT);
	error = errno;
	space.iov_len = got > 0 ? (size_t)got : 0;
	evbuffer_commit_space(input, &space, 1);
	errno = error;
	return got;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;
	bool is_in_body = client->state == CLIENT_BODY || client->state == CLIENT_LINGERING;
	ssize_t got;

	if (what == AGAIN) {
		client_process(client);
		return;
	}
	got = is_in_body ? receive_body(client, client->input) : receive(client, client->input);
	if (got > 0)
		client_process(client);
	/* A FIN before the answer counts as leaving: it cannot be told from a disconnect (Ollama
	 * does the same). */
	else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
		client_close(client, OUTCOME_CLIENT_GONE);
}

void client_input_start(struct client *client)
{
	if (client->is_tls) {
		bufferevent_enable(client->connection, EV_READ);
		return;
	}
	if (!client->readable) {
		client->readable = event_new(client->clients->base, client->fd,
			EV_READ | EV_PERSIST, on_readable, client);
		if (!client->readable)
			mem_out(sizeof(*client));
	}
	event_add(client->readable, NULL);
}

void client_input_stop(struct client *client)
{
	if (client->readable)
		event_del(client->readable);
	else
		bufferevent_disable(client->connection, EV_READ);
}

void client_input_again(struct client *client)
{
	if (client->is_tls)
		bufferevent_trigger(client->connection, EV_READ, BEV_OPT_DEFER_CALLBACKS);
	else
		event_active(client->readable, AGAIN, 0);
}

void client_input_finish(struct client *client)
{
	if (client->readable)
		event_free(client->readable);
	client->readable = NULL;
}
