#include "base/pieces.h"

#include <string.h>

#include <event2/buffer.h>

enum { PIECES_AT_ONCE = 16 };

void pieces_feed_from(struct evbuffer *buffer, size_t from,
	void (*feed)(void *object, const void *bytes, size_t length), void *object)
{
	struct evbuffer_iovec pieces[PIECES_AT_ONCE];
	struct evbuffer_ptr place;
	size_t length = evbuffer_get_length(buffer);
	size_t done = from;

	while (done < length) {
		int count;

		if (done > 0)
			evbuffer_ptr_set(buffer, &place, done, EVBUFFER_PTR_SET);
		count = evbuffer_peek(buffer, -1, done > 0 ? &place : NULL, pieces, PIECES_AT_ONCE);
		if (count > PIECES_AT_ONCE)
			count = PIECES_AT_ONCE;
		for (int i = 0; i < count; i++) {
			feed(object, pieces[i].iov_base, pieces[i].iov_len);
			done += pieces[i].iov_len;
		}
	}
}

void pieces_feed(struct evbuffer *buffer,
	void (*feed)(void *object, const void *bytes, size_t length), void *object)
{
	pieces_feed_from(buffer, 0, feed, object);
}

struct wiping {
	size_t left;
};

static void wipe_piece(void *object, const void *bytes, size_t length)
{
	struct wiping *wiping = object;

	if (length > wiping->left)
		length = wiping->left;
	/* the buffer's own memory: nobody else shares heads */
	explicit_bzero((void *)bytes, length);
	wiping->left -= length;
}

void pieces_wipe(struct evbuffer *buffer, size_t length)
{
	struct wiping wiping = {.left = length};

	pieces_feed(buffer, wipe_piece, &wiping);
}
