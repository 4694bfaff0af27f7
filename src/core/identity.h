/*
 * Who is who: the project and the id of a request (PRODUCT 5, 1.4). Called by relay and pass for
 * each complete head.
 */
#ifndef SO_CORE_IDENTITY_H
#define SO_CORE_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>

#include "core/record.h"

enum { IDENTITY_PROJECT_BYTES = 128 };

/* A text that needs no NUL; NULL: nothing. */
struct identity_word {
	const char *text;
	size_t length;
};

/* What may tell the project, the first one first (PRODUCT 5). */
enum identity_source {
	IDENTITY_PROJECT_NAME, /* X-Project-Name */
	IDENTITY_USER_ID,      /* X-User-ID */
	IDENTITY_CLIENT_ID,    /* X-Client-ID */
	IDENTITY_KEY,	       /* the API key's project */
	/* X-OpenWebUI-User-Name, -Email and -Id: percent-encoded, as Open WebUI sends them */
	IDENTITY_WEBUI_NAME,
	IDENTITY_WEBUI_EMAIL,
	IDENTITY_WEBUI_ID,
	IDENTITY_PREFIX,   /* /@NAME/ of the URL, decoded */
	IDENTITY_LISTENER, /* the listener's rule */
	IDENTITY_AGENT,	   /* a rule for its User-Agent */
	IDENTITY_SOURCES
};

/*
 * A new string, the caller frees: the first of the words, one for each source, that has something
 * printable, trimmed to its printable characters and IDENTITY_PROJECT_BYTES; else the address.
 */
char *identity_project(const struct identity_word words[IDENTITY_SOURCES], const char *client_ip);
/*
 * The client's own X-Request-Id where it is sane (1 to 64 of letters, digits, "-._:"), else a new
 * one: 32 hex digits, random.
 */
void identity_request_id(const char *header, size_t length, char ret_id[RECORD_ID_BYTES]);

#endif
