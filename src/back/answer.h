/*
 * The head of an answer as evhttp parsed it, checked by our own rules (RFC 9110 §5, RFC 9112 §4 to
 * §6): evhttp takes statuses, names, values and lengths that two readers could read in two ways.
 * Called by back/exchange only.
 */
#ifndef SO_BACK_ANSWER_H
#define SO_BACK_ANSWER_H

#include <stdbool.h>

#include "back/exchange.h"
#include "base/compiler.h"
#include "http/fields.h"

struct evhttp_request;

/* A final answer to `method`. `fields` is empty at first and then holds slices of what evhttp owns;
 * the caller finishes it either way. false: malformed or a 1xx. What is taken evhttp reads alike:
 * its own check refuses every length and coding in doubt too. */
MUST_CHECK bool answer_read_head(struct evhttp_request *request, const char *method,
	struct fields *fields, struct exchange_head *ret_head);
/* After this answer the connection may be used again (RFC 9112 §9.3). */
bool answer_keeps_connection(
	const struct evhttp_request *request, const struct exchange_head *head);

#endif
