/*
 * Numbers as people read them on a narrow screen. Called by frame. All write into the buffer that
 * they are given and return it; what is not known (NAN) is "-".
 */
#ifndef SO_TOP_FIGURE_H
#define SO_TOP_FIGURE_H

enum { FIGURE_BYTES = 32 };

/* "85 ms", "8.1 s", "2:05", "1:02:03", "3 d 4 h" */
const char *figure_time(double ms, char ret_text[FIGURE_BYTES]);
const char *figure_count(double count, char ret_text[FIGURE_BYTES]);
/* One decimal. */
const char *figure_rate(double rate, char ret_text[FIGURE_BYTES]);
/* "57 %" of 0.57 */
const char *figure_share(double share, char ret_text[FIGURE_BYTES]);
/* "7.8 GiB" */
const char *figure_bytes(double bytes, char ret_text[FIGURE_BYTES]);

#endif
