#include "back/exchange.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

#include "back/answer.h"
#include "back/outgoing.h"
#include "back/pool.h"
#include "back/witness.h"
#include "base/graveyard.h"
#include "base/memory.h"
#include "base/ticker.h"

enum {
	/* An answer that comes while the request is still being sent waits inside evhttp; a peer
	 * must not fill our memory with it. */
	EARLY_ANSWER_BYTES = 1024 * 1024,
	/* evhttp holds a chunk until it is whole, whatever size it announces. The longest that
	 * Ollama sends is an answer of embeddings, which comes in one. */
	CHUNK_BYTES_MOST = 256 * 1024 * 1024,
	/* What a socket's buffer takes; a longer body is better written between other work. */
	AT_ONCE_BYTES = 64 * 1024,
};

struct exchange {
	struct pool *pool;
	struct connection *connection;	/* NULL: none now */
	struct evhttp_request *request; /* evhttp's; NULL: it has reported its end */
	struct exchange_events events;	/* zeroed once it is over */
	void *arg;

	struct outgoing outgoing; /* kept for the next address */
	struct witness witness;

	size_t address;	       /* the one that is tried or connected */
	size_t addresses_left; /* to try after it */
	int64_t last_activity_us;
	enum evhttp_request_error error;
	bool is_until_close;   /* the answer has no other end */
	bool keeps_connection; /* by the answer's head it may be used again */
	bool is_reused;
	bool is_use;	  /* the pool counts it */
	bool is_starting; /* evhttp may report a failure from inside its own call */
	bool is_connected;
	bool is_sent; /* the request, all of it */
	bool has_heard;
	bool has_head;
	bool is_malformed;
	bool is_paused;
	bool is_over; /* on_end was called or it was cancelled: it waits for its end */
};

const char *exchange_end_name(enum exchange_end end)
{
	static const char *const names[] = {
#define X(symbol, name) name,
		EXCHANGE_ENDS(X)
#undef X
	};

	return names[end];
}

bool exchange_can_send(const char *method)
{
	return outgoing_can_send(method);
}

static struct bufferevent *bufferevent_of(const struct exchange *exchange)
{
	return evhttp_connection_get_bufferevent(connection_evcon(exchange->connection));
}

static void drop_connection(struct exchange *exchange)
{
	if (exchange->connection)
		pool_discard(exchange->connection);
	exchange->connection = NULL;
}

static void destroy(void *object)
{
	struct exchange *exchange = object;

	/* Nothing of evhttp is on the stack in the turn's tail. */
	if (exchange->request)
		evhttp_cancel_request(exchange->request);
	drop_connection(exchange);
	outgoing_finish(&exchange->outgoing);
	witness_finish(&exchange->witness);
	free(exchange);
}

static void bury(struct exchange *exchange)
{
	if (exchange->is_use)
		pool_note_use(exchange->pool, -1, ticker_now_us());
	exchange->is_over = true;
	exchange->events = (struct exchange_events){0};
	graveyard_add(pool_graveyard(exchange->pool), exchange, destroy);
}

static void end(struct exchange *exchange, enum exchange_end how)
{
	struct exchange_events events = exchange->events;

	drop_connection(exchange);
	bury(exchange);
	if (events.on_end)
		events.on_end(exchange->arg, how);
}

/* ---- the answer ---- */

/* 0: go on, -1: evhttp ends the request with an error (its way to stop here). */
static int take_head(struct exchange *exchange, struct evhttp_request *request)
{
	struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
	const struct response_head *read = &exchange->witness.head;
	struct exchange_head head = {
		.status = read->status,
		.reason = read->reason,
		.fields = &read->fields,
		.framing = read->framing,
	};

	if (exchange->witness.is_wrong || !exchange->witness.has_head ||
		!answer_agrees(request, read)) {
		exchange->is_malformed = true;
		return -1;
	}
	exchange->has_head = true;
	exchange->is_until_close = head.framing.kind == FRAMING_UNTIL_CLOSE;
	exchange->keeps_connection = read->keep_alive && !exchange->is_until_close;
	if (exchange->events.on_head)
		exchange->events.on_head(exchange->arg, &head);
	witness_forget_head(&exchange->witness);
	if (exchange->is_over)
		return -1;
	/* With `Connection: keep-alive` and no length evhttp would take the body for empty. */
	while (evhttp_remove_header(headers, "Connection") == 0)
		;
	return 0;
}

static int on_header(struct evhttp_request *request, void *arg)
{
	struct exchange *exchange = arg;
	int result;

	if (exchange->is_over)
		return -1;
	result = take_head(exchange, request);
	/* evhttp switches reading on until here. */
	if (result == 0 && exchange->is_paused)
		bufferevent_disable(bufferevent_of(exchange), EV_READ);
	return result;
}

static void on_chunk(struct evhttp_request *request, void *arg)
{
	struct exchange *exchange = arg;

	/* What came in one read with something wrong is not passed on as sound. */
	if (exchange->events.on_data && !exchange->witness.is_wrong)
		exchange->events.on_data(exchange->arg, evhttp_request_get_input_buffer(request));
}

