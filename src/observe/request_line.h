/*
 * One record as the JSON object of PRODUCT 6.1: all keys, always, in the order of
 * docs/schemas/request-log.schema.json; null where something is not known. Called by request_log.
 * Never holds prompts, answers or keys: a record has none.
 */
#ifndef SO_OBSERVE_REQUEST_LINE_H
#define SO_OBSERVE_REQUEST_LINE_H

#include "core/record.h"

struct json_writer;

/* Into a fresh writer. `timestamp` is the moment of the end by the wall clock. */
void request_line_write(struct json_writer *writer, const struct record *record);

#endif
