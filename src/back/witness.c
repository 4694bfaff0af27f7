#include "back/witness.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "back/answer.h"
#include "base/memory.h"
#include "base/pieces.h"

enum { STATUS_CONTINUE = 100, STATUS_FINAL_FIRST = 200 };

void witness_init(struct witness *witness, const char *method)
{
	*witness = (struct witness){.method = method};
}

void witness_finish(struct witness *witness)
{
	free(witness->bytes);
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

/* Keeps a part of a head. */
static void collect(struct witness *witness, const char *bytes, size_t length)
{
	if (length > ANSWER_HEAD_BYTES_MOST - witness->collected) {
		witness->is_wrong = true;
		return;
	}
	witness->bytes = mem_grow_array(witness->bytes, witness->collected + length, 1);
	memcpy(witness->bytes + witness->collected, bytes, length);
	witness->collected += length;
	if (!response_head_may_begin(witness->bytes, witness->collected))
		witness->is_wrong = true;
}

static void read_head(struct witness *witness, const char *bytes, size_t length)
{
	static const struct head_limits limits = {.head_bytes = ANSWER_HEAD_BYTES_MOST};
	const struct response_head *head = &witness->head;

	if (!response_head_parse(&witness->head, bytes, length, &limits, witness->method)) {
		witness->is_wrong = true;
	} else if (head->status == STATUS_CONTINUE) {
		witness_forget_head(witness);
	} else {
		witness->has_head = true;
		witness->is_wrong = head->status < STATUS_FINAL_FIRST;
		witness->is_chunked = head->framing.kind == FRAMING_CHUNKED;
	}
}

/* Takes one head or the part of it that is there. Returns how many bytes are its. */
static size_t see_head(struct witness *witness, const char *bytes, size_t length)
{
	size_t end = response_head_end(bytes, length, &witness->match);

	if (end > 0 && witness->collected == 0) {
		read_head(witness, bytes, end);
	} else {
		collect(witness, bytes, end > 0 ? end : length);
		if (end > 0 && !witness->is_wrong)
			read_head(witness, witness->bytes, witness->collected);
	}
	if (end == 0)
		return length;
	free(witness->bytes);
	witness->bytes = NULL;
	witness->collected = 0;
	witness->match = 0;
	return end;
}

static void see_piece(void *object, const void *bytes, size_t length)
{
	struct witness *witness = object;
	const char *at = bytes;

	while (length > 0 && !witness->has_head && !witness->is_wrong) {
		size_t taken = see_head(witness, at, length);

		at += taken;
		length -= taken;
	}
	if (length > 0 && witness->is_chunked &&
		chunked_watch_feed(&witness->chunks, at, length) == CHUNKED_WRONG)
		witness->is_wrong = true;
}

void witness_see(struct witness *witness, struct evbuffer *input, size_t added)
{
	bool is_of_no_interest =
		witness->has_head &&
		(!witness->is_chunked || chunked_watch_skip(&witness->chunks, added));

	if (!witness->is_wrong && !is_of_no_interest)
		pieces_feed_from(input, evbuffer_get_length(input) - added, see_piece, witness);
}
