/*
 * The only place that sees ncurses: draws frames, reads keys. One at a time. Owned by top. A signal
 * that ends the program or stops it leaves the terminal in order (ncurses' own handlers).
 */
#ifndef SO_TOP_TERMINAL_H
#define SO_TOP_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

struct frame;

/* false: standard output is no terminal, or an unknown one; `ret_reason` is a static text. */
MUST_CHECK bool terminal_open(const char **ret_reason);
/* As it was before. */
void terminal_close(void);
void terminal_size(size_t *ret_columns, size_t *ret_rows);
void terminal_draw(const struct frame *frame);
/* A character or an enum view_key (top/view.h); -1: none has come. `ret_is_resized`: draw anew. */
int terminal_key(bool *ret_is_resized);

#endif
