/*
 * The request of an exchange: what is kept of it for the next address, and its head as evhttp takes
 * it. The body stays with whoever fills it in. Called by back/exchange only.
 */
#ifndef SO_BACK_OUTGOING_H
#define SO_BACK_OUTGOING_H

#include <stdbool.h>
#include <stdint.h>

#include <event2/http.h>

#include "back/exchange.h"
#include "base/compiler.h"
#include "http/fields.h"

struct evkeyvalq;

struct outgoing {
	const char *method; /* a constant */
	enum evhttp_cmd_type type;
	char *target;
	char *field_bytes;
	struct fields fields;				    /* NUL-terminated, in field_bytes */
	bool (*fill_body)(void *arg, struct evbuffer *out); /* NULL: no body */
	uint64_t body_bytes;
	bool has_length;
};

/* evhttp has a name for it. */
bool outgoing_can_send(const char *method);
/* The constant for a method that can be sent. */
const char *outgoing_method(const char *method);
/* Copies what has to outlive `request`, whose method must be one that can be sent. false: no memory
 * for as much as the client sent; outgoing_finish() all the same. */
MUST_CHECK bool outgoing_init(struct outgoing *outgoing, const struct exchange_request *request);
void outgoing_finish(struct outgoing *outgoing);
/* false: out of memory. */
MUST_CHECK bool outgoing_write_head(
	const struct outgoing *outgoing, const char *host, struct evkeyvalq *headers);

#endif