/* ---- the request ---- */

/* Nothing may be ended in here: evhttp sees an EOF next. */
static void stop_hearing(struct exchange *exchange)
{
	shutdown(bufferevent_getfd(bufferevent_of(exchange)), SHUT_RD);
}

static void on_output(void *arg, size_t added, size_t removed, size_t left)
{
	struct exchange *exchange = arg;

	if (removed > 0)
		exchange->last_activity_us = ticker_now_us();
	if (added > 0 && !exchange->is_connected) {
		/* evhttp writes the head as soon as the connection stands. */
		exchange->is_connected = true;
		exchange->last_activity_us = ticker_now_us();
		pool_note_connected(exchange->pool, exchange->address);
		if (exchange->events.on_connected)
			exchange->events.on_connected(exchange->arg);
	}
	if (removed > 0 && left == 0 && !exchange->is_sent) {
		/* All is sent, or could not be. With READ_ON_WRITE_ERROR still on, evhttp would not
		 * report an EOF in the middle of a chunk. */
		exchange->is_sent = true;
		evhttp_connection_set_flags(connection_evcon(exchange->connection), 0);
		if (exchange->witness.is_wrong)
			stop_hearing(exchange);
	}
}

static void on_interim(void *arg, int status, const struct fields *fields)
{
	struct exchange *exchange = arg;

	if (exchange->events.on_interim)
		exchange->events.on_interim(exchange->arg, status, fields);
}

static const struct witness_events witness_events = {on_interim};
static const struct connection_watch watch;

/* Comes before evhttp looks at what was added. */
static void on_input(void *arg, size_t added, size_t held)
{
	struct exchange *exchange = arg;
	struct bufferevent *bev = bufferevent_of(exchange);

	exchange->last_activity_us = ticker_now_us();
	exchange->has_heard = true;
	connection_watch(exchange->connection, NULL, NULL);
	witness_see(&exchange->witness, bufferevent_get_input(bev), added);
	connection_watch(exchange->connection, &watch, exchange);
	/* evhttp ends the request next and goes on to watch for a close. */
	if (exchange->is_sent && !exchange->is_paused && witness_has_end(&exchange->witness))
		connection_hold(exchange->connection);
	if (exchange->witness.is_wrong && exchange->is_sent)
		stop_hearing(exchange);
	/* evhttp switches reading on again when the request is sent. */
	if (!exchange->is_sent && held > EARLY_ANSWER_BYTES)
		bufferevent_disable(bev, EV_READ);
	if (held > CHUNK_BYTES_MOST)
		stop_hearing(exchange);
}

static const struct connection_watch watch = {on_output, on_input};

static void on_error(enum evhttp_request_error error, void *arg)
{
	struct exchange *exchange = arg;

	exchange->error = error;
}

static void on_done(struct evhttp_request *request, void *arg);

static bool write_body(const struct exchange *exchange, struct evbuffer *out)
{
	const struct outgoing *outgoing = &exchange->outgoing;

	if (!outgoing->fill_body)
		return true;
	if (outgoing->fill_body(exchange->arg, out) &&
		evbuffer_get_length(out) == outgoing->body_bytes)
		return true;
	pool_note_local_failure(exchange->pool);
	return false;
}

/*
 * An idle connection takes a small request at once: that spares a turn of the loop and two changes
 * of what epoll watches. Whatever goes wrong is left to evhttp's own writing.
 */
static void write_at_once(struct exchange *exchange)
{
	struct bufferevent *bev = bufferevent_of(exchange);
	struct evbuffer *output = bufferevent_get_output(bev);

	if (pool_is_tls(exchange->pool) || evbuffer_get_length(output) > AT_ONCE_BYTES)
		return;
	evbuffer_unfreeze(output, 1);
	evbuffer_write(output, bufferevent_getfd(bev));
	evbuffer_freeze(output, 1);
	/* evhttp goes on to reading when it hears that all is written. */
	if (evbuffer_get_length(output) == 0)
		bufferevent_trigger(bev, EV_WRITE, 0);
}

/* false: this request cannot be made at all. true: look at exchange->request, which is NULL if the
 * connection failed at once. */
static bool send_on(struct exchange *exchange, struct connection *connection)
{
	struct evhttp_request *request = evhttp_request_new(on_done, exchange);
	struct evhttp_connection *evcon = connection_evcon(connection);

	exchange->connection = connection;
	connection_watch(connection, &watch, exchange);
	if (!request)
		return false;
	if (!outgoing_write_head(&exchange->outgoing, pool_host(exchange->pool),
		    evhttp_request_get_output_headers(request)) ||
		!write_body(exchange, evhttp_request_get_output_buffer(request))) {
		evhttp_request_free(request);
		return false;
	}
	evhttp_request_set_error_cb(request, on_error);
	evhttp_request_set_header_cb(request, on_header);
	evhttp_request_set_chunked_cb(request, on_chunk);
	/* An early answer to a big body is read although the rest cannot be sent. */
	evhttp_connection_set_flags(evcon, EVHTTP_CON_READ_ON_WRITE_ERROR);
	exchange->request = request;
	exchange->error = EVREQ_HTTP_EOF;
	if (evhttp_make_request(
		    evcon, request, exchange->outgoing.type, exchange->outgoing.target) != 0) {
		/* The event loop is out of memory; evhttp may or may not have freed the request, so
		 * it is left alone. */
		exchange->request = NULL;
		return false;
	}
	if (exchange->connection && !exchange->is_reused)
		pool_tune_socket(bufferevent_getfd(bufferevent_of(exchange)));
	return true;
}

