#include "back/tunnel.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "back/pool.h"
#include "base/graveyard.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "http/chunked.h"
#include "http/fields.h"
#include "http/head.h"
#include "io/address.h"

enum {
	HEAD_BYTES_MOST = 64 * 1024,
	/* A socket event moves at most 16 KiB otherwise. */
	MOVED_AT_ONCE_BYTES = 256 * 1024,
	/* Of a chunk; the rest of a longer one comes as the next piece. */
	PIECE_BYTES_MOST = 256 * 1024,
	STATUS_SWITCHING = 101,
	STATUS_FINAL_FIRST = 200,
};

enum phase {
	PHASE_CONNECTING,
	PHASE_HEAD,
	PHASE_BODY,
};

struct tunnel {
	struct pool *pool;
	struct bufferevent *bev;     /* NULL: none now */
	struct tunnel_events events; /* zeroed once it is over */
	void *arg;
	enum phase phase;
	size_t address; /* the one that is tried or connected */
	size_t addresses_left;
	int64_t last_activity_us;

	/* the request */
	char *method;
	struct evbuffer *unsent; /* head and body until the connection stands */
	struct framing framing;
	uint64_t body_left; /* of a Content-Length */
	bool is_full;
	bool is_write_broken;

	/* the answer */
	size_t scanned;
	struct framing answer;
	uint64_t answer_left;
	struct chunked chunked;
	struct evbuffer *piece; /* for on_data */
	bool is_read_broken;	/* a read failed; the next one would only see an EOF */
	bool is_paused;

	bool is_over; /* on_end was called or it was cancelled: it waits for its end */
};

static void free_bufferevent(void *object)
{
	bufferevent_free(object);
}

static void close_connection(struct tunnel *tunnel)
{
	if (!tunnel->bev)
		return;
	bufferevent_disable(tunnel->bev, EV_READ | EV_WRITE);
	bufferevent_setcb(tunnel->bev, NULL, NULL, NULL, NULL);
	pool_count_open(tunnel->pool, -1);
	graveyard_add(pool_graveyard(tunnel->pool), tunnel->bev, free_bufferevent);
	tunnel->bev = NULL;
}

static void destroy(void *object)
{
	struct tunnel *tunnel = object;

	close_connection(tunnel);
	evbuffer_free(tunnel->unsent);
	evbuffer_free(tunnel->piece);
	free(tunnel->method);
	free(tunnel);
}

static void bury(struct tunnel *tunnel)
{
	if (pool_is_use(tunnel->method))
		pool_note_use(tunnel->pool, -1, ticker_now_us());
	tunnel->is_over = true;
	tunnel->events = (struct tunnel_events){0};
	graveyard_add(pool_graveyard(tunnel->pool), tunnel, destroy);
}

static void end(struct tunnel *tunnel, enum exchange_end how)
{
	struct tunnel_events events = tunnel->events;

	bury(tunnel);
	if (events.on_end)
		events.on_end(tunnel->arg, how);
}

/* ---- the answer ---- */

static void give(struct tunnel *tunnel)
{
	if (evbuffer_get_length(tunnel->piece) == 0)
		return;
	if (tunnel->events.on_data)
		tunnel->events.on_data(tunnel->arg, tunnel->piece);
	evbuffer_drain(tunnel->piece, evbuffer_get_length(tunnel->piece));
}

static void take_final_head(struct tunnel *tunnel, const struct response_head *head)
{
	const struct exchange_head told = {
		.status = head->status,
		.reason = head->reason,
		.fields = &head->fields,
		.framing = head->framing,
	};

	tunnel->phase = PHASE_BODY;
	tunnel->answer = head->framing;
	tunnel->answer_left = head->framing.length;
	if (tunnel->events.on_head)
		tunnel->events.on_head(tunnel->arg, &told);
}

static void take_head(struct tunnel *tunnel, const struct response_head *head)
{
	if (head->status >= STATUS_FINAL_FIRST)
		take_final_head(tunnel, head);
	else if (head->status == STATUS_SWITCHING)
		end(tunnel, EXCHANGE_MALFORMED);
	else if (tunnel->events.on_interim)
		tunnel->events.on_interim(tunnel->arg, head->status, &head->fields);
}

