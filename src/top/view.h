/*
 * What the person at the keyboard looks at: sort column, selected job, help or question. Keys
 * change it; what is to be done at the service comes back as an action. No terminal, no I/O: called
 * by top with keys, read by frame.
 */
#ifndef SO_TOP_VIEW_H
#define SO_TOP_VIEW_H

#include <stdbool.h>
#include <stddef.h>

struct snapshot;

/* X(symbol, heading, is to the right, most columns) */
#define VIEW_COLUMNS(X)                      \
	X(ID, "ID", false, 14)               \
	X(PROJECT, "PROJECT", false, 18)     \
	X(CLASS, "CLASS", false, 11)         \
	X(MODEL, "MODEL", false, 24)         \
	X(OPERATION, "OPERATION", false, 13) \
	X(STATE, "STATE", false, 10)         \
	X(AGE, "AGE", true, 10)              \
	X(WAIT, "WAIT", true, 10)            \
	X(PLACE, "PLACE", true, 6)           \
	X(FORECAST, "FORECAST", true, 10)    \
	X(TOKENS, "TOKENS", true, 8)         \
	X(SPEED, "TOK/S", true, 8)           \
	X(REASON, "REASON", false, 0)

enum view_column {
#define X(symbol, heading, is_right, most) VIEW_##symbol,
	VIEW_COLUMNS(X)
#undef X
		VIEW_COLUMN_COUNT
};

/* Keys that are no characters. */
enum view_key {
	VIEW_KEY_UP = 0x110000, /* above Unicode */
	VIEW_KEY_DOWN,
	VIEW_KEY_LEFT,
	VIEW_KEY_RIGHT,
	VIEW_KEY_PAGE_UP,
	VIEW_KEY_PAGE_DOWN,
	VIEW_KEY_HOME,
	VIEW_KEY_END,
	VIEW_KEY_ESCAPE,
};

enum view_mode { VIEW_TABLE, VIEW_HELP, VIEW_ASKS_CANCEL };
enum view_action {
	VIEW_NOTHING,
	VIEW_QUIT,
	VIEW_CANCEL, /* the job whose id is `selected` */
	VIEW_PAUSE,
	VIEW_PAUSE_UNLOAD,
	VIEW_RESUME,
	VIEW_REFRESH,
};

struct view {
	enum view_mode mode;
	int sort; /* a column, -1: as the service orders them */
	bool is_reversed;
	int first_column; /* those left of it are scrolled out, but ID */
	char *selected;	  /* id; NULL: none */
	size_t page;	  /* rows of jobs on the screen, as frame said last */
	size_t top;	  /* the first one shown */
	char *message;	  /* what came of the last action; gone at the next key */
};

void view_init(struct view *view);
void view_finish(struct view *view);
/* Indexes of the snapshot's jobs in the order to show; a new array, NULL: no jobs. */
size_t *view_order(const struct view *view, const struct snapshot *snapshot);
/* Keeps selection and window where the jobs are: the selected one may have ended. */
void view_settle(struct view *view, const struct snapshot *snapshot, size_t page);
enum view_action view_key(struct view *view, const struct snapshot *snapshot, int key);
/* Takes `message` over. */
void view_say(struct view *view, char *message);

#endif