/* Tries the addresses that are left. false: none is connecting. */
static bool connect_next(struct exchange *exchange)
{
	bool is_possible = true;

	exchange->is_starting = true;
	while (is_possible && !exchange->request && exchange->addresses_left > 0 &&
		pool_address_count(exchange->pool) > 0) {
		struct connection *connection;

		exchange->address++;
		exchange->addresses_left--;
		connection = pool_connect(exchange->pool, exchange->address);
		is_possible = connection && send_on(exchange, connection);
	}
	exchange->is_starting = false;
	if (exchange->request)
		return true;
	drop_connection(exchange);
	pool_note_refused(exchange->pool);
	return false;
}

static void complete(struct exchange *exchange)
{
	if (exchange->keeps_connection) {
		/* Before on_end: what it starts may use the connection. */
		pool_return(exchange->connection);
		exchange->connection = NULL;
	}
	end(exchange, EXCHANGE_COMPLETE);
}

static enum exchange_end failure_of(const struct exchange *exchange)
{
	if (exchange->has_head)
		return EXCHANGE_TRUNCATED;
	if (exchange->is_malformed || exchange->witness.is_wrong ||
		exchange->error == EVREQ_HTTP_INVALID_HEADER ||
		exchange->error == EVREQ_HTTP_DATA_TOO_LONG)
		return EXCHANGE_MALFORMED;
	return EXCHANGE_RESET;
}

/* NULL after an error; without a head when the connection was refused. */
static void on_done(struct evhttp_request *request, void *arg)
{
	struct exchange *exchange = arg;

	exchange->request = NULL;
	if (exchange->connection)
		connection_let_go(exchange->connection);
	if (exchange->is_over) {
		drop_connection(exchange);
	} else if (!exchange->is_connected) {
		drop_connection(exchange);
		if (!exchange->is_starting && !connect_next(exchange))
			end(exchange, EXCHANGE_REFUSED);
	} else if (!request || !witness_is_satisfied(&exchange->witness) ||
		   (exchange->is_until_close && connection_is_broken(exchange->connection))) {
		end(exchange, failure_of(exchange));
	} else {
		complete(exchange);
	}
}

/* ---- for the user ---- */

static bool begin(struct exchange *exchange, bool wants_fresh)
{
	struct connection *idle = wants_fresh ? NULL : pool_lease(exchange->pool);

	if (idle) {
		bool is_possible;

		exchange->is_reused = true;
		connection_hold(idle);
		is_possible = send_on(exchange, idle);
		if (is_possible)
			write_at_once(exchange);
		connection_let_go(idle);
		return is_possible;
	}
	exchange->addresses_left = pool_address_count(exchange->pool);
	/* connect_next() goes one on. */
	exchange->address = pool_first_address(exchange->pool) + exchange->addresses_left - 1;
	return connect_next(exchange);
}

struct exchange *exchange_start(struct pool *pool, const struct exchange_request *request,
	const struct exchange_events *events, void *arg)
{
	struct exchange *exchange = mem_zalloc(sizeof(*exchange));

	exchange->pool = pool;
	exchange->events = *events;
	exchange->arg = arg;
	witness_init(
		&exchange->witness, outgoing_method(request->method), &witness_events, exchange);
	exchange->last_activity_us = ticker_now_us();
	exchange->is_use = pool_is_use(request->method);
	if (exchange->is_use)
		pool_note_use(pool, 1, ticker_now_us());
	if (outgoing_init(&exchange->outgoing, request) && begin(exchange, request->wants_fresh))
		return exchange;
	bury(exchange);
	return NULL;
}

void exchange_cancel(struct exchange *exchange)
{
	if (!exchange->is_over)
		bury(exchange);
}

void exchange_pause(struct exchange *exchange)
{
	exchange->is_paused = true;
	if (exchange->connection)
		connection_let_go(exchange->connection);
	/* Before the head evhttp switches reading on itself; there is nothing to hold back yet. */
	if (exchange->has_head && exchange->request)
		bufferevent_disable(bufferevent_of(exchange), EV_READ);
}

void exchange_resume(struct exchange *exchange)
{
	exchange->is_paused = false;
	if (exchange->has_head && exchange->request)
		bufferevent_enable(bufferevent_of(exchange), EV_READ);
}

bool exchange_is_reused(const struct exchange *exchange)
{
	return exchange->is_reused;
}

bool exchange_has_heard(const struct exchange *exchange)
{
	return exchange->has_heard;
}

int64_t exchange_last_activity_us(const struct exchange *exchange)
{
	return exchange->last_activity_us;
}
