/*
 * Stands in front of yajl, which rescans a token from its start whenever the token spans two calls:
 * a 10 MB image in pieces of 4 KiB would cost seconds. The filter passes JSON on as it is, without
 * copying, but so that no token is long: of a string only the first FILTER_STRING_MAX bytes as
 * written (cut before an escape, never inside it), no other scalar beyond FILTER_SCALAR_MAX, no
 * nesting beyond FILTER_DEPTH_MAX. What it drops it still checks as yajl would (escapes, control
 * bytes); yajl checks the rest. What reaches yajl does not depend on how the text was cut into
 * pieces.
 *
 * Called by peek (which also wants the dropped bytes of images) and by answer (which wants neither
 * arrays nor what is nested deep: "skimming"). The struct is embedded; its fields are the filter's
 * own.
 */
#ifndef SO_JSON_FILTER_H
#define SO_JSON_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* A model name of 255 bytes, each written as \u0061, still comes whole. */
#define FILTER_STRING_MAX 1536
/* A double with all its digits takes 25. */
#define FILTER_SCALAR_MAX 64
/* Go's encoding/json refuses deeper texts, so Ollama does. */
#define FILTER_DEPTH_MAX 10000

struct filter_events {
	/* Text for yajl. false stops the filter. Strings begin and end in it, cut or not. */
	bool (*on_json)(void *arg, const char *bytes, size_t length);
	/*
	 * A string proved to be long; on_json has had all before it, its opening quote and its
	 * first bytes. true: its content is wanted, on_content comes from its first byte on, until
	 * on_json gives the closing quote. May be NULL.
	 */
	bool (*on_long_string)(void *arg);
	/* The next bytes of that content, escapes decoded (a surrogate as U+FFFD). */
	void (*on_content)(void *arg, const char *bytes, size_t length);
};

enum filter_state {
	FILTER_STRUCTURE,
	FILTER_STRING,
	FILTER_ESCAPE, /* after the backslash */
	FILTER_HEX,    /* after \u */
	FILTER_SKIMMED /* in a container whose content is dropped, outside of strings */
};

struct filter {
	const struct filter_events *events;
	void *arg;
	enum filter_state state;
	bool failed;
	bool skim;		/* arrays and deep objects are emptied */
	bool is_skimming;	/* now in one of them */
	bool is_cut;		/* now in a string whose rest is dropped */
	bool is_wanted;		/* its content goes to on_content */
	unsigned object_depth;	/* objects nested deeper are skimmed */
	unsigned depth;		/* open containers */
	unsigned skim_until;	/* depth at which skimming ends */
	unsigned scalar_length; /* of the number or literal that is running */
	unsigned hex_digits;	/* of a \u seen so far */
	uint16_t code_point;
	const char *span;    /* in this piece: first byte not yet given to on_json */
	const char *content; /* in this piece: where the running string's content begins */
	size_t head_length;  /* of the running string in earlier pieces */
	char head[FILTER_STRING_MAX];
};

/* `events` must outlive the filter. */
void filter_init(struct filter *filter, const struct filter_events *events, void *arg);
/* From now on arrays, and objects more than `object_depth` deep, reach on_json empty. */
void filter_skim(struct filter *filter, unsigned object_depth);
/* The next piece. false: refused, now or before; further pieces cost nothing then. */
bool filter_feed(struct filter *filter, const char *bytes, size_t length);
/* Asked from inside on_json: the string that ends there was cut. */
static inline bool filter_is_cut(const struct filter *filter)
{
	return filter->is_cut;
}
/* It refused a piece. */
static inline bool filter_has_failed(const struct filter *filter)
{
	return filter->failed;
}

#endif
