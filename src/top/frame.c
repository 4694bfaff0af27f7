#include "top/frame.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask/printable.h"
#include "base/compiler.h"
#include "base/memory.h"
#include "top/figure.h"
#include "top/snapshot.h"
#include "top/view.h"

enum {
	/* Table heading, the selected one in full, keys. */
	ROWS_AROUND = 3,
	/* A screen that is lower shows the table and nothing else: the header has up to thirteen
	   lines. */
	ROWS_LEAST = 20,
	USERS_MOST = 6,
	/* What was longer ago is over. */
	FOREIGN_S = 900,
};

static const struct {
	const char *heading;
	bool is_right;
	size_t most;
} columns[] = {
#define X(symbol, heading, is_right, most) {heading, is_right, most},
	VIEW_COLUMNS(X)
#undef X
};

static const char *const help[] = {
	"Keys",
	"",
	"  up, down, j, k      select a request; PgUp, PgDn, Home, End; Esc: none",
	"  c                   cancel the selected request (asks first)",
	"  p                   pause: what waits stays, what runs goes on to its end",
	"  P                   pause, and unload the models once nothing runs",
	"  r                   resume",
	"  < >                 sort by the column to the left or right; o: as the service does",
	"  R                   the other way round",
	"  left, right         scroll the columns",
	"  blank               look again now",
	"  h, ?                this text",
	"  q                   quit",
	"",
	"PLACE 1 is next; FORECAST is when it is expected to start; WAIT is the time in the queue.",
	"Pause, resume and cancel are for this machine or an admin key (--key, SHARED_OLLAMA_KEY).",
	"",
	"Any key goes back.",
};

static const char keys[] = "q quit  h help  c cancel  p pause  r resume  < > sort  R reverse";

static void add(
	const struct frame_input *input, struct frame *frame, enum frame_look look, char *text)
{
	char *safe = printable_text(text, input->utf8);
	size_t unused;

	free(text);
	if (input->columns)
		safe[printable_fit(safe, input->columns, input->utf8, &unused)] = '\0';
	/* Nothing at the end of a line is worth its bytes. */
	for (size_t length = strlen(safe); length > 0 && safe[length - 1] == ' '; length--)
		safe[length - 1] = '\0';
	frame->lines = mem_grow_array(frame->lines, frame->count + 1, sizeof(*frame->lines));
	frame->lines[frame->count++] = (struct frame_line){.text = safe, .look = look};
}

static void add_upstream(const struct frame_input *input, struct frame *frame)
{
	const struct snapshot *now = input->snapshot;
	bool is_up = strcmp(now->upstream_state, "up") == 0;
	char uptime[FIGURE_BYTES];

	add(input, frame, FRAME_PLAIN,
		mem_printf("shared-ollama top  %s  up %s  %s%s", input->url,
			figure_time(now->uptime_s * 1e3, uptime), input->clock,
			now->paused && strcmp(now->paused, "true") == 0 ? "  PAUSED" : ""));
	add(input, frame, is_up ? FRAME_PLAIN : FRAME_ALARM,
		mem_printf("Ollama  %s%s%s at %s",
			now->upstream_version ? now->upstream_version : "",
			now->upstream_version ? " " : "", now->upstream_state,
			now->upstream_url ? now->upstream_url : "-"));
}

