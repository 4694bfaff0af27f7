#include "mischief.h"

#include <string.h>

#include "reply.h"

/* Sizes when the rule names none: a head bigger than any sane limit, a chunk bigger than a socket's
 * buffers. */
#define BIG_HEAD_BYTES (1U << 20)
#define BIG_CHUNK_BYTES (16U << 20)

bool mischief_before_body(struct conn *conn)
{
	if (conn->fault.kind != FAULT_EARLY_413)
		return false;
	conn->reply.closes = true;
	reply_error(conn, 413, "simulated limit");
	return true;
}

bool mischief_before_answer(struct conn *conn)
{
	switch (conn->fault.kind) {
	case FAULT_RESET_BEFORE_HEAD:
		conn_doom(conn, DOOM_RESET);
		return true;
	case FAULT_CLOSE_BEFORE_HEAD:
		conn_doom(conn, DOOM_CLOSE);
		return true;
	case FAULT_SILENT:
		return true;
	case FAULT_STALL_BEFORE_HEAD:
		if (conn->fault.ms > 0)
			conn_start_timer(conn, TIMER_HANDLE, conn->fault.ms);
		return true;
	case FAULT_MALFORMED_HEAD:
		bytes_adds(&conn->out, "HTTP/1.1 two hundred\r\nthis is no header\r\n\r\n");
		conn_doom(conn, DOOM_CLOSE);
		return true;
	case FAULT_HALF_HEAD:
		bytes_adds(&conn->out, "HTTP/1.1 200 OK\r\nContent-Type: appl");
		conn_doom(conn, DOOM_CLOSE);
		return true;
	case FAULT_STATUS_500:
		reply_error(conn, 500, "simulated failure");
		return true;
	case FAULT_NONE:
	case FAULT_EARLY_413:
	case FAULT_HEADER_103:
	case FAULT_DIE_MID_STREAM:
	case FAULT_RESET_MID_STREAM:
	case FAULT_STALL_MID_STREAM:
	case FAULT_MALFORMED_CHUNK:
	case FAULT_TRUNCATE:
	case FAULT_GARBAGE_AFTER_END:
	case FAULT_CLOSE_IDLE:
	case FAULT_NO_LENGTH_KEEPALIVE:
	case FAULT_BIG_HEAD:
	case FAULT_BIG_CHUNK:
	case FAULT_RUNNER_KILLED:
	case FAULT_LOAD_FAIL:
	case FAULT_REPEAT_LIMIT:
		break;
	}
	return false;
}

void mischief_before_head(struct conn *conn)
{
	if (conn->fault.kind == FAULT_HEADER_103)
		bytes_adds(&conn->out,
			"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n");
}

static void add_filler(struct bytes *out, size_t length)
{
	memset(bytes_reserve(out, length), 'x', length);
	out->end += length;
}

void mischief_in_head(struct conn *conn)
{
	if (conn->fault.kind != FAULT_BIG_HEAD)
		return;
	bytes_adds(&conn->out, "Big: ");
	add_filler(&conn->out, conn->fault.bytes > 0 ? conn->fault.bytes : BIG_HEAD_BYTES);
	bytes_adds(&conn->out, "\r\n");
}

static void stall(struct conn *conn)
{
	conn->free_bytes = bytes_length(&conn->out);
	conn->is_stalled = true;
	if (conn->fault.ms > 0)
		conn_start_timer(conn, TIMER_UNSTALL, conn->fault.ms);
	conn->fault.kind = FAULT_NONE;
	conn_mark_dirty(conn);
}

static void add_big_chunk(struct conn *conn)
{
	size_t length = conn->fault.bytes > 0 ? conn->fault.bytes : BIG_CHUNK_BYTES;
	static const char open[] = "{\"big\":\"", close[] = "\"}\n";
	bool is_chunked = conn->reply.framing == REPLY_CHUNKED;

	if (is_chunked) {
		bytes_add_hex(&conn->out, length + strlen(open) + strlen(close));
		bytes_adds(&conn->out, "\r\n");
	}
	bytes_adds(&conn->out, open);
	add_filler(&conn->out, length);
	bytes_adds(&conn->out, close);
	if (is_chunked)
		bytes_adds(&conn->out, "\r\n");
	conn->fault.kind = FAULT_NONE;
}

bool mischief_on_chunk(struct conn *conn, const char *data, size_t length)
{
	if (conn->reply.chunks < conn->fault.after_lines)
		return false;
	switch (conn->fault.kind) {
	case FAULT_DIE_MID_STREAM:
		conn_doom(conn, DOOM_CLOSE);
		return true;
	case FAULT_RESET_MID_STREAM:
		conn_doom(conn, DOOM_RESET);
		return true;
	case FAULT_STALL_MID_STREAM:
		stall(conn);
		return false;
	case FAULT_MALFORMED_CHUNK:
		bytes_adds(&conn->out, "zz\r\nnot a chunk\r\n");
		conn_doom(conn, DOOM_CLOSE);
		return true;
	case FAULT_TRUNCATE:
		bytes_add_hex(&conn->out, length);
		bytes_adds(&conn->out, "\r\n");
		bytes_add(&conn->out, data, length / 2);
		conn_doom(conn, DOOM_CLOSE);
		return true;
	case FAULT_BIG_CHUNK:
		add_big_chunk(conn);
		return false;
	case FAULT_NONE:
	case FAULT_RESET_BEFORE_HEAD:
	case FAULT_CLOSE_BEFORE_HEAD:
	case FAULT_STALL_BEFORE_HEAD:
	case FAULT_SILENT:
	case FAULT_MALFORMED_HEAD:
	case FAULT_EARLY_413:
	case FAULT_HALF_HEAD:
	case FAULT_STATUS_500:
	case FAULT_HEADER_103:
	case FAULT_GARBAGE_AFTER_END:
	case FAULT_CLOSE_IDLE:
	case FAULT_NO_LENGTH_KEEPALIVE:
	case FAULT_BIG_HEAD:
	case FAULT_RUNNER_KILLED:
	case FAULT_LOAD_FAIL:
	case FAULT_REPEAT_LIMIT:
		break;
	}
	return false;
}

bool mischief_on_body(struct conn *conn, const char *body, size_t length)
{
	enum fault_kind kind = conn->fault.kind;
	bool breaks = kind == FAULT_DIE_MID_STREAM || kind == FAULT_RESET_MID_STREAM ||
		      kind == FAULT_TRUNCATE || kind == FAULT_MALFORMED_CHUNK;

	if (conn->reply.framing == REPLY_CHUNKED && breaks)
		return false; /* its chunk gets it */
	if (breaks) {
		bytes_add(&conn->out, body, length / 2);
		conn_doom(conn, kind == FAULT_RESET_MID_STREAM ? DOOM_RESET : DOOM_CLOSE);
		conn_set_user(conn, NULL, NULL, NULL); /* for him the answer has ended */
		return true;
	}
	if (kind == FAULT_STALL_MID_STREAM && conn->reply.framing == REPLY_LENGTH) {
		bytes_add(&conn->out, body, length / 2);
		stall(conn);
		bytes_add(&conn->out, body + length / 2, length - length / 2);
		conn_end_exchange(conn);
		return true;
	}
	return false;
}

void mischief_after_end(struct conn *conn)
{
	if (conn->fault.kind == FAULT_GARBAGE_AFTER_END)
		bytes_adds(&conn->out, "HTTP/1.1 200 OK\r\nthis belongs to nobody");
	if (conn->fault.kind == FAULT_CLOSE_IDLE)
		conn_start_timer(conn, TIMER_CLOSE, conn->fault.ms);
}
