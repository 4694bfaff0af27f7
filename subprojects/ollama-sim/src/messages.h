/* POST /v1/messages: Anthropic's form. */
#ifndef SIM_MESSAGES_H
#define SIM_MESSAGES_H

struct conn;

void messages_create(struct conn *conn);

#endif
