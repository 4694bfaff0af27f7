/*
 * How long a client waits for its answer, as far as its request tells (PRODUCT 3.5): the time-outs
 * that SDKs announce in header fields. Asked by relay at each complete head; what is known of
 * clients that announce nothing says core/policy.
 */
#ifndef SO_CORE_ANNOUNCED_H
#define SO_CORE_ANNOUNCED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct fields;

/*
 * X-Request-Timeout, x-stainless-read-timeout, X-Stainless-Timeout: the first that can be read; in
 * microseconds, 0: none is announced, or the client announces that it does not come back:
 * X-Stainless-Retry-Count tells that it was refused as often as these SDKs bear, so that a
 * refusal would be the end, and it is held as one that never retries.
 */
int64_t announced_patience_us(const struct fields *fields);
/* One value: "20", "0.5", "20s", "500ms", "2m", "1h"; without a unit seconds. false: it is none, is
 * not over 0, or is longer than a day. */
MUST_CHECK bool announced_parse(const char *text, size_t length, int64_t *ret_us);

#endif
