/*
 * Request heads: what comes of them does not depend on how they were cut, and what is READY keeps
 * the rules of http/head.h. The first byte of the text chooses the limits.
 */
#include "http/head.h"

#include <event2/buffer.h>

#include "pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	enum head_status status;
	enum http_error error;
	struct request_head head;
	size_t taken;
};

static void free_piece(const void *bytes, size_t length, void *arg)
{
	free(arg);
}

/* A chain of its own size, so that a sanitizer sees a read past its end. */
static void add_piece(struct evbuffer *input, const char *bytes, size_t length)
{
	char *copy = malloc(length ? length : 1);

	REQUIRE(copy);
	memcpy(copy, bytes, length);
	REQUIRE(evbuffer_add_reference(input, copy, length, free_piece, copy) == 0);
}

static void feed(struct result *result, struct evbuffer *input, size_t *scanned, const char *bytes,
	size_t length, const struct head_limits *limits)
{
	size_t before;

	add_piece(input, bytes, length);
	if (result->status != HEAD_MORE)
		return;
	before = evbuffer_get_length(input);
	result->status = request_head_read(&result->head, input, scanned, limits, &result->error);
	result->taken += before - evbuffer_get_length(input);
}

static void require_slice(const char *text, size_t length)
{
	REQUIRE(memchr(text, '\0', length) == NULL);
	REQUIRE(memchr(text, '\r', length) == NULL && memchr(text, '\n', length) == NULL);
	REQUIRE(length == 0 || (text[0] != ' ' && text[0] != '\t'));
	REQUIRE(length == 0 || (text[length - 1] != ' ' && text[length - 1] != '\t'));
}

static void require_rules(const struct request_head *head, const struct head_limits *limits)
{
	size_t hosts = fields_count_of(&head->fields, "Host");

	REQUIRE(head->method[0] && head->target[0]);
	REQUIRE(strpbrk(head->method, " \t\r\n") == NULL && strcmp(head->method, "CONNECT") != 0);
	REQUIRE(strpbrk(head->target, " \t\r\n#") == NULL);
	REQUIRE(limits->target_bytes == 0 || strlen(head->target) <= limits->target_bytes);
	REQUIRE(limits->fields == 0 || head->fields.count <= limits->fields);
	REQUIRE(head->forward[0] == '/' || strcmp(head->forward, "*") == 0);
	REQUIRE(head->path[0] == head->forward[0] || head->forward[0] == '/');
	REQUIRE(strstr(head->path, "//") == NULL);
	REQUIRE(strlen(head->path) <= strlen(head->forward));
	REQUIRE(!head->name || (head->name[0] && strlen(head->name) < strlen(head->target)));
	REQUIRE(strpbrk(head->host, " \t/@?#\\") == NULL);
	REQUIRE(head->version_minor == 0 || head->version_minor == 1);
	REQUIRE(hosts <= 1 && (hosts == 1 || head->version_minor == 0));
	REQUIRE(head->framing.kind != FRAMING_UNTIL_CLOSE);
	REQUIRE((head->framing.kind == FRAMING_CHUNKED) ==
		(fields_find(&head->fields, "Transfer-Encoding") != NULL));
	REQUIRE((head->framing.kind == FRAMING_LENGTH) ==
		(fields_find(&head->fields, "Content-Length") != NULL));
	for (size_t i = 0; i < head->fields.count; i++) {
		const struct field *field = &head->fields.items[i];

		REQUIRE(field->name_length > 0);
		require_slice(field->name, field->name_length);
		require_slice(field->value, field->value_length);
	}
}

static void require_same(const struct result *a, const struct result *b)
{
	REQUIRE(a->status == b->status && a->error == b->error);
	if (a->status == HEAD_WRONG)
		return;
	REQUIRE(a->taken == b->taken);
	if (a->status == HEAD_MORE)
		return;
	REQUIRE(strcmp(a->head.method, b->head.method) == 0);
	REQUIRE(strcmp(a->head.target, b->head.target) == 0);
	REQUIRE(strcmp(a->head.forward, b->head.forward) == 0);
	REQUIRE(strcmp(a->head.path, b->head.path) == 0);
	REQUIRE(strcmp(a->head.host, b->head.host) == 0);
	REQUIRE(!a->head.name == !b->head.name);
	REQUIRE(!a->head.name || strcmp(a->head.name, b->head.name) == 0);
	REQUIRE(a->head.framing.kind == b->head.framing.kind);
	REQUIRE(a->head.framing.length == b->head.framing.length);
	REQUIRE(a->head.keep_alive == b->head.keep_alive);
	REQUIRE(a->head.expect_continue == b->head.expect_continue);
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct head_limits all_limits[] = {
		{.head_bytes = 65536, .target_bytes = 8190, .fields = 1000},
		{.head_bytes = 100, .target_bytes = 20, .fields = 3},
		{.head_bytes = 200},
		{.target_bytes = 10},
	};
	struct evbuffer *input[2] = {evbuffer_new(), evbuffer_new()};
	struct result whole = {.status = HEAD_MORE};
	struct result cut = {.status = HEAD_MORE};
	size_t scanned[2] = {0, 0};
	const struct head_limits *limits;
	struct pieces pieces;
	const char *piece;
	size_t length;

	pieces_init(&pieces, data, size);
	limits = &all_limits[pieces.left > 0 ? (uint8_t)pieces.text[0] % 4 : 0];
	if (pieces.left > 0) {
		pieces.text++;
		pieces.left--;
	}
	feed(&whole, input[0], &scanned[0], pieces.text, pieces.left, limits);
	while ((piece = pieces_next(&pieces, &length)))
		feed(&cut, input[1], &scanned[1], piece, length, limits);
	require_same(&whole, &cut);
	if (whole.status == HEAD_READY)
		require_rules(&whole.head, limits);
	request_head_finish(&whole.head);
	request_head_finish(&cut.head);
	evbuffer_free(input[0]);
	evbuffer_free(input[1]);
	return 0;
}
