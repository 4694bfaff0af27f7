/*
 * Tells UTF-8 from other bytes (RFC 3629: no overlong forms, no surrogates, nothing above
 * U+10FFFF). Called by writer, which must not write anything else, and by answer, which cuts texts
 * between characters.
 */
#ifndef SO_JSON_UTF8_H
#define SO_JSON_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* U+FFFD, which stands for a byte that is not UTF-8, as in Go's encoding/json; it takes 3 bytes. */
#define UTF8_REPLACEMENT 0xfffd
#define UTF8_REPLACEMENT_LENGTH 3
/* Bytes of a character of the basic plane. */
#define UTF8_BMP_MAX 3

/* Bytes of the character at `text`, 1 to 4; 0: there is none (length is at least 1). */
size_t utf8_character(const char *text, size_t length);
/* Bytes of the valid part that `text` begins with. */
size_t utf8_valid_length(const char *text, size_t length);
/* Writes a code point of the basic plane (at most U+FFFF), a surrogate as U+FFFD; returns the bytes
 * written, at most UTF8_BMP_MAX. */
size_t utf8_encode_bmp(uint16_t code_point, char *ret_bytes);

#endif
