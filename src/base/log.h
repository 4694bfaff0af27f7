/*
 * Diagnostics on stderr: one key=value line a message (STYLE B5.7). Values from outside are escaped
 * by the LOG_TEXT way: pass them as fields, never in the message. Repeats of one call site are
 * limited (LOG_BURST lines per LOG_WINDOW_MS) and counted. Not the request log
 * (observe/request_log).
 */
#ifndef SO_BASE_LOG_H
#define SO_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_LEVELS(X)     \
	X(ERROR, "error") \
	X(WARN, "warn")   \
	X(INFO, "info")   \
	X(DEBUG, "debug")

enum log_level {
#define X(symbol, name) LOG_##symbol,
	LOG_LEVELS(X)
#undef X
};
const char *log_level_name(enum log_level level);
bool log_level_parse(const char *name, enum log_level *ret_level);

void log_set_level(enum log_level level);
bool log_is_on(enum log_level level);

/* One field of a line; build with the macros below. */
struct log_field {
	const char *key;
	const char *text; /* escaped and quoted where needed; NULL when it is a number */
	int64_t number;
};
#define LOG_TEXT(key, value) ((struct log_field){(key), log_text(value), 0})
#define LOG_NUMBER(key, value) ((struct log_field){(key), 0, (int64_t)(value)})

static inline const char *log_text(const char *text)
{
	return text ? text : "";
}

/*
 * At most LOG_BURST lines of one call site in LOG_WINDOW_MS; the first line after that says
 * `suppressed=N`. Ten show the pattern, and a site that fails at every request stays below 100
 * lines a minute.
 */
enum { LOG_BURST = 10, LOG_WINDOW_MS = 10000 };

/* Where the limit of repeats is counted. */
struct log_site {
	int64_t window_start_ms;
	uint32_t written;
	uint32_t suppressed;
};

/*
 * ts=2026-01-31T12:00:00.000001Z level=warn msg="text" key=value key="two words" ...
 * `count` fields are in `fields`. Escaped are quotes, backslashes, control bytes and what is not
 * UTF-8 (\xNN). A value is cut after 1 KiB (it then ends in ...), a line holds 4 KiB: fields that
 * do not fit are left out. Errors of stderr are ignored, errno is kept.
 */
void log_write(enum log_level level, struct log_site *site, const char *message,
	const struct log_field *fields, unsigned count);

/*
 * LOG(WARN, "upstream refuses connections", LOG_TEXT("upstream", name), LOG_NUMBER("attempts", n))
 * The fields are evaluated only when the level is on.
 */
#define LOG(level, message, ...)                                                     \
	do {                                                                         \
		if (log_is_on(LOG_##level)) {                                        \
			static struct log_site log_site_;                            \
			const struct log_field log_fields_[] = {{0}, ##__VA_ARGS__}; \
			log_write(LOG_##level, &log_site_, message, log_fields_ + 1, \
				sizeof(log_fields_) / sizeof(log_fields_[0]) - 1);   \
		}                                                                    \
	} while (0)

#endif
