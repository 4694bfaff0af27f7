/* The inside of edit, seen only by edit.c (where the members stand) and edit_apply.c (what becomes
 * of them). */
#ifndef SO_JSON_EDIT_PARTS_H
#define SO_JSON_EDIT_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/edit.h"
#include "json/peek.h"

enum {
	/* Clients send each of the eight once; a body with more is made to vex. */
	EDIT_PLACES_MOST = 64,
	/* The longest key of ours, each letter written as \u0061. */
	EDIT_KEY_BYTES = 64,
	EDIT_DEPTH_ROOT = 1,
	EDIT_DEPTH_OPTIONS = 2,
	/* In struct edit_place.object: the outermost. Others are the place of their "options". */
	EDIT_OBJECT_ROOT = -1,
	/* Kinds of places: enum edit_member, then these. */
	EDIT_KIND_OPTIONS = EDIT_MEMBER_COUNT,
	EDIT_KIND_OPTION, /* + enum peek_option */
	EDIT_KINDS = EDIT_KIND_OPTION + PEEK_OPTION_COUNT,
};

enum edit_action { EDIT_KEEP, EDIT_SET, EDIT_REMOVE };

struct edit_wish {
	enum edit_action action;
	char *json; /* of EDIT_SET */
};

/* A member of ours, by its offsets in the body. */
struct edit_place {
	int kind;
	int object;	/* EDIT_OBJECT_ROOT or the index of the "options" that holds it */
	size_t ordinal; /* among the members of its object */
	uint64_t comma; /* before it, where ordinal > 0 */
	uint64_t start; /* of its key */
	uint64_t value;
	uint64_t end;
	uint64_t next;	/* behind the comma that follows; 0: none follows */
	char first;	/* byte of the value */
	size_t members; /* of the value, an "options" object */
};

/* Where an object whose members are looked at stands. */
struct edit_level {
	size_t ordinal;
	uint64_t comma;
	uint64_t key_start;
	bool is_value_due; /* after the colon */
	bool has_value;	   /* it began */
	bool has_key;
	int place; /* of the member at hand; -1: none of ours */
};

enum edit_state { EDIT_STRUCTURE, EDIT_STRING, EDIT_ESCAPE };

struct edit {
	enum edit_state state;
	bool is_key; /* the running string is one that may be ours */
	bool is_key_long;
	size_t key_length;
	char key[EDIT_KEY_BYTES]; /* as written */
	uint64_t offset;	  /* of the piece at hand */
	uint64_t depth;
	struct edit_level levels[EDIT_DEPTH_OPTIONS + 1]; /* by depth; the first is not used */
	int options;	/* the "options" object that is open; -1: none */
	bool is_object; /* the body begins with { */
	uint64_t root;	/* behind its { */
	size_t root_members;
	struct edit_place *places; /* in order of start */
	size_t places_count;
	size_t places_capacity;
	bool is_overfull;
	struct edit_wish wishes[EDIT_KINDS];
};

#endif
