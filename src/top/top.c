#include "top/top.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ask/ask.h"
#include "ask/own_flags.h"
#include "ask/place.h"
#include "ask/printable.h"
#include "base/memory.h"
#include "config/load.h"
#include "config/settings.h"
#include "top/feed.h"
#include "top/frame.h"
#include "top/terminal.h"
#include "top/view.h"

enum { EXIT_OK = 0, EXIT_FAIL = 1, EXIT_WRONG_USAGE = 2, CLOCK_BYTES = 16 };

static const char help[] =
	"usage: shared-ollama top [URL] [-c FILE] [--once] [--ascii] [--key KEY]\n"
	"\n"
	"The queue of a running shared-ollama, live, like top: what runs, what waits and why,\n"
	"what is loaded. h in it lists the keys: sort, select, cancel, pause, resume; q quits.\n"
	"Without URL it is the address that the configuration (-c FILE, SHARED_OLLAMA_*)\n"
	"listens on, 127.0.0.1:8000 if it says nothing.\n"
	"\n"
	"  --once     print one frame as plain text and end\n"
	"  --ascii    only ASCII, whatever the locale says\n"
	"  --key KEY  an API key of the service; better in the variable SHARED_OLLAMA_KEY,\n"
	"             for arguments can be seen by others on this machine\n"
	"  --help     this text\n"
	"\n"
	"Exit codes: 0 fine, 1 nothing could be shown, 2 wrong usage.\n";

struct top {
	struct place place;
	char *url;
	char *key;
	bool utf8;
	bool is_once;
	struct feed *feed;
	struct view view;
};

static void make_frame(struct top *top, size_t columns, size_t rows, struct frame *ret_frame)
{
	time_t now = time(NULL);
	char clock[CLOCK_BYTES] = "";
	struct tm local;
	struct frame_input input = {
		.snapshot = feed_snapshot(top->feed),
		.view = &top->view,
		.url = top->url,
		.trouble = feed_trouble(top->feed),
		.clock = clock,
		.utf8 = top->utf8,
		.columns = columns,
		.rows = rows,
	};

	if (localtime_r(&now, &local))
		strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	if (!input.trouble && !input.snapshot->has_stats)
		input.trouble = "asking";
	frame_make(&input, ret_frame);
}

