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

/*
 * A new string, the caller frees: the header's value (X-Project-Name) trimmed to its printable
 * characters and IDENTITY_PROJECT_BYTES, else the address. `header` may be NULL and needs no NUL.
 */
char *identity_project(const char *header, size_t length, const char *client_ip);
/*
 * The client's own X-Request-Id where it is sane (1 to 64 of letters, digits, "-._:"), else a new
 * one: 32 hex digits, random.
 */
void identity_request_id(const char *header, size_t length, char ret_id[RECORD_ID_BYTES]);

#endif
