/*
 * traceparent of W3C Trace Context (https://www.w3.org/TR/trace-context/#traceparent-header): is
 * one sound, and a new one. Called by relay/forward for each head. What clients send is passed on
 * as it is, sound or not.
 */
#ifndef SO_CORE_TRACE_H
#define SO_CORE_TRACE_H

#include <stdbool.h>
#include <stddef.h>

/* "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" and NUL */
enum { TRACE_PARENT_BYTES = 56 };
/* What the two ids are made of. */
enum { TRACE_RANDOM_BYTES = 24 };

/* Of version 00, or of a later one that begins alike. */
bool trace_is_sound(const char *value, size_t length);
/* A trace that begins here; sampled: its log line is kept. */
void trace_start(
	const unsigned char random[TRACE_RANDOM_BYTES], char ret_parent[TRACE_PARENT_BYTES]);

#endif