/* Until the feed or `fd` (-1: none) has something, or the feed's time has come. */
static void await(struct top *top, int fd)
{
	struct pollfd polls[FEED_POLLS_MOST + 1];
	int timeout_ms;
	size_t count = feed_polls(top->feed, polls, &timeout_ms);

	if (fd >= 0)
		polls[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
	/* A signal (the window changed) ends it as well. */
	poll(polls, count, timeout_ms);
}

static int run_once(struct top *top)
{
	struct frame frame;
	const char *trouble;

	while (!feed_step(top->feed))
		await(top, -1);
	trouble = feed_trouble(top->feed);
	if (!feed_is_complete(top->feed) || trouble) {
		fprintf(stderr, "shared-ollama top: %s: %s\n", top->url,
			trouble ? trouble : "no answer");
		return EXIT_FAIL;
	}
	make_frame(top, 0, 0, &frame);
	for (size_t i = 0; i < frame.count; i++)
		puts(frame.lines[i].text);
	frame_finish(&frame);
	return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAIL;
}

/* false: it is over. */
static bool act(struct top *top, enum view_action action)
{
	bool is_taken = true;

	switch (action) {
	case VIEW_QUIT:
		return false;
	case VIEW_CANCEL:
		is_taken = !top->view.selected || feed_cancel(top->feed, top->view.selected);
		break;
	case VIEW_PAUSE:
	case VIEW_PAUSE_UNLOAD:
		is_taken = feed_pause(top->feed, action == VIEW_PAUSE_UNLOAD);
		break;
	case VIEW_RESUME:
		is_taken = feed_resume(top->feed);
		break;
	case VIEW_REFRESH:
		feed_refresh(top->feed);
		break;
	case VIEW_NOTHING:
		break;
	}
	if (!is_taken)
		view_say(&top->view, mem_strdup("the last command is still under way"));
	return true;
}

/* false: it is over. */
static bool take_keys(struct top *top)
{
	bool is_going = true;
	bool is_resized = true;

	while (is_going) {
		int key = terminal_key(&is_resized);

		if (key < 0 && !is_resized)
			break;
		if (key >= 0)
			is_going = act(top, view_key(&top->view, feed_snapshot(top->feed), key));
	}
	return is_going;
}

static void draw(struct top *top)
{
	size_t columns, rows;
	struct frame frame;

	terminal_size(&columns, &rows);
	make_frame(top, columns, rows, &frame);
	terminal_draw(&frame);
	frame_finish(&frame);
}

/* The other end of the terminal is gone: nobody will ever press q. */
static bool is_hung_up(void)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

	return poll(&input, 1, 0) > 0 && (input.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static int run_live(struct top *top)
{
	const char *reason;

	if (!terminal_open(&reason)) {
		fprintf(stderr, "shared-ollama top: %s\n", reason);
		return EXIT_FAIL;
	}
	do {
		char *news;

		feed_step(top->feed);
		news = feed_take_news(top->feed);
		if (news)
			view_say(&top->view, news);
		draw(top);
		await(top, STDIN_FILENO);
	} while (take_keys(top) && !is_hung_up());
	terminal_close();
	return EXIT_OK;
}

/* Returns an exit code, -1: go on. */
static int set_up(struct top *top, const struct load_result *loaded)
{
	char *error, *authority;

	if (loaded->action == LOAD_USAGE || loaded->action == LOAD_FAILURE) {
		fprintf(stderr, "shared-ollama top: %s\n", loaded->message);
		return loaded->action == LOAD_USAGE ? EXIT_WRONG_USAGE : EXIT_FAIL;
	}
	if (loaded->action != LOAD_TOP) {
		fputs(help, stdout);
		return EXIT_OK;
	}
	if (!place_find(loaded->url, loaded->settings, "top", &top->place, &error)) {
		fprintf(stderr, "shared-ollama top: %s\n", error);
		free(error);
		return loaded->url ? EXIT_WRONG_USAGE : EXIT_FAIL;
	}
	authority = place_authority(&top->place);
	top->url = mem_printf("http://%s", authority);
	free(authority);
	return -1;
}

static int run(struct top *top, int argc, char **argv, char **environment)
{
	struct load_result loaded = load_settings(argc, argv, environment);
	int code = set_up(top, &loaded);

	if (code < 0) {
		top->feed = feed_create(&top->place, top->key);
		view_init(&top->view);
		code = top->is_once ? run_once(top) : run_live(top);
		view_finish(&top->view);
		feed_destroy(top->feed);
	}
	free(loaded.message);
	settings_return(loaded.settings);
	return code;
}

int top_run(int argc, char **argv, char **environment)
{
	struct top top = {0};
	bool is_ascii = false;
	char *given = NULL;
	char *error = NULL;
	int code = EXIT_WRONG_USAGE;
	const struct own_flag flags[] = {
		{.name = "--once", .ret_is_set = &top.is_once},
		{.name = "--ascii", .ret_is_set = &is_ascii},
		{.name = "--key", .ret_value = &given, .is_secret = true},
	};

	if (!own_flags_take(&argc, argv, flags, ARRAY_LENGTH(flags), &error)) {
		own_flags_forget_key(given);
	} else if (own_flags_key(given, &top.key, &error)) {
		top.utf8 = printable_set_locale() && !is_ascii;
		code = run(&top, argc, argv, environment);
	}
	if (error)
		fprintf(stderr, "shared-ollama top: %s\n", error);
	free(error);
	own_flags_forget_key(top.key);
	free(top.url);
	place_finish(&top.place);
	return code;
}
