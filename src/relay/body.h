/*
 * A job's body: what is read of it while it arrives (json/peek, or http/multipart for forms), what
 * the policies change in it once it is complete (PRODUCT 5), and what the answer's token count says
 * about it (4.2). Called by relay.c and ending.c.
 */
#ifndef SO_RELAY_BODY_H
#define SO_RELAY_BODY_H

#include <stdbool.h>

#include "base/compiler.h"

struct evbuffer;
struct peek_result;
struct relay_job;

/* The head is known; the body comes. */
void relay_body_begin(struct relay_job *carried);
/* Looks at more of the body; `data` is not changed. */
void relay_body_feed(struct relay_job *carried, struct evbuffer *data);
/* The body is complete: what it told, an alias already replaced by its model. Belongs to the job.
 */
const struct peek_result *relay_body_finish(struct relay_job *carried);
/* Both: false: the job was refused and must not be used afterwards. */
MUST_CHECK bool relay_body_permit_images(struct relay_job *carried);
/* Makes the edits; relay_body_finish()'s result then tells of the edited body. Of a mere unload
 * only the model's name may change: it asks for nothing else. */
MUST_CHECK bool relay_body_edit(struct relay_job *carried, bool is_unload);
/* Ollama's last byte came: which runner is loaded now? Later ones are not this job's. */
void relay_body_note_context(struct relay_job *carried);
/* The answer has ended and is in the record: fills context_length and prompt_truncated. */
void relay_body_judge(struct relay_job *carried);
/* It is in the queue, or has ended; it may be told twice. */
void relay_body_destroy(struct relay_job *carried);

#endif