static void add_queue(const struct frame_input *input, struct frame *frame)
{
	const struct snapshot *now = input->snapshot;
	char a[FIGURE_BYTES], b[FIGURE_BYTES], c[FIGURE_BYTES], d[FIGURE_BYTES], e[FIGURE_BYTES];
	double slots = isnan(now->concurrency_limit) ? now->max_concurrent : now->concurrency_limit;

	add(input, frame, FRAME_PLAIN,
		mem_printf("Queue   %s queued of %s, %s in progress of %s, %s reading%s%s",
			figure_count(now->queued, a), figure_count(now->max_queue_size, b),
			figure_count(now->in_progress, c), figure_count(slots, d),
			figure_count(now->reading, e), now->concurrency_reason ? "; " : "",
			now->concurrency_reason ? now->concurrency_reason : ""));
	add(input, frame, FRAME_PLAIN,
		mem_printf(
			"Ended   %s completed, %s failed, %s rejected, %s timed out, %s cancelled",
			figure_count(now->completed, a), figure_count(now->failed, b),
			figure_count(now->rejected, c), figure_count(now->timeout, d),
			figure_count(now->cancelled, e)));
	add(input, frame, FRAME_PLAIN,
		mem_printf("Waits   mean %s, median %s, p90 %s, p99 %s, longest %s",
			figure_time(now->wait_mean_ms, a), figure_time(now->wait_p50_ms, b),
			figure_time(now->wait_p90_ms, c), figure_time(now->wait_p99_ms, d),
			figure_time(now->wait_max_ms, e)));
	add(input, frame, FRAME_PLAIN,
		mem_printf("Answers mean %s, %s warm, %s loads of %s",
			figure_time(now->latency_mean_ms, a), figure_share(now->warm_rate, b),
			figure_count(now->loads, c), figure_time(now->load_ms, d)));
}

static void add_turn(const struct frame_input *input, struct frame *frame)
{
	const struct snapshot *now = input->snapshot;
	char since[FIGURE_BYTES], served[FIGURE_BYTES], left[FIGURE_BYTES];

	if (!now->turn_state)
		return;
	if (!now->turn_runner && !now->turn_next) {
		add(input, frame, FRAME_PLAIN, mem_strdup("Turn    no model has work"));
		return;
	}
	add(input, frame, FRAME_PLAIN,
		mem_printf("Turn    %s%s%s for %s, %s served, %s left%s%s", now->turn_state,
			now->turn_runner ? " " : "", now->turn_runner ? now->turn_runner : "",
			figure_time(now->turn_since_ms, since),
			figure_count(now->turn_served, served), figure_count(now->turn_left, left),
			now->turn_next ? "; next " : "", now->turn_next ? now->turn_next : ""));
}

static char *runner_text(const struct snapshot_runner *runner)
{
	char size[FIGURE_BYTES], share[FIGURE_BYTES], context[FIGURE_BYTES];

	return mem_printf("%s %s, %s on the GPU, context %s", runner->name ? runner->name : "-",
		figure_bytes(runner->size_vram, size), figure_share(runner->vram_share, share),
		figure_count(runner->context_length, context));
}

static void add_runners(const struct frame_input *input, struct frame *frame)
{
	const struct snapshot *now = input->snapshot;
	char *text = mem_strdup(now->runners_count ? "Loaded  " : "Loaded  nothing");
	bool is_partly = false;

	for (size_t i = 0; i < now->runners_count; i++) {
		char *one = runner_text(&now->runners[i]);
		char *more = mem_printf("%s%s%s", text, i ? "; " : "", one);

		free(one);
		free(text);
		text = more;
		is_partly = is_partly || now->runners[i].vram_share < 1;
	}
	add(input, frame, is_partly ? FRAME_ALARM : FRAME_PLAIN, text);
}

/* Who is using the GPU: slot-seconds of what ended. */
static void add_users(const struct frame_input *input, struct frame *frame)
{
	const struct snapshot *now = input->snapshot;
	char *text = mem_strdup("Used by ");
	double sum_s = 0;

	for (size_t i = 0; i < now->projects_count; i++)
		sum_s += now->projects[i].served_s;
	for (size_t i = 0; i < now->projects_count && i < USERS_MOST; i++) {
		char share[FIGURE_BYTES];
		char *more = mem_printf("%s%s%s %s", text, i ? ", " : "", now->projects[i].name,
			figure_share(now->projects[i].served_s / sum_s, share));

		free(text);
		text = more;
	}
	if (now->projects_count > 0)
		add(input, frame, FRAME_PLAIN, mem_strdup(text));
	free(text);
}