/* false: more has to come. */
static bool read_head(struct tunnel *tunnel, struct evbuffer *input)
{
	static const struct head_limits limits = {.head_bytes = HEAD_BYTES_MOST};
	struct response_head head = {0};

	switch (response_head_read(&head, input, &tunnel->scanned, &limits, tunnel->method)) {
	case HEAD_MORE:
		return false;
	case HEAD_READY:
		tunnel->scanned = 0;
		take_head(tunnel, &head);
		response_head_finish(&head);
		return true;
	case HEAD_WRONG:
		break;
	}
	response_head_finish(&head);
	end(tunnel, EXCHANGE_MALFORMED);
	return false;
}

static void move(struct tunnel *tunnel, struct evbuffer *input, size_t length)
{
	if (evbuffer_remove_buffer(input, tunnel->piece, length) != (int)length)
		mem_out(length);
	give(tunnel);
}

static void read_length(struct tunnel *tunnel, struct evbuffer *input)
{
	size_t length = evbuffer_get_length(input);

	if (length > tunnel->answer_left)
		length = (size_t)tunnel->answer_left;
	tunnel->answer_left -= length;
	move(tunnel, input, length);
	if (tunnel->answer_left == 0 && !tunnel->is_over)
		end(tunnel, EXCHANGE_COMPLETE);
}

static void on_chunk_end(void *arg)
{
	give(arg);
}

static void read_chunked(struct tunnel *tunnel, struct evbuffer *input)
{
	enum chunked_status status = CHUNKED_MORE;
	size_t before;

	do {
		before = evbuffer_get_length(input);
		status = chunked_decode(&tunnel->chunked, input, tunnel->piece, PIECE_BYTES_MOST,
			on_chunk_end, tunnel);
		if (evbuffer_get_length(tunnel->piece) >= PIECE_BYTES_MOST)
			give(tunnel);
	} while (status == CHUNKED_MORE && !tunnel->is_over && evbuffer_get_length(input) > 0 &&
		 evbuffer_get_length(input) < before);
	if (tunnel->is_over || status == CHUNKED_MORE)
		return;
	end(tunnel, status == CHUNKED_DONE ? EXCHANGE_COMPLETE : EXCHANGE_TRUNCATED);
}

static void read_body(struct tunnel *tunnel, struct evbuffer *input)
{
	switch (tunnel->answer.kind) {
	case FRAMING_NONE:
		end(tunnel, EXCHANGE_COMPLETE);
		break;
	case FRAMING_LENGTH:
		read_length(tunnel, input);
		break;
	case FRAMING_CHUNKED:
		read_chunked(tunnel, input);
		break;
	case FRAMING_UNTIL_CLOSE:
		move(tunnel, input, evbuffer_get_length(input));
		break;
	}
}

static void on_readable(struct bufferevent *bev, void *arg)
{
	struct tunnel *tunnel = arg;
	struct evbuffer *input = bufferevent_get_input(bev);

	if (!pool_is_tls(tunnel->pool) && evbuffer_get_length(input) >= POOL_FULL_READ_BYTES &&
		!pool_read_more(bufferevent_getfd(bev), input))
		tunnel->is_read_broken = true;
	while (tunnel->phase == PHASE_HEAD && !tunnel->is_over) {
		if (!read_head(tunnel, input))
			return;
	}
	if (tunnel->phase == PHASE_BODY && !tunnel->is_over)
		read_body(tunnel, input);
}

static void on_read_ended(struct tunnel *tunnel, bool is_clean)
{
	if (tunnel->phase != PHASE_BODY)
		end(tunnel, EXCHANGE_RESET);
	else if (tunnel->answer.kind == FRAMING_UNTIL_CLOSE && is_clean && !tunnel->is_read_broken)
		end(tunnel, EXCHANGE_COMPLETE);
	else
		end(tunnel, EXCHANGE_TRUNCATED);
}

/* ---- the request ---- */

static bool connect_next(struct tunnel *tunnel);

static void make_room(struct tunnel *tunnel)
{
	if (!tunnel->is_full)
		return;
	tunnel->is_full = false;
	if (tunnel->events.on_room)
		tunnel->events.on_room(tunnel->arg);
}

