/*
 * Response heads: what comes of them does not depend on how they were cut. The first byte of the
 * text chooses method and limits.
 */
#include "http/head.h"

#include <event2/buffer.h>

#include "pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	enum head_status status;
	struct response_head head;
	size_t taken;
};

static void free_piece(const void *bytes, size_t length, void *arg)
{
	free(arg);
}

static void feed(struct result *result, struct evbuffer *input, size_t *scanned, const char *bytes,
	size_t length, const struct head_limits *limits, const char *method)
{
	char *copy = malloc(length ? length : 1);
	size_t before;

	REQUIRE(copy);
	memcpy(copy, bytes, length);
	REQUIRE(evbuffer_add_reference(input, copy, length, free_piece, copy) == 0);
	if (result->status != HEAD_MORE)
		return;
	before = evbuffer_get_length(input);
	result->status = response_head_read(&result->head, input, scanned, limits, method);
	result->taken += before - evbuffer_get_length(input);
}

static void require_rules(const struct response_head *head, const char *method)
{
	REQUIRE(head->status >= 100 && head->status <= 599);
	REQUIRE(head->version_minor == 0 || head->version_minor == 1);
	REQUIRE(strpbrk(head->reason, "\r\n") == NULL);
	if (head->status < 200 || head->status == 204 || head->status == 304 ||
		strcmp(method, "HEAD") == 0)
		REQUIRE(head->framing.kind == FRAMING_NONE);
	else
		REQUIRE(head->framing.kind != FRAMING_NONE);
	if (head->framing.kind == FRAMING_CHUNKED)
		REQUIRE(head->version_minor == 1 && !fields_find(&head->fields, "Content-Length"));
}

static void require_same(const struct result *a, const struct result *b)
{
	REQUIRE(a->status == b->status);
	if (a->status != HEAD_READY)
		return;
	REQUIRE(a->taken == b->taken);
	REQUIRE(a->head.status == b->head.status);
	REQUIRE(strcmp(a->head.reason, b->head.reason) == 0);
	REQUIRE(a->head.framing.kind == b->head.framing.kind);
	REQUIRE(a->head.framing.length == b->head.framing.length);
	REQUIRE(a->head.keep_alive == b->head.keep_alive);
	REQUIRE(a->head.fields.count == b->head.fields.count);
	for (size_t i = 0; i < a->head.fields.count; i++) {
		const struct field *one = &a->head.fields.items[i];
		const struct field *other = &b->head.fields.items[i];

		REQUIRE(one->name_length == other->name_length);
		REQUIRE(one->value_length == other->value_length);
		REQUIRE(memcmp(one->name, other->name, one->name_length) == 0);
		REQUIRE(memcmp(one->value, other->value, one->value_length) == 0);
	}
}

/* What the whole reader takes, the one that looks on takes too, and at the same place. */
static void require_parsed_alike(const struct result *whole, struct pieces pieces,
	const struct head_limits *limits, const char *method)
{
	struct result parsed = {.status = HEAD_READY, .taken = whole->taken};
	const char *text = pieces.text;
	const char *piece;
	size_t length;
	size_t end = 0;
	size_t before = 0;
	int match = 0;

	while ((piece = pieces_next(&pieces, &length))) {
		if (end == 0) {
			end = response_head_end(piece, length, &match);
			end += end > 0 ? before : 0;
		}
		before += length;
	}
	if (whole->status != HEAD_READY)
		return;
	REQUIRE(end == whole->taken);
	REQUIRE(response_head_parse(&parsed.head, text, end, limits, method));
	require_same(whole, &parsed);
	response_head_finish(&parsed.head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evbuffer *input[2] = {evbuffer_new(), evbuffer_new()};
	struct result whole = {.status = HEAD_MORE};
	struct result cut = {.status = HEAD_MORE};
	struct head_limits limits = {.head_bytes = 65536, .fields = 1000};
	const char *method = "GET";
	size_t scanned[2] = {0, 0};
	struct pieces pieces;
	const char *piece;
	size_t length;

	pieces_init(&pieces, data, size);
	if (pieces.left > 0) {
		if (pieces.text[0] & 1)
			method = "HEAD";
		if (pieces.text[0] & 2)
			limits = (struct head_limits){.head_bytes = 60, .fields = 3};
		pieces.text++;
		pieces.left--;
	}
	feed(&whole, input[0], &scanned[0], pieces.text, pieces.left, &limits, method);
	require_parsed_alike(&whole, pieces, &limits, method);
	while ((piece = pieces_next(&pieces, &length)))
		feed(&cut, input[1], &scanned[1], piece, length, &limits, method);
	require_same(&whole, &cut);
	if (whole.status == HEAD_READY)
		require_rules(&whole.head, method);
	response_head_finish(&whole.head);
	response_head_finish(&cut.head);
	evbuffer_free(input[0]);
	evbuffer_free(input[1]);
	return 0;
}
