/*
 * The one table of keys. A key's name gives the file key (max_queue_size), the flag
 * (--max-queue-size) and the variable (SHARED_OLLAMA_MAX_QUEUE_SIZE); its other columns give
 * parsing, limits, usage text and what /api/v1/config shows. Everything in struct settings comes
 * from here. Called by the rest of config/, by the configuration's printers and by the
 * documentation's generator.
 */
#ifndef SO_CONFIG_KEYS_H
#define SO_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* symbol, unit of the field as people read it ("": none) */
#define KEY_TYPES(X)                                                           \
	X(DURATION, "seconds") /* int64_t milliseconds */                      \
	X(SIZE, "bytes")       /* int64_t */                                   \
	X(COUNT, "")	       /* int64_t */                                   \
	X(TEXT, "")	       /* char * */                                    \
	X(CHOICE, "")	       /* an enum; the choices in its order */         \
	X(URL, "")	       /* char *, and upstream_host, _port, _is_tls */ \
	X(ADDRESSES, "")       /* char **, NULL-terminated */                  \
	X(WORDS, "")	       /* char **, NULL-terminated, may be empty */

enum key_type {
#define X(symbol, unit) KEY_##symbol,
	KEY_TYPES(X)
#undef X
};

struct key {
	const char *name;
	const char
		*section; /* in the first key of a section of the usage: its heading; else NULL */
	enum key_type type;
	size_t offset;		    /* of the field in struct settings */
	const char *fallback;	    /* the default, as a person would write it */
	const char *fallback_shown; /* how the usage says it, where that differs; else NULL */
	const char *placeholder;    /* what stands for the value in the usage */
	/* What numbers may be, in the field's unit. 0 is allowed besides where zero_is_no_limit. */
	int64_t minimum, maximum;
	bool zero_is_no_limit;
	const char *const *choices; /* NULL-terminated */
	int choice_first;	    /* the enum's value of the first */
	bool may_be_empty;	    /* ADDRESSES: an empty list is fine */
	bool is_secret;		    /* /api/v1/config hides the value */
	bool is_reloadable;	    /* takes effect at SIGHUP */
	const char *help;	    /* one line, no full stop */
};

extern const struct key keys[];
extern const size_t keys_count;

/* A list: a flag that is given several times adds to it. */
bool key_is_list(const struct key *key);
/* "seconds", "bytes" or "". */
const char *key_unit(const struct key *key);
/* The key of this file name or NULL. `name` has `length` bytes. */
const struct key *key_find(const char *name, size_t length);
/* The same for a flag without its dashes, and for a variable without SHARED_OLLAMA_. */
const struct key *key_find_flag(const char *flag, size_t length);
const struct key *key_find_variable(const char *variable, size_t length);
/* New strings: "--max-queue-size", "SHARED_OLLAMA_MAX_QUEUE_SIZE". The caller frees. */
char *key_flag(const struct key *key);
char *key_variable(const struct key *key);

#endif
