/*
 * Holds the head of an answer as evhttp read it against the head that back/witness read from the
 * same bytes: an answer that two readers read in two ways is refused. Called by back/exchange only.
 */
#ifndef SO_BACK_ANSWER_H
#define SO_BACK_ANSWER_H

#include <stdbool.h>

#include "base/compiler.h"
#include "http/head.h"

struct evhttp_request;

enum {
	/* Heads of answers; the same as the default of head_max. */
	ANSWER_HEAD_BYTES_MOST = 64 * 1024,
};

/* Version, status and fields are the same in both, and evhttp reads the length and the coding in
 * the same way. */
MUST_CHECK bool answer_agrees(struct evhttp_request *request, const struct response_head *head);

#endif
