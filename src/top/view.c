#include "top/view.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "top/snapshot.h"

void view_init(struct view *view)
{
	*view = (struct view){.sort = -1, .first_column = 1, .page = 1};
}

void view_finish(struct view *view)
{
	free(view->selected);
	free(view->message);
	*view = (struct view){0};
}

void view_say(struct view *view, char *message)
{
	free(view->message);
	view->message = message;
}

static const char *text_of(const struct snapshot_job *job, int column)
{
	switch (column) {
	case VIEW_ID:
		return job->id;
	case VIEW_PROJECT:
		return job->project;
	case VIEW_CLASS:
		return job->class;
	case VIEW_MODEL:
		return job->model;
	case VIEW_OPERATION:
		return job->operation;
	case VIEW_STATE:
		return job->state;
	default:
		return job->reason;
	}
}

static double number_of(const struct snapshot_job *job, int column)
{
	switch (column) {
	case VIEW_AGE:
		return job->age_ms;
	case VIEW_WAIT:
		return job->wait_ms;
	case VIEW_PLACE:
		return job->place;
	case VIEW_FORECAST:
		return job->forecast_ms;
	case VIEW_TOKENS:
		return job->tokens;
	default:
		return job->tokens_per_s;
	}
}

static bool is_number(int column)
{
	return column >= VIEW_AGE && column <= VIEW_SPEED;
}

/* What is unknown comes last, also in reverse. */
static int compare_known(bool has_first, bool has_second, bool *ret_is_decided)
{
	*ret_is_decided = !has_first || !has_second;
	return (int)has_second - (int)has_first;
}

static int compare(const struct view *view, const struct snapshot_job *first,
	const struct snapshot_job *second)
{
	bool is_decided;
	int order;

	if (is_number(view->sort)) {
		double a = number_of(first, view->sort), b = number_of(second, view->sort);

		order = compare_known(!isnan(a), !isnan(b), &is_decided);
		if (!is_decided)
			order = (a > b) - (a < b);
	} else {
		const char *a = text_of(first, view->sort), *b = text_of(second, view->sort);

		order = compare_known(a, b, &is_decided);
		if (!is_decided)
			order = strcmp(a, b);
	}
	return !is_decided && view->is_reversed ? -order : order;
}

struct sorting {
	const struct view *view;
	const struct snapshot *snapshot;
};

/* Equal ones keep the service's order. */
static int compare_indexes(const void *first, const void *second, void *arg)
{
	const struct sorting *sorting = arg;
	size_t a = *(const size_t *)first, b = *(const size_t *)second;
	int order =
		compare(sorting->view, &sorting->snapshot->jobs[a], &sorting->snapshot->jobs[b]);

	return order ? order : (a > b) - (a < b);
}

size_t *view_order(const struct view *view, const struct snapshot *snapshot)
{
	size_t count = snapshot->jobs_count;
	struct sorting sorting = {.view = view, .snapshot = snapshot};
	size_t *order;

	if (count == 0)
		return NULL;
	order = mem_zalloc_array(count, sizeof(*order));
	for (size_t i = 0; i < count; i++)
		order[i] = view->sort < 0 && view->is_reversed ? count - 1 - i : i;
	if (view->sort >= 0)
		qsort_r(order, count, sizeof(*order), compare_indexes, &sorting);
	return order;
}

/* The row of the selected job; SIZE_MAX: it is not there. */
static size_t selected_row(
	const struct view *view, const struct snapshot *snapshot, const size_t *order)
{
	for (size_t i = 0; view->selected && i < snapshot->jobs_count; i++) {
		const char *id = snapshot->jobs[order[i]].id;

		if (id && strcmp(id, view->selected) == 0)
			return i;
	}
	return SIZE_MAX;
}

static void show_row(struct view *view, size_t row)
{
	if (row < view->top)
		view->top = row;
	if (row >= view->top + view->page)
		view->top = row - view->page + 1;
}

void view_settle(struct view *view, const struct snapshot *snapshot, size_t page)
{
	size_t *order = view_order(view, snapshot);
	size_t row = selected_row(view, snapshot, order);

	view->page = page ? page : 1;
	if (row == SIZE_MAX) {
		free(view->selected);
		view->selected = NULL;
		if (view->mode == VIEW_ASKS_CANCEL) {
			view->mode = VIEW_TABLE;
			view_say(view, mem_strdup("this request has ended"));
		}
	} else {
		show_row(view, row);
	}
	if (view->top + view->page > snapshot->jobs_count)
		view->top =
			snapshot->jobs_count > view->page ? snapshot->jobs_count - view->page : 0;
	free(order);
}

