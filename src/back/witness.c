#include "back/witness.h"

#include <event2/buffer.h>

#include "back/answer.h"
#include "base/memory.h"
#include "base/pieces.h"

enum {
	/* Heads are collected in steps of this, so that little of a body is copied with them. */
	STEP_BYTES = 2048,
	STATUS_CONTINUE = 100,
	STATUS_FINAL_FIRST = 200,
};

void witness_init(struct witness *witness, const char *method)
{
	*witness = (struct witness){.method = method};
}

static void forget_bytes(struct witness *witness)
{
	if (witness->bytes)
		evbuffer_free(witness->bytes);
	witness->bytes = NULL;
}

void witness_finish(struct witness *witness)
{
	forget_bytes(witness);
	witness_forget_head(witness);
}

void witness_forget_head(struct witness *witness)
{
	response_head_finish(&witness->head);
}

bool witness_is_satisfied(const struct witness *witness)
{
	return witness->has_head && !witness->is_wrong &&
	       (!witness->is_chunked || chunked_watch_is_done(&witness->chunks));
}

static void see_chunks(void *object, const void *bytes, size_t length)
{
	struct witness *witness = object;

	if (chunked_watch_feed(&witness->chunks, bytes, length) == CHUNKED_WRONG)
		witness->is_wrong = true;
}

static void see_final_head(struct witness *witness)
{
	witness->has_head = true;
	witness->is_wrong = witness->head.status < STATUS_FINAL_FIRST;
	witness->is_chunked = witness->head.framing.kind == FRAMING_CHUNKED;
	if (witness->is_chunked)
		pieces_feed(witness->bytes, see_chunks, witness);
	forget_bytes(witness);
}

/* Reads what was collected. */
static void read_heads(struct witness *witness)
{
	static const struct head_limits limits = {.head_bytes = ANSWER_HEAD_BYTES_MOST};

	for (;;) {
		switch (response_head_read(&witness->head, witness->bytes, &witness->scanned,
			&limits, witness->method)) {
		case HEAD_MORE:
			return;
		case HEAD_WRONG:
			witness->is_wrong = true;
			return;
		case HEAD_READY:
			break;
		}
		if (witness->head.status != STATUS_CONTINUE) {
			see_final_head(witness);
			return;
		}
		witness_forget_head(witness);
	}
}

static void see_piece(void *object, const void *bytes, size_t length)
{
	struct witness *witness = object;
	const char *at = bytes;

	while (length > 0 && !witness->has_head && !witness->is_wrong) {
		size_t take = length < STEP_BYTES ? length : STEP_BYTES;

		if (!witness->bytes)
			witness->bytes = evbuffer_new();
		if (!witness->bytes || evbuffer_add(witness->bytes, at, take) != 0)
			mem_out(take);
		at += take;
		length -= take;
		read_heads(witness);
	}
	if (length > 0 && witness->is_chunked)
		see_chunks(witness, at, length);
}

void witness_see(struct witness *witness, struct evbuffer *input, size_t added)
{
	bool is_of_no_interest =
		witness->has_head &&
		(!witness->is_chunked || chunked_watch_skip(&witness->chunks, added));

	if (!witness->is_wrong && !is_of_no_interest)
		pieces_feed_from(input, evbuffer_get_length(input) - added, see_piece, witness);
}
