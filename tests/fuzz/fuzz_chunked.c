/*
 * The chunked coding, both ways. Decoder: what comes of a body does not depend on how it was cut or
 * on how much is taken in one call. Watch: it says what the decoder says, and what it keeps reads
 * as the same body without extensions. Encoder: the input, cut into chunks, is read back as it was.
 */
#include "http/chunked.h"

#include <event2/buffer.h>

#include "pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A reader of one body. */
struct reader {
	struct chunked chunked;
	struct evbuffer *input;
	struct evbuffer *output;
	enum chunked_status status;
	size_t most;   /* bytes decoded in one call */
	size_t chunks; /* ended so far */
};

static void reader_init(struct reader *reader, size_t most)
{
	memset(reader, 0, sizeof(*reader));
	reader->input = evbuffer_new();
	reader->output = evbuffer_new();
	reader->most = most;
}

static void reader_finish(struct reader *reader)
{
	evbuffer_free(reader->input);
	evbuffer_free(reader->output);
}

static void on_chunk_end(void *arg)
{
	struct reader *reader = arg;

	reader->chunks++;
}

static void free_piece(const void *bytes, size_t length, void *arg)
{
	free(arg);
}

static void decode(struct reader *reader)
{
	size_t before;

	if (reader->status != CHUNKED_MORE)
		return;
	do {
		before = evbuffer_get_length(reader->output);
		reader->status = chunked_decode(&reader->chunked, reader->input, reader->output,
			reader->most, on_chunk_end, reader);
		REQUIRE(evbuffer_get_length(reader->output) - before <= reader->most);
	} while (reader->status == CHUNKED_MORE &&
		 evbuffer_get_length(reader->output) - before == reader->most);
}

static void feed(struct reader *reader, const char *bytes, size_t length)
{
	char *copy = malloc(length ? length : 1);

	REQUIRE(copy);
	memcpy(copy, bytes, length);
	REQUIRE(evbuffer_add_reference(reader->input, copy, length, free_piece, copy) == 0);
	decode(reader);
}

static void require_same_bytes(struct evbuffer *a, struct evbuffer *b)
{
	size_t length = evbuffer_get_length(a);

	REQUIRE(length == evbuffer_get_length(b));
	if (length > 0)
		REQUIRE(memcmp(evbuffer_pullup(a, -1), evbuffer_pullup(b, -1), length) == 0);
}

static void check_decoder(struct pieces pieces)
{
	struct reader whole;
	struct reader cut;
	const char *piece;
	size_t length;

	reader_init(&whole, SIZE_MAX);
	reader_init(&cut, 1 + pieces.sizes[0]);
	feed(&whole, pieces.text, pieces.left);
	while ((piece = pieces_next(&pieces, &length)))
		feed(&cut, piece, length);
	REQUIRE(whole.status == cut.status);
	if (whole.status != CHUNKED_WRONG) {
		REQUIRE(whole.chunks == cut.chunks);
		require_same_bytes(whole.output, cut.output);
	}
	if (whole.status == CHUNKED_DONE)
		require_same_bytes(whole.input, cut.input);
	reader_finish(&whole);
	reader_finish(&cut);
}

static void check_watch(struct pieces pieces)
{
	struct chunked_watch watch = {0};
	struct chunked_watch looking = {0};
	enum chunked_status status = CHUNKED_MORE;
	struct evbuffer *kept = evbuffer_new();
	struct reader reader;
	struct reader again;
	const char *piece;
	size_t length;

	reader_init(&reader, SIZE_MAX);
	reader_init(&again, SIZE_MAX);
	feed(&reader, pieces.text, pieces.left);
	while ((piece = pieces_next(&pieces, &length))) {
		if (!chunked_watch_skip(&looking, length))
			status = chunked_watch_feed(&looking, piece, length, NULL);
		/* nothing that is skipped ends a body */
		REQUIRE(chunked_watch_is_done(&looking) == (status == CHUNKED_DONE));
		REQUIRE(chunked_watch_feed(&watch, piece, length, kept) == status);
	}
	switch (reader.status) {
	case CHUNKED_WRONG:
	case CHUNKED_DONE:
		REQUIRE(status == reader.status);
		break;
	case CHUNKED_MORE: /* the watch may know by now */
		REQUIRE(status != CHUNKED_DONE);
		break;
	}
	if (status != CHUNKED_WRONG) {
		evbuffer_add_buffer(again.input, kept);
		decode(&again);
		REQUIRE(again.status == status && again.chunks == reader.chunks);
		require_same_bytes(again.output, reader.output);
	}
	reader_finish(&reader);
	reader_finish(&again);
	evbuffer_free(kept);
}

static void check_encoder(struct pieces pieces)
{
	struct evbuffer *body = evbuffer_new();
	struct reader reader;
	const char *piece;
	size_t length;
	size_t chunks = 0;

	reader_init(&reader, SIZE_MAX);
	evbuffer_add(body, pieces.text, pieces.left);
	while ((piece = pieces_next(&pieces, &length))) {
		if (length == 0)
			continue;
		chunks++;
		chunked_write_begin(reader.input, length);
		evbuffer_add(reader.input, piece, length);
		chunked_write_end(reader.input);
	}
	chunked_write_last(reader.input);
	decode(&reader);
	REQUIRE(reader.status == CHUNKED_DONE && reader.chunks == chunks);
	REQUIRE(evbuffer_get_length(reader.input) == 0);
	require_same_bytes(reader.output, body);
	reader_finish(&reader);
	evbuffer_free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pieces pieces;

	pieces_init(&pieces, data, size);
	check_decoder(pieces);
	check_watch(pieces);
	check_encoder(pieces);
	return 0;
}
