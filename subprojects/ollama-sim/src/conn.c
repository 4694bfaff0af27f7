#include "conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "mischief.h"
#include "pace.h"
#include "reply.h"
#include "route.h"
#include "sim.h"

#define READ_BYTES 16384
#define BODY_READ_BYTES 65536
/* Reads of one connection in one turn, so that an upload does not starve the others. */
#define READS_A_TURN 16
/* Pipelined bytes that are taken in while a request is being answered. */
#define AHEAD_BYTES 65536
#define CLOGGED_BYTES (1U << 20)
/* What an idle connection keeps allocated. */
#define IDLE_BYTES 4096
/* Go reads so much of an unread body to keep the connection (maxPostHandlerReadBytes). */
#define DRAIN_MAX_BYTES (256U << 10)
/* Go's rstAvoidanceDelay. */
#define LINGER_MS 500

static void advance(struct conn *conn);

static void want_reads(struct conn *conn, bool wanted)
{
	if (wanted == conn->reads)
		return;
	conn->reads = wanted;
	if (wanted)
		event_add(&conn->readable, NULL);
	else
		event_del(&conn->readable);
}

void conn_start_timer(struct conn *conn, enum conn_timer use, int64_t ms)
{
	struct timeval wait = pace_timeval(ms * NS_PER_MS);

	conn->timer_use = use;
	if (use == TIMER_NONE)
		event_del(&conn->timer);
	else
		event_add(&conn->timer, &wait);
}

void conn_set_user(
	struct conn *conn, void (*on_gone)(void *), void (*on_drained)(void *), void *arg)
{
	conn->user = (struct conn_user){.on_gone = on_gone, .on_drained = on_drained, .arg = arg};
}

void conn_mark_dirty(struct conn *conn)
{
	server_mark_dirty(&conn->sim->server, conn);
}

bool conn_is_clogged(struct conn *conn)
{
	bool is_clogged = bytes_length(&conn->out) > CLOGGED_BYTES;

	conn->wants_drained |= is_clogged;
	return is_clogged;
}

/* The client left in the middle of something, and we did not throw it out. */
static void count_abort(struct conn *conn)
{
	if (conn->doom == DOOM_NONE && (conn->state == CONN_BUSY || conn->state == CONN_BODY))
		conn->sim->journal.clients_aborted++;
}

static void tell_gone(struct conn *conn)
{
	struct conn_user user = conn->user;

	conn->user = (struct conn_user){0};
	if (user.on_gone != NULL)
		user.on_gone(user.arg);
}

void conn_close(struct conn *conn)
{
	if (conn->state == CONN_CLOSED)
		return;
	count_abort(conn);
	/* First closed, then told: what is written from there must not start the next pipelined
	 * request. */
	conn->state = CONN_CLOSED;
	tell_gone(conn);
	event_del(&conn->readable);
	event_del(&conn->writable);
	event_del(&conn->timer);
	close(conn->fd);
	server_bury(&conn->sim->server, conn);
}

void conn_doom(struct conn *conn, enum conn_doom doom)
{
	conn->doom = doom;
	conn_mark_dirty(conn);
}

static void meet_doom(struct conn *conn)
{
	struct linger now = {.l_onoff = 1};

	if (conn->doom == DOOM_RESET)
		setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	conn_close(conn);
}

/* The answer that ends the connection is out. */
static void begin_linger(struct conn *conn)
{
	conn->state = CONN_LINGER;
	shutdown(conn->fd, SHUT_WR);
	bytes_clear(&conn->in);
	want_reads(conn, true);
	conn_start_timer(conn, TIMER_CLOSE, LINGER_MS);
}

static void after_flush(struct conn *conn)
{
	if (conn->doom != DOOM_NONE) {
		meet_doom(conn);
		return;
	}
	if (conn->state == CONN_FLUSH) {
		begin_linger(conn);
		return;
	}
	if (conn->state == CONN_HEAD)
		bytes_shrink(&conn->out, IDLE_BYTES);
	if (conn->wants_drained && conn->user.on_drained != NULL) {
		conn->wants_drained = false;
		conn->user.on_drained(conn->user.arg);
	}
}

static size_t sendable(const struct conn *conn)
{
	return conn->is_stalled ? conn->free_bytes : bytes_length(&conn->out);
}

