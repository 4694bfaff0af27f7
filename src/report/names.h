/*
 * A bounded table of rows by name (projects, models), so that a log with endless names takes no
 * more memory: the first names get a row each, later ones share the row "(others)". Called by
 * report/analysis and report/loads; the table owns rows and names.
 */
#ifndef SO_REPORT_NAMES_H
#define SO_REPORT_NAMES_H

#include <stddef.h>

#include "report/line.h"

/* Longer names are cut: our writer's are no longer. */
enum { NAME_BYTES_MOST = 160 };

struct names;

/* Rows are zeroed, `row_bytes` each; at most `most` names. */
struct names *names_create(size_t most, size_t row_bytes);
void names_destroy(struct names *names);

/* The row of a name, made where there is room; never NULL. A name that is NULL is "(none)". */
void *names_row(struct names *names, struct text name);
/* Rows in use, the others' included once it was used. */
size_t names_count(const struct names *names);
void *names_at(const struct names *names, size_t index);
const char *names_name(const struct names *names, size_t index);

#endif
