/* What a fault does to an answer. Each returns true when the answer is dealt with (or spoilt) and
 * the caller stops. */
#ifndef SIM_MISCHIEF_H
#define SIM_MISCHIEF_H

#include <stdbool.h>
#include <stddef.h>

#include "conn.h"

/* The body of a request is about to be read. */
bool mischief_before_body(struct conn *conn);
/* A complete request is about to be handled. */
bool mischief_before_answer(struct conn *conn);
/* The head of the answer is about to be written: an informational one first? */
void mischief_before_head(struct conn *conn);
/* Among its headers. */
void mischief_in_head(struct conn *conn);
/* One more chunk. */
bool mischief_on_chunk(struct conn *conn, const char *data, size_t length);
/* The body of an answer in one piece; its head is written. */
bool mischief_on_body(struct conn *conn, const char *body, size_t length);
/* The answer has ended well. */
void mischief_after_end(struct conn *conn);

#endif