void conn_flush(struct conn *conn)
{
	conn->is_dirty = false;
	if (conn->state == CONN_CLOSED)
		return;
	while (sendable(conn) > 0) {
		ssize_t sent = send(conn->fd, bytes_at(&conn->out), sendable(conn), MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN) {
			event_add(&conn->writable, NULL);
			return;
		}
		if (sent < 0) {
			conn_close(conn);
			return;
		}
		bytes_consume(&conn->out, (size_t)sent);
		if (conn->is_stalled)
			conn->free_bytes -= (size_t)sent;
	}
	if (!conn->is_stalled)
		after_flush(conn);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	conn_flush(arg);
}

static bool is_body_complete(const struct conn *conn)
{
	return conn->body.place == BODY_AT_END;
}

void conn_end_exchange(struct conn *conn)
{
	conn->user = (struct conn_user){0};
	if (conn->state == CONN_CLOSED)
		return;
	mischief_after_end(conn);
	conn_mark_dirty(conn);
	if (conn->reply.closes) {
		conn->state = CONN_FLUSH;
		want_reads(conn, false);
		return;
	}
	conn->state = is_body_complete(conn) ? CONN_HEAD : CONN_DRAIN;
	want_reads(conn, true);
	advance(conn);
}

/* Go's server closes when an answer leaves too much of the body unread; known before the head of
 * the answer is written. */
static bool closes_early(const struct conn *conn)
{
	if (is_body_complete(conn))
		return false;
	return conn->request.is_chunked || body_left(&conn->body) > DRAIN_MAX_BYTES ||
	       conn->request.expects_continue;
}

static void refuse(struct conn *conn, const char *text)
{
	conn->state = CONN_BUSY;
	conn->body.place = BODY_AT_END;
	reply_refusal(conn, text);
}

/* True: the head was enough for an answer. */
static bool is_answered_early(struct conn *conn)
{
	if (mischief_before_body(conn))
		return true;
	conn->reply.closes = conn->request.wants_close || closes_early(conn);
	if (conn->route->on_head != NULL && conn->route->on_head(conn))
		return true;
	conn->reply.closes = conn->request.wants_close;
	return false;
}

