/*
 * A second reader of an answer that evhttp reads: it looks at the same raw bytes as they arrive and
 * before evhttp does, by the strict rules of http/ (RFC 9112 §2.2, §4, §5, §7.1). evhttp takes bare
 * LFs, folded lines, NULs, versions, sizes and chunk ends for sound that two readers could read in
 * two ways. And it does not know all that is sound: interim answers (RFC 9110 §15.2) and chunk
 * extensions (RFC 9112 §7.1.1) are taken out of its input. Called by back/exchange only, which
 * believes no answer that its witness does not.
 */
#ifndef SO_BACK_WITNESS_H
#define SO_BACK_WITNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/chunked.h"
#include "http/head.h"

struct evbuffer;

struct witness_events {
	/* 100 or 102 to 199. */
	void (*on_interim)(void *arg, int status, const struct fields *fields);
};

struct witness {
	const char *method; /* of the request; not copied */
	const struct witness_events *events;
	void *arg;
	char *bytes; /* of a head that is not whole; NULL: none */
	size_t collected;
	size_t head_bytes;	   /* how long the final answer's is */
	int match;		   /* how much of a head's end was seen */
	struct response_head head; /* the final answer's, from has_head until it is forgotten */
	struct chunked_watch chunks;
	uint64_t body_left; /* of a body with a length; as much was not seen yet */
	bool has_head;
	bool has_length;
	bool is_chunked;
	bool is_wrong; /* the answer is malformed; for good */
};

/* `events` is not copied. */
void witness_init(struct witness *witness, const char *method, const struct witness_events *events,
	void *arg);
void witness_finish(struct witness *witness);
/*
 * The last `added` bytes of `input` are new. Called from the input's own callback, which may "add
 * or remove data" (event2/buffer.h): a head comes back when it is whole and final. The caller has
 * to be deaf to what this changes.
 */
void witness_see(struct witness *witness, struct evbuffer *input, size_t added);
/* Frees the head. */
void witness_forget_head(struct witness *witness);
/* The answer is sound, and so is its end if its coding has one. */
bool witness_is_satisfied(const struct witness *witness);

/* The answer is sound, has a length or is chunked, and all of it was seen, or more. */
bool witness_has_end(const struct witness *witness);

#endif
