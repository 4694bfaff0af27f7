/* Compiler attributes and small macros that every folder uses. No code. */
#ifndef SO_BASE_COMPILER_H
#define SO_BASE_COMPILER_H

#include <stddef.h>

/* The caller has to look at the result (STYLE B5.2). */
#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define NORETURN __attribute__((noreturn))

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The struct of type `type` whose member `member` is at `pointer`. */
#define CONTAINER_OF(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* What is left of an argument after a call that may end it (STYLE B4.6). */
enum life { ALIVE, GONE };

#endif
