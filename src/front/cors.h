/*
 * Cross-origin requests of browsers, as Ollama judges them (gin-contrib/cors with Ollama's list;
 * FACTS-ollama.md "CORS / Host"). Ollama's answers carry its own fields and pass unchanged; these
 * are for the answers that we write ourselves: without them a web page cannot read our 503. Called
 * by front/reply and front/access.
 */
#ifndef SO_FRONT_CORS_H
#define SO_FRONT_CORS_H

#include <stdbool.h>

#include "http/fields.h"
#include "http/head.h"

struct settings;

enum cors {
	CORS_NONE,    /* no Origin, or the one that Host names: nothing to do */
	CORS_ALLOWED, /* the page may read the answer */
	CORS_FOREIGN, /* it may not; Ollama answers 403 */
};

enum cors cors_judge(const struct settings *settings, const struct request_head *head);
/* The request has an Origin and it is this very service, by its Host. */
bool cors_is_same_origin(const struct request_head *head);
/* A browser's question before the request proper: it carries no key and no body. */
bool cors_is_preflight(const struct request_head *head);
/* Where allowed: Access-Control-Allow-Origin and Vary. The values live as long as the head. */
void cors_add_fields(
	struct fields *fields, const struct settings *settings, const struct request_head *head);
/* What Ollama's answer to a preflight has besides. */
void cors_add_preflight_fields(struct fields *fields);

#endif
