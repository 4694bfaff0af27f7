/*
 * Writes one JSON text (an error body, a log line, the stats), key by key. Called by everything
 * that sends or logs JSON; by itself, since yajl_gen took a quarter of a small request's
 * instructions (docs/performance.md). Strings from outside may hold any bytes: what is not UTF-8 is
 * written as U+FFFD. Compact, no white space.
 */
#ifndef SO_JSON_WRITER_H
#define SO_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct json_writer;

struct json_writer *json_writer_create(void);
/* NULL is fine. */
void json_writer_destroy(struct json_writer *writer);
/* Forgets what was written; the writer can be used for the next text (log lines reuse one). */
void json_writer_reset(struct json_writer *writer);

/* `key` is NULL inside an array and for the outermost value. */
void json_begin_object(struct json_writer *writer, const char *key);
void json_end_object(struct json_writer *writer);
void json_begin_array(struct json_writer *writer, const char *key);
void json_end_array(struct json_writer *writer);

/* A NULL value is written as null. */
void json_put_string(struct json_writer *writer, const char *key, const char *value);
void json_put_string_n(
	struct json_writer *writer, const char *key, const char *value, size_t length);
void json_put_int(struct json_writer *writer, const char *key, int64_t value);
/* `decimals` digits after the point, always (3: 12.500). Not finite: null. */
void json_put_fixed(struct json_writer *writer, const char *key, double value, int decimals);
void json_put_bool(struct json_writer *writer, const char *key, bool value);
void json_put_null(struct json_writer *writer, const char *key);

/* The text so far; valid until the next call on this writer. NUL-terminated. */
const char *json_writer_get(const struct json_writer *writer, size_t *ret_length);

#endif
