/*
 * One request, blocking, with a limit on the whole of it (ask/enquiry.h). Called by health, top
 * and doctor.
 */
#ifndef SO_ASK_ASK_H
#define SO_ASK_ASK_H

#include "ask/enquiry.h"

/* The place's own target, without a key. `ret_answer` is written only with ASK_ANSWERED. */
enum ask_end ask_get(const struct place *place, struct ask_answer *ret_answer);
enum ask_end ask_send(const struct place *place, const struct ask_request *request,
	struct ask_answer *ret_answer);

#endif
