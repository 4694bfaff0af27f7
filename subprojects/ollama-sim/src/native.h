/* POST /api/generate and /api/chat: NDJSON streams and single objects. */
#ifndef SIM_NATIVE_H
#define SIM_NATIVE_H

#include "json.h"
#include "mem.h"

struct conn;
struct model;
struct prompt;

void native_generate(struct conn *conn);
void native_chat(struct conn *conn);

/* The texts of errors that endpoints share; each answers when it returns false. */

/* Parses the body, which the caller frees; NULL: answered with 400. */
yajl_val native_parse(struct conn *conn, const char *go_struct);
/* NULL: answered with 404. */
struct model *native_find(struct conn *conn, const char *name);
/* For format errors and images on a text model: the error text of llama.cpp in Ollama's wrapping,
 * or NULL. */
const char *native_runner_refusal(
	const struct model *model, const struct prompt *prompt, yajl_val format);

#endif
