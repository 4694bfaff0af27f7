/*
 * One screen of top as lines of text: header, table of jobs, the selected one in full, keys. No
 * terminal, no I/O: made from a snapshot and a view, drawn by terminal or printed by --once. All
 * texts are safe for a terminal and no line is wider than it.
 */
#ifndef SO_TOP_FRAME_H
#define SO_TOP_FRAME_H

#include <stdbool.h>
#include <stddef.h>

struct snapshot;
struct view;

enum frame_look { FRAME_PLAIN, FRAME_HEADING, FRAME_SELECTED, FRAME_ALARM, FRAME_KEYS };

struct frame_line {
	char *text;
	enum frame_look look;
};

struct frame {
	struct frame_line *lines;
	size_t count;
};

struct frame_input {
	const struct snapshot *snapshot;
	struct view *view;   /* settled for this screen */
	const char *url;     /* of whom is asked */
	const char *trouble; /* the service is slow or gone, in words; NULL: it is not */
	const char *clock;   /* "14:31:03" */
	bool utf8;
	size_t columns; /* 0: as many as it takes */
	size_t rows;	/* 0: as many as it takes, and no keys: it is printed, not looked at */
};

void frame_make(const struct frame_input *input, struct frame *ret_frame);
/* A zeroed frame is fine. */
void frame_finish(struct frame *frame);

#endif
