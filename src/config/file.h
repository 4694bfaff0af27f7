/*
 * The configuration file: libconfig's language (`key = value;` lines, see docs/decisions/0002), a
 * flat list of the table's keys. The only place that sees libconfig. @include does not exist here:
 * a file that the program reads as one user must not name others. Called by load.
 */
#ifndef SO_CONFIG_FILE_H
#define SO_CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct settings;

/* Far over any configuration; a log or a disk image named by mistake is refused. */
enum { FILE_MAX_BYTES = 1 << 20 };

/*
 * Sets what the file says. false: `ret_error` is a new text that begins with the file's name and,
 * where it can be told, the line; some keys may have been set.
 */
MUST_CHECK bool file_apply(const char *path, struct settings *settings, char **ret_error);
/* The same for a text in memory; a NUL follows its `length` bytes. `name` stands for the file in
 * messages. */
MUST_CHECK bool file_parse(const char *name, const char *text, size_t length,
	struct settings *settings, char **ret_error);

#endif
