/*
 * A fixed number of names, of projects or of models, each with an index; the rest share the last
 * one, "other". Names come from clients: the table bounds what stats and metrics keep and show
 * (PRODUCT 6.2, 6.3), and whoever invents names pushes nobody out: when it is full, only a name
 * that is proven (a job of it succeeded) or kept (the configuration has it) gets in, for the one
 * that was proven least. Part of struct stats. Names are made valid UTF-8 and cut, so that no two
 * entries are shown alike.
 */
#ifndef SO_OBSERVE_NAME_TABLE_H
#define SO_OBSERVE_NAME_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NAME_TABLE_MOST = 64,
	/* The index of all others. */
	NAME_TABLE_OTHER = NAME_TABLE_MOST,
	NAME_TABLE_ROOM = NAME_TABLE_MOST + 1,
	NAME_TABLE_BYTES = 256,
	/* So many, at most, of the configuration's never give way; the rest are for all others. */
	NAME_TABLE_KEPT_MOST = 48,
};

/* What is known of a name that is asked for. */
enum name_rank {
	NAME_SEEN,
	NAME_PROVEN,
	NAME_KEPT,
};

struct name_entry {
	char name[NAME_TABLE_BYTES];
	uint64_t proofs;
	uint64_t used; /* the table's `uses` when it was asked for last */
	bool is_kept;
};

/* Zeroed: empty. */
struct name_table {
	struct name_entry items[NAME_TABLE_MOST]; /* in the order in which they came first */
	size_t count;
	size_t kept;
	uint64_t uses;
};

/*
 * Its index, new if there is room or another one gives way, else NAME_TABLE_OTHER. NULL has a name
 * too, "none". *ret_is_replaced: another had this index, and what was summed up there is not its.
 */
size_t name_table_index(
	struct name_table *names, const char *name, enum name_rank rank, bool *ret_is_replaced);
/* The same, but a name that is not there is NAME_TABLE_OTHER. */
size_t name_table_find(const struct name_table *names, const char *name);
/* None is kept any more: before the configuration's names are told anew. */
void name_table_release(struct name_table *names);
/* Of an index below `count`, or of NAME_TABLE_OTHER. */
const char *name_table_get(const struct name_table *names, size_t index);

#endif
