/*
 * JSON numbers as integers. Called by peek, answer and ps from yajl's number callback, so the text
 * is a valid JSON number; it has at most FILTER_SCALAR_MAX bytes.
 */
#ifndef SO_JSON_NUMBER_H
#define SO_JSON_NUMBER_H

#include <stddef.h>
#include <stdint.h>

/* 8192, 8192.0 and 8.192e3 alike; fractions are cut off, what does not fit is the nearest that
 * does. */
int64_t number_parse(const char *number, size_t length);

#endif
