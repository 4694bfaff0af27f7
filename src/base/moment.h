/*
 * Points in time as people and log lines write them (ISO 8601) and back. UTC unless an offset says
 * otherwise. Called by report and back/probe; units: microseconds since 1970.
 */
#ifndef SO_BASE_MOMENT_H
#define SO_BASE_MOMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

enum { MOMENT_BYTES = 32 };

/* "2026-11-24T13:43:47.685Z"; also a blank for T, no fraction, an offset (+01:00), no zone, no
 * seconds, a date alone. Years 1970 to 9999. */
MUST_CHECK bool moment_read(const char *text, size_t length, int64_t *ret_us);
/* The same, or a time before now: "90m", "24h", "7d", "30s". */
MUST_CHECK bool moment_read_argument(const char *text, int64_t now_us, int64_t *ret_us);
/* "2026-11-24 13:43:47" */
void moment_write(int64_t us, char ret_text[MOMENT_BYTES]);

#endif
