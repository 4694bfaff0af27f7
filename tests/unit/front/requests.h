/* Heads for the tests of front/, read by http/head from what a client would send. */
#ifndef SO_TESTS_REQUESTS_H
#define SO_TESTS_REQUESTS_H

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include "base/memory.h"
#include "http/head.h"

/* `fields` are lines that end in CRLF, Host among them. The caller finishes the head. */
static inline struct request_head request_of(
	const char *method, const char *target, const char *fields)
{
	const struct head_limits limits = {0};
	struct evbuffer *input = evbuffer_new();
	struct request_head head = {0};
	enum http_error error;
	size_t scanned = 0;

	evbuffer_add_printf(input, "%s %s HTTP/1.1\r\n%s\r\n", method, target, fields);
	assert_int_equal(request_head_read(&head, input, &scanned, &limits, &error), HEAD_READY);
	evbuffer_free(input);
	return head;
}

#endif
