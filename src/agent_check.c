#include "agent_check.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "base/list.h"
#include "base/log.h"
#include "base/memory.h"
#include "io/address.h"

enum {
	/* Also the most addresses that one name may stand for. */
	LISTENERS_MOST = 16,
	/* One for each HAProxy that asks; more are closed at once. */
	CALLS_MOST = 64,
	/* HAProxy's own time for a check is far shorter. */
	CALL_SECONDS = 5,
};

struct agent_check {
	struct evconnlistener *listeners[LISTENERS_MOST];
	char *names[LISTENERS_MOST];
	size_t count;
	struct list calls;
	size_t calls_count;
	struct agent_state (*ask)(void *arg);
	void *arg;
};

/* A connection that was told its line and has not gone yet. */
struct call {
	struct list node;
	struct agent_check *agent;
	struct bufferevent *connection;
};

/*
 * All or next to nothing: with a consistent hash each step of a weight moves whole models to other
 * boxes, where they are loaded, while this one has places left. Never "drain" or "ready": the one
 * outlives a restart, the other takes away what an operator of HAProxy said. A full box keeps 1 %,
 * so that where all are full its own answer, with Retry-After, is the answer.
 */
const char *agent_check_line(const struct agent_state *state)
{
	if (state->is_draining || state->is_paused)
		return "up 0%\n";
	if (state->is_upstream_down)
		/* Without the blank HAProxy takes it all for a word that it does not know. */
		return "down #Ollama cannot be reached\n";
	return (int64_t)state->queued >= state->max_queue_size ? "up 1%\n" : "up 100%\n";
}

static void end(struct call *call)
{
	list_remove(&call->node);
	call->agent->calls_count--;
	bufferevent_free(call->connection);
	free(call);
}

/* What the caller says (agent-send) is of no interest, but unread it would turn the end into a
 * reset. */
static void on_read(struct bufferevent *connection, void *arg)
{
	struct evbuffer *input = bufferevent_get_input(connection);

	evbuffer_drain(input, evbuffer_get_length(input));
}

static void on_written(struct bufferevent *connection, void *arg)
{
	shutdown(bufferevent_getfd(connection), SHUT_WR);
}

static void on_event(struct bufferevent *connection, short what, void *arg)
{
	end(arg);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *peer,
	int length, void *arg)
{
	static const struct timeval patience = {.tv_sec = CALL_SECONDS};
	struct agent_check *agent = arg;
	struct agent_state state = agent->ask(agent->arg);
	const char *line = agent_check_line(&state);
	struct call *call;

	if (agent->calls_count == CALLS_MOST) {
		evutil_closesocket(fd);
		return;
	}
	call = mem_zalloc(sizeof(*call));
	call->agent = agent;
	call->connection = bufferevent_socket_new(
		evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
	list_append(&agent->calls, &call->node);
	agent->calls_count++;
	bufferevent_setcb(call->connection, on_read, on_written, on_event, call);
	bufferevent_set_timeouts(call->connection, &patience, &patience);
	bufferevent_write(call->connection, line, strlen(line));
	bufferevent_enable(call->connection, EV_READ | EV_WRITE);
}

static bool listen_at(struct agent_check *agent, struct event_base *base,
	const struct address *address, char **ret_error)
{
	const struct sockaddr *wanted = (const struct sockaddr *)&address->storage;
	/* The port is shared: at an upgrade the new process listens before the old one stops. */
	unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE |
			 LEV_OPT_REUSEABLE_PORT;
	struct sockaddr_storage bound = {0};
	socklen_t length = sizeof(bound);
	char text[ADDRESS_TEXT_BYTES];
	struct evconnlistener *listener;

	if (wanted->sa_family == AF_INET6)
		flags |= LEV_OPT_BIND_IPV6ONLY;
	listener = evconnlistener_new_bind(
		base, on_accept, agent, flags, CALLS_MOST, wanted, (int)address->length);
	if (!listener || getsockname(evconnlistener_get_fd(listener), (struct sockaddr *)&bound,
				 &length) < 0) {
		address_print(wanted, text);
		*ret_error = mem_printf("cannot listen on %s: %s; choose another address with "
					"--agent-listen",
			text, strerror(errno));
		if (listener)
			evconnlistener_free(listener);
		return false;
	}
	address_print((const struct sockaddr *)&bound, text);
	agent->listeners[agent->count] = listener;
	agent->names[agent->count++] = mem_strdup(text);
	return true;
}

/* A machine without IPv6 has localhost and * all the same, if their IPv4 half works. */
static bool may_be_left_out(const struct address *address, size_t index, int error)
{
	return index > 0 && address->storage.ss_family == AF_INET6 &&
	       (error == EAFNOSUPPORT || error == EADDRNOTAVAIL);
}

static bool listen_on(
	struct agent_check *agent, struct event_base *base, const char *text, char **ret_error)
{
	struct address addresses[LISTENERS_MOST];
	const char *wrong = "HAProxy asks by TCP";
	size_t count = 0;

	if (strncmp(text, "unix:", strlen("unix:")) != 0)
		count = address_parse_listen(text, addresses, LISTENERS_MOST, &wrong);
	if (count == 0) {
		*ret_error = mem_printf("--agent-listen %s: %s", text, wrong);
		return false;
	}
	for (size_t i = 0; i < count && agent->count < LISTENERS_MOST; i++) {
		errno = 0;
		if (listen_at(agent, base, &addresses[i], ret_error))
			continue;
		if (!may_be_left_out(&addresses[i], i, errno))
			return false;
		free(*ret_error);
		*ret_error = NULL;
	}
	return true;
}

struct agent_check *agent_check_create(struct event_base *base, char *const *addresses,
	struct agent_state (*ask)(void *arg), void *arg, char **ret_error)
{
	struct agent_check *agent = mem_zalloc(sizeof(*agent));

	list_init(&agent->calls);
	agent->ask = ask;
	agent->arg = arg;
	for (; *addresses; addresses++) {
		if (!listen_on(agent, base, *addresses, ret_error)) {
			agent_check_destroy(agent);
			return NULL;
		}
	}
	return agent;
}

void agent_check_leave(struct agent_check *agent)
{
	for (size_t i = 0; i < agent->count; i++) {
		evconnlistener_free(agent->listeners[i]);
		free(agent->names[i]);
	}
	agent->count = 0;
}

void agent_check_destroy(struct agent_check *agent)
{
	struct list *node;
	struct list *following;

	if (!agent)
		return;
	LIST_EACH_SAFE(&agent->calls, node, following)
	end(CONTAINER_OF(node, struct call, node));
	agent_check_leave(agent);
	free(agent);
}

size_t agent_check_count(const struct agent_check *agent)
{
	return agent->count;
}

const char *agent_check_name(const struct agent_check *agent, size_t index)
{
	return agent->names[index];
}