/* What somebody should do something about. */
static void add_alerts(const struct frame_input *input, struct frame *frame)
{
	const struct snapshot *now = input->snapshot;
	char figure[FIGURE_BYTES];

	if (now->foreign_count > 0 && now->foreign_age_s <= FOREIGN_S)
		add(input, frame, FRAME_ALARM,
			mem_printf("Foreign traffic: another program uses this Ollama past the "
				   "queue, last with %s %s ago",
				now->foreign_model ? now->foreign_model : "an unknown model",
				figure_time(now->foreign_age_s * 1e3, figure)));
	if (now->cut_prompts > 0)
		add(input, frame, FRAME_ALARM,
			mem_printf("Cut prompts: %s were longer than the context; raise num_ctx",
				figure_count(now->cut_prompts, figure)));
	if (now->log_dropped > 0)
		add(input, frame, FRAME_ALARM,
			mem_printf("Log lines lost: %s could not be written",
				figure_count(now->log_dropped, figure)));
}

/* A new string. */
static char *cell(const struct snapshot_job *job, int column)
{
	char figure[FIGURE_BYTES];
	const char *text = NULL;

	switch (column) {
	case VIEW_ID:
		text = job->id;
		break;
	case VIEW_PROJECT:
		text = job->project;
		break;
	case VIEW_CLASS:
		text = job->class;
		break;
	case VIEW_MODEL:
		text = job->model;
		break;
	case VIEW_OPERATION:
		text = job->operation;
		break;
	case VIEW_STATE:
		text = job->state;
		break;
	case VIEW_AGE:
		text = figure_time(job->age_ms, figure);
		break;
	case VIEW_WAIT:
		text = figure_time(job->wait_ms, figure);
		break;
	case VIEW_PLACE:
		text = figure_count(job->place, figure);
		break;
	case VIEW_FORECAST:
		text = figure_time(job->forecast_ms, figure);
		break;
	case VIEW_TOKENS:
		text = figure_count(job->tokens, figure);
		break;
	case VIEW_SPEED:
		text = figure_rate(job->tokens_per_s, figure);
		break;
	default:
		text = job->reason;
		break;
	}
	return mem_strdup(text ? text : "-");
}

/* As wide as what stands in it, up to its most; the last one has no bound. */
static size_t width_of(const struct frame_input *input, int column, const size_t *order,
	size_t first, size_t count)
{
	size_t width = strlen(columns[column].heading);
	/* the mark of the sort column */
	size_t most = columns[column].most;

	if (input->view->sort == column)
		width++;
	for (size_t i = first; most && i < first + count; i++) {
		char *text = cell(&input->snapshot->jobs[order[i]], column);
		char *safe = printable_text(text, input->utf8);
		size_t needed = printable_columns(safe, input->utf8);

		if (needed > width)
			width = needed;
		free(safe);
		free(text);
	}
	return most && input->columns && width > most ? most : width;
}

/* Appends one cell to a row; a text that is cut ends with a mark. */
static char *append_cell(
	const struct frame_input *input, char *row, int column, size_t width, const char *text)
{
	char *safe = printable_text(text, input->utf8);
	const char *mark = input->utf8 ? "\xe2\x80\xa6" : "~";
	const char *end = "";
	size_t used = printable_columns(safe, input->utf8);
	char *longer;

	if (columns[column].most && used > width) {
		safe[printable_fit(safe, width - 1, input->utf8, &used)] = '\0';
		end = mark;
		used++;
	}
	longer = mem_printf("%s%s%*s%s%s%*s", row, *row ? " " : "",
		columns[column].is_right && used < width ? (int)(width - used) : 0, "", safe, end,
		!columns[column].is_right && used < width ? (int)(width - used) : 0, "");
	free(safe);
	free(row);
	return longer;
}

static bool is_shown(const struct view *view, int column)
{
	return column == VIEW_ID || column >= view->first_column;
}

static void add_heading(const struct frame_input *input, struct frame *frame, const size_t widths[])
{
	char *row = mem_strdup("");

	for (int i = 0; i < VIEW_COLUMN_COUNT; i++) {
		const char *mark = input->view->is_reversed ? "^" : "v";
		char *text;

		if (!is_shown(input->view, i))
			continue;
		text = mem_printf("%s%s", columns[i].heading, input->view->sort == i ? mark : "");
		row = append_cell(input, row, i, widths[i], text);
		free(text);
	}
	add(input, frame, FRAME_HEADING, row);
}

