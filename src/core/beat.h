/*
 * Which bytes tell a waiting client that it still waits and do it no harm (PRODUCT 3.9,
 * FACTS-clients "Heartbeats while waiting"). Decided once for each job, when its body is complete;
 * relay/beats.c sends them.
 */
#ifndef SO_CORE_BEAT_H
#define SO_CORE_BEAT_H

#include <stdbool.h>
#include <stddef.h>

#include "config/rules.h"
#include "core/record.h"
#include "json/tap.h"

/* X(symbol, Content-Type that it commits, NULL: none) */
#define BEATS(X)                                                           \
	X(NONE, NULL)                                                      \
	X(PROCESSING, NULL)		     /* 102; commits nothing */    \
	X(COMMENT, "text/event-stream")	     /* of an SSE stream */        \
	X(CHAT_LINE, "application/x-ndjson") /* a chunk without content */ \
	X(GENERATE_LINE, "application/x-ndjson")                           \
	X(SPACE, "application/json; charset=utf-8") /* before a whole JSON body */

enum beat {
#define X(symbol, type) BEAT_##symbol,
	BEATS(X)
#undef X
		BEAT_COUNT
};

/* NULL: it commits no status. */
const char *beat_content_type(enum beat beat);
/*
 * `record` as filled from head and body. `has_json` false: the body could not be read, so the
 * answer's form is not known. `minor` is the client's HTTP version. NONE where no bytes are
 * harmless.
 */
enum beat beat_choose(enum heartbeat wish, const struct record *record, bool has_json, int minor);
/* Ollama's answer of this format can follow what was committed. */
bool beat_fits(enum beat beat, enum tap_format format);

#endif
