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

/*
 * A new string, the caller frees: the first of the words that has something printable
 * (X-Project-Name, X-User-ID, X-Client-ID, the API key's project), trimmed to its printable
 * characters and IDENTITY_PROJECT_BYTES; else the address.
 */
char *identity_project(const struct identity_word *words, size_t count, const char *client_ip);
/*
 * The client's own X-Request-Id where it is sane (1 to 64 of letters, digits, "-._:"), else a new
 * one: 32 hex digits, random.
 */
void identity_request_id(const char *header, size_t length, char ret_id[RECORD_ID_BYTES]);

#endif
