/*
 * A fixed number of names, of projects or of models, each with an index; the rest share the last
 * one, "other". Names come from clients: the table bounds what stats and metrics keep and show
 * (PRODUCT 6.2, 6.3). Part of struct stats. Names are made valid UTF-8, as JSON and Prometheus want
 * them, and cut, so that no two entries are shown alike.
 */
#ifndef SO_OBSERVE_NAME_TABLE_H
#define SO_OBSERVE_NAME_TABLE_H

#include <stddef.h>

enum {
	NAME_TABLE_MOST = 64,
	/* The index of all others. */
	NAME_TABLE_OTHER = NAME_TABLE_MOST,
	NAME_TABLE_ROOM = NAME_TABLE_MOST + 1,
	NAME_TABLE_BYTES = 256,
};

/* Zeroed: empty. */
struct name_table {
	char items[NAME_TABLE_MOST][NAME_TABLE_BYTES]; /* in the order in which they came first */
	size_t count;
};

/* Its index, new if there is room, else NAME_TABLE_OTHER. NULL has a name too, "none". */
size_t name_table_index(struct name_table *names, const char *name);
/* The same, but a name that is not there is NAME_TABLE_OTHER. */
size_t name_table_find(const struct name_table *names, const char *name);
/* Of an index below `count`, or of NAME_TABLE_OTHER. */
const char *name_table_get(const struct name_table *names, size_t index);

#endif
