/* POST /v1/chat/completions and /v1/completions: single objects and server-sent events, as Ollama
 * words them. */
#ifndef SIM_OPENAI_H
#define SIM_OPENAI_H

#include "json.h"
#include "mem.h"

struct bytes;
struct conn;
struct job;
struct model;

void openai_chat(struct conn *conn);
void openai_completions(struct conn *conn);

/* Shared by the /v1 modules. */

/* {"error":{"message":…,"type":…,"param":null,"code":null}} and a line end; the words for a status.
 */
void openai_error(struct conn *conn, int status, const char *message);
/* Parses the body, which the caller frees; NULL: answered with 400. */
yajl_val openai_parse(struct conn *conn);
/* NULL: answered with 404. */
struct model *openai_find(struct conn *conn, const char *name);
/* The name of a status: "not_found_error", … */
const char *openai_error_type(int status);
/* Thinking, template and tools of a request without native options. */
void openai_prepare(struct job *job, yajl_val body);

#endif
