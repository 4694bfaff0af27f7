/*
 * Reads one short text field out of a multipart/form-data body (RFC 7578, RFC 2046 §5.1) while it
 * passes by in pieces: the `model` of /v1/audio/transcriptions, beside megabytes of sound. As Go's
 * mime/multipart does, the first field of the name counts and one with a filename is a file; lines
 * end with CRLF. Memory is bounded whatever comes. Called by relay, which owns it.
 */
#ifndef SO_HTTP_MULTIPART_H
#define SO_HTTP_MULTIPART_H

#include <stddef.h>
#include <stdint.h>

/* The longest value that is read; json/peek reads models of no more. */
enum { MULTIPART_VALUE_BYTES = 255 };

struct multipart;

/* `type` is the Content-Type, `field` the name of the field and must live as long. NULL: it is not
 * multipart/form-data, or has no boundary that can be used. */
struct multipart *multipart_create(const char *type, size_t length, const char *field);
/* NULL is fine. */
void multipart_destroy(struct multipart *multipart);
/* Next bytes of the body. */
void multipart_feed(struct multipart *multipart, const void *bytes, size_t length);
/* The field's value; NULL: none came yet, or one that is empty, too long or has a NUL. */
const char *multipart_value(const struct multipart *multipart);
/* Where in the body the value stands; it is as long as its text. */
uint64_t multipart_value_at(const struct multipart *multipart);

#endif