static void begin_body(struct conn *conn)
{
	conn->state = CONN_BODY;
	body_begin(&conn->body, &conn->request, conn->route->mode,
		(size_t)conn->sim->settings.body_max);
	if (!conn->request.is_chunked && conn->request.content_length <= 0)
		conn->body.place = BODY_AT_END;
	if (is_answered_early(conn)) {
		/* A fault may have spoilt the answer: then it ends with the turn, and reads no
		 * more. */
		if (conn->state == CONN_BODY)
			conn->state = CONN_BUSY;
		return;
	}
	if (conn->request.expects_continue && !is_body_complete(conn)) {
		bytes_adds(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
		conn_mark_dirty(conn);
	}
}

static void take_head(struct conn *conn, size_t length)
{
	head_clear(&conn->request);
	body_clear(&conn->body);
	conn->reply = (struct reply){0};
	conn->fault = (struct fault){0};
	conn->echoes_origin = false;
	const char *refusal = head_parse(&conn->request, bytes_at(&conn->in), length);
	conn->started = pace_now();
	if (refusal != NULL) {
		refuse(conn, refusal);
		return;
	}
	bytes_consume(&conn->in, length + 2); /* and the empty line */
	journal_note(&conn->sim->journal, &conn->request);
	conn->fault = faults_take(&conn->sim->faults, conn->request.path);
	conn->route = route_find(conn);
	begin_body(conn);
}

static bool advance_head(struct conn *conn)
{
	while (bytes_length(&conn->in) >= 2 && memcmp(bytes_at(&conn->in), "\r\n", 2) == 0)
		bytes_consume(&conn->in, 2);
	size_t from = conn->scanned > 3 ? conn->scanned - 3 : 0;
	size_t length = bytes_length(&conn->in);
	const char *end =
		length <= from ? NULL
			       : memmem(bytes_at(&conn->in) + from, length - from, "\r\n\r\n", 4);

	if (end == NULL) {
		conn->scanned = length;
		if (length > HEAD_MAX_BYTES)
			refuse(conn, "431 Request Header Fields Too Large");
		return false;
	}
	conn->scanned = 0;
	take_head(conn, (size_t)(end - bytes_at(&conn->in)) + 2);
	return true;
}

static bool advance_body(struct conn *conn)
{
	switch (body_feed(&conn->body, &conn->in)) {
	case BODY_MORE:
		return false;
	case BODY_MALFORMED:
		refuse(conn, "400 Bad Request");
		return true;
	case BODY_TOO_LARGE:
		refuse(conn, "413 Request Entity Too Large");
		return true;
	case BODY_DONE:
		break;
	}
	if (conn->state == CONN_DRAIN) {
		conn->state = CONN_HEAD;
		return true;
	}
	conn->state = CONN_BUSY;
	if (!mischief_before_answer(conn))
		conn->route->on_request(conn);
	return true;
}

/* As far as the bytes that are there allow. Answers may complete on the way, so it goes on in a
 * loop. */
static void advance(struct conn *conn)
{
	bool goes_on = !conn->is_advancing;

	if (!goes_on)
		return;
	conn->is_advancing = true;
	while (goes_on) {
		switch (conn->state) {
		case CONN_HEAD:
			goes_on = bytes_length(&conn->in) > 0 && advance_head(conn);
			break;
		case CONN_BODY:
		case CONN_DRAIN:
			goes_on = advance_body(conn);
			break;
		case CONN_BUSY:
		case CONN_FLUSH:
		case CONN_LINGER:
		case CONN_CLOSED:
			goes_on = false;
			break;
		}
	}
	conn->is_advancing = false;
	if (conn->state == CONN_HEAD)
		bytes_shrink(&conn->in, IDLE_BYTES);
}

/* The end of the client's sending, or an error of the socket. */
static void client_left(struct conn *conn)
{
	want_reads(conn, false);
	conn->is_stalled = false;
	if (conn->state == CONN_FLUSH)
		return; /* the answer goes out, then it closes */
	if (conn->state == CONN_BUSY && conn->user.on_gone != NULL) {
		count_abort(conn);
		conn->reply.closes = true; /* an answer that is ended now is the last one */
		tell_gone(conn);
		if (conn->state == CONN_BUSY && conn->doom == DOOM_NONE)
			conn_doom(conn, DOOM_CLOSE);
		return;
	}
	conn_close(conn);
}

static bool read_some(struct conn *conn)
{
	bool is_bulk = conn->state == CONN_BODY || conn->state == CONN_DRAIN;
	size_t room = is_bulk ? BODY_READ_BYTES : READ_BYTES;
	ssize_t got = recv(conn->fd, bytes_reserve(&conn->in, room), room, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got <= 0) {
		client_left(conn);
		return false;
	}
	conn->in.end += (size_t)got;
	if (conn->state == CONN_LINGER)
		bytes_clear(&conn->in);
	else
		advance(conn);
	if (conn->state == CONN_BUSY && bytes_length(&conn->in) >= AHEAD_BYTES)
		want_reads(conn, false);
	return conn->state != CONN_CLOSED && conn->reads && (size_t)got == room;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	for (int i = 0; i < READS_A_TURN && read_some(arg); i++)
		;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct conn *conn = arg;

	switch (conn->timer_use) {
	case TIMER_NONE:
		break;
	case TIMER_HANDLE:
		conn->route->on_request(conn);
		break;
	case TIMER_UNSTALL:
		conn->is_stalled = false;
		conn_mark_dirty(conn);
		break;
	case TIMER_CLOSE:
		conn_close(conn);
		break;
	}
}

struct conn *conn_create(struct sim *sim, int fd)
{
	struct conn *conn = mem_zalloc(sizeof(*conn));

	conn->sim = sim;
	conn->fd = fd;
	event_assign(&conn->readable, sim->loop, fd, EV_READ | EV_PERSIST, on_readable, conn);
	event_assign(&conn->writable, sim->loop, fd, EV_WRITE, on_writable, conn);
	event_assign(&conn->timer, sim->loop, -1, 0, on_timer, conn);
	want_reads(conn, true);
	return conn;
}

void conn_free(struct conn *conn)
{
	bytes_finish(&conn->in);
	bytes_finish(&conn->out);
	head_finish(&conn->request);
	body_finish(&conn->body);
	free(conn);
}
