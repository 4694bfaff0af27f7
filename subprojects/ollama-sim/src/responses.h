/* POST /v1/responses: OpenAI's newer form. Objects of events have their keys in alphabetical order,
 * as recorded. */
#ifndef SIM_RESPONSES_H
#define SIM_RESPONSES_H

struct conn;

void responses_create(struct conn *conn);

#endif
