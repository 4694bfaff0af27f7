/*
 * The body of the request in hand: takes it out of the connection's input by its framing (RFC 9112
 * §6) and hands it on decoded. Embedded in and called by front/client, for bodies that are used and
 * for those that are thrown away.
 */
#ifndef SO_FRONT_INTAKE_H
#define SO_FRONT_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "http/chunked.h"
#include "http/framing.h"

struct evbuffer;

enum intake_status { INTAKE_MORE, INTAKE_COMPLETE, INTAKE_WRONG };

struct intake {
	struct framing framing;
	uint64_t left;	   /* of FRAMING_LENGTH */
	uint64_t received; /* decoded bytes so far */
	struct chunked chunked;
	bool is_complete;
};

void intake_begin(struct intake *intake, struct framing framing);
/* Moves at most `most` decoded bytes from input to output. MORE: call again when there is more
 * input, or at once if `most` came. */
MUST_CHECK enum intake_status intake_read(
	struct intake *intake, struct evbuffer *input, struct evbuffer *output, size_t most);

#endif
