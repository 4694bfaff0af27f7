#include "back/witness.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "back/answer.h"
#include "base/memory.h"
#include "base/pieces.h"

enum { STATUS_SWITCHING = 101, STATUS_FINAL_FIRST = 200 };

void witness_init(
	struct witness *witness, const char *method, const struct witness_events *events, void *arg)
{
	*witness = (struct witness){.method = method, .events = events, .arg = arg};
}

static void forget_bytes(struct witness *witness)
{
	free(witness->bytes);
	witness->bytes = NULL;
	witness->collected = 0;
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

bool witness_has_end(const struct witness *witness)
{
	return witness_is_satisfied(witness) &&
	       (witness->is_chunked || (witness->has_length && witness->body_left == 0));
}

/* ---- heads ---- */

/* Where the head ends in what was fed so far. */
struct search {
	int *match;
	size_t seen;
	size_t end; /* 0: not yet */
};

static void search_piece(void *object, const void *bytes, size_t length)
{
	struct search *search = object;
	size_t end;

	if (search->end > 0)
		return;
	end = response_head_end(bytes, length, search->match);
	if (end > 0)
		search->end = search->seen + end;
	search->seen += length;
}

/* Keeps the part of a head that is there from evhttp: it may be an interim answer's. */
static void hold_back(struct witness *witness, struct evbuffer *input)
{
	size_t length = evbuffer_get_length(input);

	if (length > ANSWER_HEAD_BYTES_MOST - witness->collected) {
		witness->is_wrong = true;
		return;
	}
	witness->bytes = mem_grow_array(witness->bytes, witness->collected + length, 1);
	evbuffer_remove(input, witness->bytes + witness->collected, length);
	witness->collected += length;
	if (!response_head_may_begin(witness->bytes, witness->collected))
		witness->is_wrong = true;
}

/* Gives back what was held of the head that is whole now, which ends at `end` of the new bytes.
 * Returns its length. */
static size_t give_back(struct witness *witness, struct evbuffer *input, size_t end)
{
	size_t length = witness->collected + end;

	if (witness->collected > 0)
		evbuffer_prepend(input, witness->bytes, witness->collected);
	forget_bytes(witness);
	witness->match = 0;
	return length;
}

/* evhttp takes tabs before a value for a part of it, and then finds neither length nor coding there
 * (RFC 9110 §5.5: they are none). `head` is a copy of `bytes`. */
static void blank_tabs(const struct response_head *head, char *bytes)
{
	for (size_t i = 0; i < head->fields.count; i++) {
		const struct field *field = &head->fields.items[i];
		size_t at = (size_t)(field->value - head->bytes);

		for (; field->value_length > 0 && (bytes[at - 1] == '\t' || bytes[at - 1] == ' ');
			at--)
			bytes[at - 1] = ' ';
	}
}

/* The first `length` bytes of the input are a head. An interim one goes no further. */
static void read_head(struct witness *witness, struct evbuffer *input, size_t length)
{
	static const struct head_limits limits = {.head_bytes = ANSWER_HEAD_BYTES_MOST};
	char *bytes = (char *)evbuffer_pullup(input, (ev_ssize_t)length);
	const struct response_head *head = &witness->head;

	if (!bytes ||
		!response_head_parse(&witness->head, bytes, length, &limits, witness->method) ||
		head->status == STATUS_SWITCHING) {
		witness->is_wrong = true;
		return;
	}
	if (head->status >= STATUS_FINAL_FIRST) {
		blank_tabs(head, bytes);
		witness->has_head = true;
		witness->head_bytes = length;
		witness->is_chunked = head->framing.kind == FRAMING_CHUNKED;
		witness->has_length = head->framing.kind == FRAMING_LENGTH;
		witness->body_left = witness->has_length ? head->framing.length : 0;
		return;
	}
	evbuffer_drain(input, length);
	witness->events->on_interim(witness->arg, head->status, &head->fields);
	witness_forget_head(witness);
}

/* All that is in the input is new, since what is no whole head is held back. */
static void see_heads(struct witness *witness, struct evbuffer *input)
{
	while (!witness->has_head && !witness->is_wrong && evbuffer_get_length(input) > 0) {
		struct search search = {.match = &witness->match};

		pieces_feed(input, search_piece, &search);
		if (search.end == 0)
			hold_back(witness, input);
		else
			read_head(witness, input, give_back(witness, input, search.end));
	}
}

/* ---- chunks ---- */

static void see_piece(void *object, const void *bytes, size_t length)
{
	struct witness *witness = object;

	if (chunked_watch_feed(&witness->chunks, bytes, length, NULL) == CHUNKED_WRONG)
		witness->is_wrong = true;
}

struct cleaning {
	struct chunked_watch watch;
	struct evbuffer *kept;
};

static void clean_piece(void *object, const void *bytes, size_t length)
{
	struct cleaning *cleaning = object;

	if (chunked_watch_feed(&cleaning->watch, bytes, length, cleaning->kept) == CHUNKED_WRONG)
		return; /* was seen to be sound just now */
}

/* Takes extensions out of the last `added` bytes: evhttp knows none. */
static void clean(const struct chunked_watch *before, struct evbuffer *input, size_t added)
{
	size_t front = evbuffer_get_length(input) - added;
	struct cleaning cleaning = {.watch = *before, .kept = input};
	struct evbuffer *raw = evbuffer_new();

	if (!raw || evbuffer_add_buffer(raw, input) != 0 ||
		evbuffer_remove_buffer(raw, input, front) != (int)front)
		mem_out(added);
	pieces_feed(raw, clean_piece, &cleaning);
	evbuffer_free(raw);
}

static void see_chunks(struct witness *witness, struct evbuffer *input, size_t added)
{
	struct chunked_watch before = witness->chunks;

	witness->chunks.has_dropped = false;
	pieces_feed_from(input, evbuffer_get_length(input) - added, see_piece, witness);
	if (witness->chunks.has_dropped && !witness->is_wrong)
		clean(&before, input, added);
}

void witness_see(struct witness *witness, struct evbuffer *input, size_t added)
{
	if (!witness->has_head && !witness->is_wrong) {
		see_heads(witness, input);
		added = 0;
		if (witness->has_head)
			added = evbuffer_get_length(input) - witness->head_bytes;
	}
	witness->body_left -= added < witness->body_left ? added : witness->body_left;
	if (!witness->is_wrong && witness->is_chunked && added > 0 &&
		!chunked_watch_skip(&witness->chunks, added))
		see_chunks(witness, input, added);
}