/* Called below the low mark. */
static void on_writable(struct bufferevent *bev, void *arg)
{
	struct tunnel *tunnel = arg;

	if (!tunnel->is_over && tunnel->phase != PHASE_CONNECTING)
		make_room(tunnel);
}

/* Ollama takes no more. Its answer may already be here, so it is read to the end. */
static void on_write_broken(struct tunnel *tunnel)
{
	struct evbuffer *output = bufferevent_get_output(tunnel->bev);

	tunnel->is_write_broken = true;
	evbuffer_unfreeze(output, 1);
	evbuffer_drain(output, evbuffer_get_length(output));
	evbuffer_freeze(output, 1);
	/* A TLS bufferevent stops reading at any failure. */
	if (!tunnel->is_paused)
		bufferevent_enable(tunnel->bev, EV_READ);
	make_room(tunnel);
}

static void on_connected(struct tunnel *tunnel)
{
	tunnel->phase = PHASE_HEAD;
	tunnel->last_activity_us = ticker_now_us();
	pool_note_connected(tunnel->pool, tunnel->address);
	if (evbuffer_add_buffer(bufferevent_get_output(tunnel->bev), tunnel->unsent) != 0)
		mem_out(evbuffer_get_length(tunnel->unsent));
	if (!tunnel->is_paused)
		bufferevent_enable(tunnel->bev, EV_READ);
	if (tunnel->events.on_connected)
		tunnel->events.on_connected(tunnel->arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct tunnel *tunnel = arg;

	if (tunnel->is_over)
		return;
	if (what & BEV_EVENT_CONNECTED) {
		on_connected(tunnel);
	} else if (tunnel->phase == PHASE_CONNECTING) {
		close_connection(tunnel);
		if (!connect_next(tunnel))
			end(tunnel, EXCHANGE_REFUSED);
	} else if (what & BEV_EVENT_WRITING) {
		on_write_broken(tunnel);
	} else {
		on_read_ended(tunnel, what & BEV_EVENT_EOF);
	}
}

static void on_output(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
	struct tunnel *tunnel = arg;

	if (info->n_deleted > 0)
		tunnel->last_activity_us = ticker_now_us();
}

static void on_input(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
	struct tunnel *tunnel = arg;

	if (info->n_added > 0)
		tunnel->last_activity_us = ticker_now_us();
}

static bool connect_to(struct tunnel *tunnel, const struct address *address)
{
	struct bufferevent *bev = pool_bufferevent(tunnel->pool);

	if (!bev)
		return false;
	bufferevent_setcb(bev, on_readable, on_writable, on_event, tunnel);
	bufferevent_setwatermark(bev, EV_WRITE, TUNNEL_LOW_BYTES, 0);
	bufferevent_set_max_single_read(bev, MOVED_AT_ONCE_BYTES);
	bufferevent_set_max_single_write(bev, MOVED_AT_ONCE_BYTES);
	if (!evbuffer_add_cb(bufferevent_get_output(bev), on_output, tunnel) ||
		!evbuffer_add_cb(bufferevent_get_input(bev), on_input, tunnel))
		mem_out(sizeof(*tunnel));
	if (bufferevent_socket_connect(
		    bev, (const struct sockaddr *)&address->storage, (int)address->length) != 0) {
		bufferevent_free(bev);
		return false;
	}
	pool_tune_socket(bufferevent_getfd(bev));
	pool_count_open(tunnel->pool, 1);
	tunnel->bev = bev;
	return true;
}

/* Tries the addresses that are left. false: none is connecting. */
static bool connect_next(struct tunnel *tunnel)
{
	while (tunnel->addresses_left > 0 && pool_address_count(tunnel->pool) > 0) {
		tunnel->address++;
		tunnel->addresses_left--;
		if (connect_to(tunnel, pool_address(tunnel->pool, tunnel->address)))
			return true;
	}
	pool_note_refused(tunnel->pool);
	return false;
}

static bool is_made_here(const struct field *field)
{
	return field_is(field, "Host") || field_is(field, "Content-Length") ||
	       field_is(field, "Transfer-Encoding") || field_is(field, "Connection");
}

static void write_head(struct tunnel *tunnel, const struct tunnel_request *request)
{
	struct evbuffer *out = tunnel->unsent;

	evbuffer_add_printf(out, "%s %s HTTP/1.1\r\nHost: %s\r\n", request->method, request->target,
		pool_host(tunnel->pool));
	for (size_t i = 0; i < request->fields->count; i++) {
		if (!is_made_here(&request->fields->items[i]))
			field_write(out, &request->fields->items[i]);
	}
	if (request->framing.kind == FRAMING_LENGTH)
		evbuffer_add_printf(
			out, "Content-Length: %" PRIu64 "\r\n", request->framing.length);
	else if (request->framing.kind == FRAMING_CHUNKED)
		evbuffer_add_printf(out, "Transfer-Encoding: chunked\r\n");
	evbuffer_add_printf(out, "Connection: close\r\n\r\n");
}

/* ---- for the user ---- */

struct tunnel *tunnel_start(struct pool *pool, const struct tunnel_request *request,
	const struct tunnel_events *events, void *arg)
{
	struct tunnel *tunnel = mem_zalloc(sizeof(*tunnel));

	tunnel->pool = pool;
	tunnel->events = *events;
	tunnel->arg = arg;
	tunnel->method = mem_strdup(request->method);
	if (pool_is_use(tunnel->method))
		pool_note_use(pool, 1, ticker_now_us());
	tunnel->framing = request->framing;
	tunnel->body_left = request->framing.length;
	tunnel->unsent = evbuffer_new();
	tunnel->piece = evbuffer_new();
	if (!tunnel->unsent || !tunnel->piece)
		mem_out(sizeof(*tunnel));
	write_head(tunnel, request);
	tunnel->last_activity_us = ticker_now_us();
	tunnel->addresses_left = pool_address_count(pool);
	/* connect_next() goes one on. */
	tunnel->address = pool_first_address(pool) + tunnel->addresses_left - 1;
	if (connect_next(tunnel))
		return tunnel;
	bury(tunnel);
	return NULL;
}

static struct evbuffer *output_of(const struct tunnel *tunnel)
{
	return tunnel->phase == PHASE_CONNECTING ? tunnel->unsent
						 : bufferevent_get_output(tunnel->bev);
}

bool tunnel_send(struct tunnel *tunnel, struct evbuffer *data)
{
	size_t length = evbuffer_get_length(data);
	struct evbuffer *out;

	if (tunnel->is_over || tunnel->is_write_broken) {
		evbuffer_drain(data, length);
		return true;
	}
	out = output_of(tunnel);
	if (tunnel->framing.kind == FRAMING_LENGTH) {
		assert(length <= tunnel->body_left);
		tunnel->body_left -= length;
	}
	if (tunnel->framing.kind == FRAMING_CHUNKED && length > 0)
		chunked_write_begin(out, length);
	if (evbuffer_add_buffer(out, data) != 0)
		mem_out(length);
	if (tunnel->framing.kind == FRAMING_CHUNKED && length > 0)
		chunked_write_end(out);
	tunnel->is_full = evbuffer_get_length(out) > TUNNEL_HIGH_BYTES;
	return !tunnel->is_full;
}

void tunnel_send_end(struct tunnel *tunnel)
{
	if (tunnel->is_over || tunnel->is_write_broken)
		return;
	assert(tunnel->framing.kind != FRAMING_LENGTH || tunnel->body_left == 0);
	if (tunnel->framing.kind == FRAMING_CHUNKED)
		chunked_write_last(output_of(tunnel));
}

void tunnel_cancel(struct tunnel *tunnel)
{
	if (!tunnel->is_over)
		bury(tunnel);
}

void tunnel_pause(struct tunnel *tunnel)
{
	tunnel->is_paused = true;
	if (tunnel->bev)
		bufferevent_disable(tunnel->bev, EV_READ);
}

void tunnel_resume(struct tunnel *tunnel)
{
	tunnel->is_paused = false;
	if (tunnel->bev && tunnel->phase != PHASE_CONNECTING && !tunnel->is_over)
		bufferevent_enable(tunnel->bev, EV_READ);
}

int64_t tunnel_last_activity_us(const struct tunnel *tunnel)
{
	return tunnel->last_activity_us;
}
