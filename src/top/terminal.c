#include "top/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <ncurses.h>

#include "top/frame.h"
#include "top/view.h"

/* How long an Esc waits for the rest of an arrow key, in milliseconds: a slow line's worth. */
enum { ESCAPE_MS = 50, ESCAPE = 27, PAIR_ALARM = 1 };

static SCREEN *screen;

bool terminal_open(const char **ret_reason)
{
	*ret_reason = "this is no terminal: --once prints one frame";
	if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
		return false;
	*ret_reason = "this terminal is not known: set TERM, or use --once";
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return false;
	set_term(screen);
	set_escdelay(ESCAPE_MS);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	curs_set(0);
	if (has_colors() && start_color() == OK && use_default_colors() == OK)
		init_pair(PAIR_ALARM, COLOR_RED, -1);
	return true;
}

void terminal_close(void)
{
	if (!screen)
		return;
	endwin();
	delscreen(screen);
	screen = NULL;
}

void terminal_size(size_t *ret_columns, size_t *ret_rows)
{
	*ret_columns = (size_t)getmaxx(stdscr);
	*ret_rows = (size_t)getmaxy(stdscr);
}

static attr_t attributes(enum frame_look look)
{
	switch (look) {
	case FRAME_HEADING:
	case FRAME_SELECTED:
		return A_REVERSE;
	case FRAME_ALARM:
		return A_BOLD | (has_colors() ? (attr_t)COLOR_PAIR(PAIR_ALARM) : 0);
	case FRAME_KEYS:
		return A_DIM;
	case FRAME_PLAIN:
		break;
	}
	return A_NORMAL;
}

void terminal_draw(const struct frame *frame)
{
	erase();
	for (size_t i = 0; i < frame->count && (int)i < getmaxy(stdscr); i++) {
		attr_t look = attributes(frame->lines[i].look);

		attrset(look);
		mvaddstr((int)i, 0, frame->lines[i].text);
		if (look & A_REVERSE)
			mvchgat((int)i, 0, -1, A_REVERSE, 0, NULL);
	}
	attrset(A_NORMAL);
	refresh();
}

int terminal_key(bool *ret_is_resized)
{
	static const struct {
		int ours;
		int theirs;
	} keys[] = {{VIEW_KEY_UP, KEY_UP}, {VIEW_KEY_DOWN, KEY_DOWN}, {VIEW_KEY_LEFT, KEY_LEFT},
		{VIEW_KEY_RIGHT, KEY_RIGHT}, {VIEW_KEY_PAGE_UP, KEY_PPAGE},
		{VIEW_KEY_PAGE_DOWN, KEY_NPAGE}, {VIEW_KEY_HOME, KEY_HOME}, {VIEW_KEY_END, KEY_END},
		{VIEW_KEY_ESCAPE, ESCAPE}};
	int key = getch();

	*ret_is_resized = key == KEY_RESIZE;
	if (key == ERR || key == KEY_RESIZE)
		return -1;
	for (size_t i = 0; i < ARRAY_LENGTH(keys); i++) {
		if (keys[i].theirs == key)
			return keys[i].ours;
	}
	return key;
}