static void add_job(const struct frame_input *input, struct frame *frame,
	const struct snapshot_job *job, const size_t widths[])
{
	const char *selected = input->view->selected;
	char *row = mem_strdup("");

	for (int i = 0; i < VIEW_COLUMN_COUNT; i++) {
		char *text;

		if (!is_shown(input->view, i))
			continue;
		text = cell(job, i);
		row = append_cell(input, row, i, widths[i], text);
		free(text);
	}
	add(input, frame,
		selected && job->id && strcmp(selected, job->id) == 0 ? FRAME_SELECTED
								      : FRAME_PLAIN,
		row);
}

static void add_table(const struct frame_input *input, struct frame *frame, size_t room)
{
	size_t *order = view_order(input->view, input->snapshot);
	size_t first = input->view->top;
	size_t count = input->snapshot->jobs_count - first;
	size_t widths[VIEW_COLUMN_COUNT];

	if (count > room)
		count = room;
	for (int i = 0; i < VIEW_COLUMN_COUNT; i++)
		widths[i] = width_of(input, i, order, first, count);
	add_heading(input, frame, widths);
	for (size_t i = first; i < first + count; i++)
		add_job(input, frame, &input->snapshot->jobs[order[i]], widths);
	free(order);
}

static const struct snapshot_job *selected_job(const struct frame_input *input)
{
	for (size_t i = 0; input->view->selected && i < input->snapshot->jobs_count; i++) {
		const struct snapshot_job *job = &input->snapshot->jobs[i];

		if (job->id && strcmp(job->id, input->view->selected) == 0)
			return job;
	}
	return NULL;
}

/* The last two lines: a question, news, or the selected one in full; and the keys. */
static void add_foot(const struct frame_input *input, struct frame *frame)
{
	const struct snapshot_job *job = selected_job(input);

	if (input->view->mode == VIEW_ASKS_CANCEL && job)
		add(input, frame, FRAME_ALARM,
			mem_printf("Cancel %s of %s? y: yes, any other key: no", job->id,
				job->project ? job->project : "-"));
	else if (input->view->message)
		add(input, frame, FRAME_ALARM, mem_strdup(input->view->message));
	else if (job)
		add(input, frame, FRAME_PLAIN,
			mem_printf("%s  %s", job->id,
				job->reason  ? job->reason
				: job->state ? job->state
					     : "-"));
	else
		add(input, frame, FRAME_PLAIN, mem_strdup(""));
	add(input, frame, FRAME_KEYS, mem_strdup(keys));
}

static void add_header(const struct frame_input *input, struct frame *frame)
{
	if (input->trouble)
		add(input, frame, FRAME_ALARM, mem_printf("%s: %s", input->url, input->trouble));
	if (!input->snapshot->has_stats)
		return;
	add_upstream(input, frame);
	if (input->rows && input->rows < ROWS_LEAST)
		return;
	add_queue(input, frame);
	add_turn(input, frame);
	add_runners(input, frame);
	add_users(input, frame);
	add_alerts(input, frame);
}

static void add_help(const struct frame_input *input, struct frame *frame)
{
	for (size_t i = 0; i < ARRAY_LENGTH(help); i++) {
		if (!input->rows || i < input->rows)
			add(input, frame, i ? FRAME_PLAIN : FRAME_HEADING, mem_strdup(help[i]));
	}
}

void frame_make(const struct frame_input *input, struct frame *ret_frame)
{
	struct frame frame = {0};
	size_t room = SIZE_MAX;

	if (input->view->mode == VIEW_HELP) {
		add_help(input, &frame);
		*ret_frame = frame;
		return;
	}
	add_header(input, &frame);
	if (input->rows)
		room = input->rows > frame.count + ROWS_AROUND
			       ? input->rows - frame.count - ROWS_AROUND
			       : 1;
	view_settle(input->view, input->snapshot, room);
	if (input->snapshot->has_stats)
		add_table(input, &frame, room);
	while (input->rows && frame.count + 2 < input->rows)
		add(input, &frame, FRAME_PLAIN, mem_strdup(""));
	if (input->rows)
		add_foot(input, &frame);
	*ret_frame = frame;
}

void frame_finish(struct frame *frame)
{
	for (size_t i = 0; i < frame->count; i++)
		free(frame->lines[i].text);
	free(frame->lines);
	*frame = (struct frame){0};
}
