/*
 * A second reader of an answer that evhttp reads: it looks at the same raw bytes as they arrive and
 * before evhttp does, by the strict rules of http/ (RFC 9112 §2.2, §4, §5, §7.1), takes none and
 * copies the head only. evhttp takes bare LFs, folded lines, NULs, versions, sizes and chunk ends
 * for sound that two readers could read in two ways. Called by back/exchange only, which believes
 * no answer that its witness does not.
 */
#ifndef SO_BACK_WITNESS_H
#define SO_BACK_WITNESS_H

#include <stdbool.h>
#include <stddef.h>

#include "http/chunked.h"
#include "http/head.h"

struct evbuffer;

struct witness {
	const char *method; /* of the request; not copied */
	char *bytes;	    /* of a head that is not whole; NULL: none */
	size_t collected;
	int match;		   /* how much of a head's end was seen */
	struct response_head head; /* the final answer's, from has_head until it is forgotten */
	struct chunked_watch chunks;
	bool has_head;
	bool is_chunked;
	bool is_wrong; /* the answer is malformed; for good */
};

void witness_init(struct witness *witness, const char *method);
void witness_finish(struct witness *witness);
/* The last `added` bytes of `input` are new. Interim answers of status 100 are passed over; any
 * other is wrong, since evhttp takes it for the answer. */
void witness_see(struct witness *witness, struct evbuffer *input, size_t added);
/* Frees the head. */
void witness_forget_head(struct witness *witness);
/* The answer is sound, and so is its end if its coding has one. */
bool witness_is_satisfied(const struct witness *witness);

#endif