static void select_row(
	struct view *view, const struct snapshot *snapshot, const size_t *order, size_t row)
{
	const char *id = snapshot->jobs[order[row]].id;

	free(view->selected);
	view->selected = mem_strdup(id);
	show_row(view, row);
}

/* Moves the selection by so many rows; without one it begins at what is shown first. */
static void move(struct view *view, const struct snapshot *snapshot, int64_t by)
{
	size_t *order = view_order(view, snapshot);
	size_t row = selected_row(view, snapshot, order);
	int64_t last = (int64_t)snapshot->jobs_count - 1;
	int64_t wanted = row == SIZE_MAX ? (int64_t)view->top : (int64_t)row + by;

	if (wanted > last)
		wanted = last;
	if (wanted < 0)
		wanted = 0;
	if (order)
		select_row(view, snapshot, order, (size_t)wanted);
	free(order);
}

/* -1, the service's own order, stands before the first column. */
static void sort_by(struct view *view, int step)
{
	view->sort += step;
	if (view->sort < -1)
		view->sort = VIEW_COLUMN_COUNT - 1;
	if (view->sort >= VIEW_COLUMN_COUNT)
		view->sort = -1;
}

static void scroll(struct view *view, int step)
{
	int column = view->first_column + step;

	if (column >= 1 && column < VIEW_COLUMN_COUNT)
		view->first_column = column;
}

static void ask_cancel(struct view *view)
{
	if (view->selected)
		view->mode = VIEW_ASKS_CANCEL;
	else
		view_say(view, mem_strdup("select a request first: arrow keys, or j and k"));
}

static void navigate(struct view *view, const struct snapshot *snapshot, int key)
{
	int64_t page = (int64_t)view->page;
	int64_t all = (int64_t)snapshot->jobs_count;

	switch (key) {
	case VIEW_KEY_UP:
	case 'k':
		move(view, snapshot, -1);
		break;
	case VIEW_KEY_DOWN:
	case 'j':
		move(view, snapshot, 1);
		break;
	case VIEW_KEY_PAGE_UP:
		move(view, snapshot, -page);
		break;
	case VIEW_KEY_PAGE_DOWN:
		move(view, snapshot, page);
		break;
	case VIEW_KEY_HOME:
		move(view, snapshot, -all);
		break;
	case VIEW_KEY_END:
		move(view, snapshot, all);
		break;
	case VIEW_KEY_LEFT:
		scroll(view, -1);
		break;
	case VIEW_KEY_RIGHT:
		scroll(view, 1);
		break;
	case '<':
	case '>':
		sort_by(view, key == '>' ? 1 : -1);
		break;
	case 'o':
		view->sort = -1;
		view->is_reversed = false;
		break;
	case 'R':
		view->is_reversed = !view->is_reversed;
		break;
	case 'c':
		ask_cancel(view);
		break;
	case 'h':
	case '?':
		view->mode = VIEW_HELP;
		break;
	case VIEW_KEY_ESCAPE:
		free(view->selected);
		view->selected = NULL;
		break;
	default:
		break;
	}
}

enum view_action view_key(struct view *view, const struct snapshot *snapshot, int key)
{
	view_say(view, NULL);
	if (view->mode == VIEW_ASKS_CANCEL) {
		view->mode = VIEW_TABLE;
		return key == 'y' || key == 'Y' ? VIEW_CANCEL : VIEW_NOTHING;
	}
	if (view->mode == VIEW_HELP) {
		view->mode = VIEW_TABLE;
		return VIEW_NOTHING;
	}
	switch (key) {
	case 'q':
	case 'Q':
		return VIEW_QUIT;
	case 'p':
		return VIEW_PAUSE;
	case 'P':
		return VIEW_PAUSE_UNLOAD;
	case 'r':
		return VIEW_RESUME;
	case ' ':
		return VIEW_REFRESH;
	default:
		navigate(view, snapshot, key);
		return VIEW_NOTHING;
	}
}
