#include "json/scan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LANES 16
/* '[' and ']' differ from '{' and '}' in this bit alone. */
#define BRACE_BIT 0x20
#define CONTROL_END 0x20

typedef uint8_t lanes __attribute__((vector_size(LANES)));
typedef int8_t lanes_mask __attribute__((vector_size(LANES)));

static inline bool is_any_set(lanes_mask mask)
{
	uint64_t half[2];

	memcpy(half, &mask, sizeof(half));
	return (half[0] | half[1]) != 0;
}

static inline bool ends_run(uint8_t byte)
{
	return byte == '"' || byte == '\\' || byte < CONTROL_END;
}

const char *scan_string(const char *at, const char *end)
{
	lanes bytes;

	for (; end - at >= LANES; at += LANES) {
		memcpy(&bytes, at, LANES);
		if (is_any_set((bytes == '"') | (bytes == '\\') | (bytes < CONTROL_END)))
			break;
	}
	while (at < end && !ends_run((uint8_t)*at))
		at++;
	return at;
}

static inline bool is_bracket(uint8_t byte)
{
	return byte == '"' || (byte | BRACE_BIT) == '{' || (byte | BRACE_BIT) == '}';
}

const char *scan_brackets(const char *at, const char *end)
{
	lanes bytes;

	for (; end - at >= LANES; at += LANES) {
		memcpy(&bytes, at, LANES);
		if (is_any_set((bytes == '"') | ((bytes | BRACE_BIT) == '{') |
			       ((bytes | BRACE_BIT) == '}')))
			break;
	}
	while (at < end && !is_bracket((uint8_t)*at))
		at++;
	return at;
}
