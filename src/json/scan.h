/*
 * Finds the few bytes that matter in JSON text, 16 bytes at a time (GCC's vector extension: SSE2,
 * NEON or plain words). Called by filter for the content of strings and of skimmed containers,
 * which is nearly all that passes by.
 */
#ifndef SO_JSON_SCAN_H
#define SO_JSON_SCAN_H

/* The first quote, backslash or control byte (below 0x20), which end a run of plain string content;
 * else `end`. */
const char *scan_string(const char *at, const char *end);
/* The first quote or bracket of either kind; else `end`. */
const char *scan_brackets(const char *at, const char *end);

#endif
