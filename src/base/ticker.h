/*
 * The time, read once a loop turn (STYLE B3.4): everything in one turn sees the same moment.
 * proxy.c calls ticker_new_turn() before it waits for events; the first ticker_now_* after that
 * reads the clock. Tests set it. Monotonic and wall clock are read together; deadlines use only the
 * monotonic one, so clock jumps change none.
 */
#ifndef SO_BASE_TICKER_H
#define SO_BASE_TICKER_H

#include <stdint.h>

void ticker_new_turn(void);
/* Monotonic, microseconds since an arbitrary start; never 0. */
int64_t ticker_now_us(void);
/* The same in whole milliseconds. */
int64_t ticker_now_ms(void);
/* Wall clock, microseconds since 1970. */
int64_t ticker_wall_us(void);
/* From now on the monotonic time is `now_us` and the wall clock `wall_us`, until the next call
 * (unit tests). */
void ticker_set_for_test(int64_t now_us, int64_t wall_us);

#endif
