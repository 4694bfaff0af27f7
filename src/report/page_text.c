#include "report/page_text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "json/utf8.h"

enum {
	INDENT = 2,
	GAP = 2,
	/* A name's column is cut to this where the whole does not fit. */
	NAME_COLUMNS_LEAST = 24,
	BAR_COLUMNS_LEAST = 8,
	BAR_COLUMNS_MOST = 40,
	FACT_TITLE_COLUMNS = 34,
	SERIES_TITLE_COLUMNS = 16,
	EIGHTHS = 8,
	BLOCK_BYTES = 3, /* of U+2581 and its neighbours in UTF-8 */
};

/* U+2588 and those of 1 to 7 eighths, from the left and from below. */
static const char *const bars[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
static const char *const sparks[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char ascii_sparks[] = " .:-=+*#@";

/* Columns of a clean text: its characters. */
static size_t columns_of(const char *text)
{
	size_t columns = 0;

	for (; *text; text++)
		columns += (*text & 0xc0) != 0x80;
	return columns;
}

/* C0, DEL, and C1, which is C2 80 to C2 9F in UTF-8. */
static bool is_control(const char *at, size_t length)
{
	const unsigned char *bytes = (const unsigned char *)at;

	return bytes[0] < ' ' || bytes[0] == 0x7f ||
	       (length == 2 && bytes[0] == 0xc2 && bytes[1] < 0xa0);
}

static char *clean(const char *text, struct page_look look)
{
	size_t left = strlen(text);
	char *cleaned = mem_alloc(left + 1), *to = cleaned;

	while (left > 0) {
		size_t length = utf8_character(text, left);
		bool is_good =
			length > 0 && !is_control(text, length) && (look.is_utf8 || length == 1);

		if (length == 0)
			length = 1;
		if (is_good)
			to = mempcpy(to, text, length);
		else
			*to++ = '?';
		text += length;
		left -= length;
	}
	*to = '\0';
	return cleaned;
}

/* To so many columns, the last one a sign that something is missing. */
static void cut(char *text, size_t columns, struct page_look look)
{
	const char *mark = look.is_utf8 ? "…" : "~";
	char *at = text;

	if (columns_of(text) <= columns || columns == 0)
		return;
	for (size_t i = 0; i + 1 < columns; i++) {
		do
			at++;
		while ((*at & 0xc0) == 0x80);
	}
	/* The mark may be longer than what it replaces, but not than the rest. */
	if (strlen(at) >= strlen(mark))
		memcpy(at, mark, strlen(mark) + 1);
	else
		*at = '\0';
}

static void put_blanks(FILE *out, size_t count)
{
	fprintf(out, "%*s", (int)count, "");
}

static void put_padded(FILE *out, const char *text, size_t columns, bool is_right)
{
	size_t length = columns_of(text);
	size_t blanks = length < columns ? columns - length : 0;

	if (is_right)
		put_blanks(out, blanks);
	fputs(text, out);
	if (!is_right)
		put_blanks(out, blanks);
}

/* Words, broken at blanks, each line indented. */
static void put_wrapped(FILE *out, const char *text, size_t indent, struct page_look look)
{
	size_t column = indent;

	put_blanks(out, 0);
	while (*text) {
		size_t length = strcspn(text, " ");
		char *piece = mem_strndup(text, length);
		size_t columns = columns_of(piece);

		if (column > indent && column + 1 + columns > look.width) {
			fputc('\n', out);
			put_blanks(out, indent);
			column = indent;
		} else if (column > indent) {
			fputc(' ', out);
			column++;
		}
		fputs(piece, out);
		column += columns;
		free(piece);
		text += length;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void put_bar(FILE *out, double share, size_t columns, struct page_look look)
{
	int eighths = (int)lround(share * (double)columns * EIGHTHS);

	/* What is there shows. */
	if (share > 0 && eighths == 0)
		eighths = 1;
	if (!look.is_utf8) {
		for (int i = 0; i < eighths; i += EIGHTHS)
			fputc('#', out);
		return;
	}
	for (; eighths >= EIGHTHS; eighths -= EIGHTHS)
		fputs(bars[EIGHTHS], out);
	fputs(bars[eighths], out);
}

static void put_title(FILE *out, const struct table *table, struct page_look look)
{
	size_t columns = columns_of(table->title);

	fprintf(out, "\n%s\n", table->title);
	for (size_t i = 0; i < columns; i++)
		fputs(look.is_utf8 ? "─" : "-", out);
	fputc('\n', out);
}

static void put_note(FILE *out, const struct table *table, struct page_look look)
{
	if (!table->note)
		return;
	put_blanks(out, INDENT);
	put_wrapped(out, table->note, INDENT, look);
}

static char *write_cell(const struct cell *cell, struct page_look look)
{
	char *text = cell_write(cell);
	char *cleaned = clean(text, look);

	free(text);
	return cleaned;
}

static void put_facts(FILE *out, const struct table *table, struct page_look look)
{
	for (size_t row = 0; row < table_rows(table); row++) {
		char *text = write_cell(table_cell(table, row, 0), look);

		put_blanks(out, INDENT);
		put_padded(out, table->rows[row].title, FACT_TITLE_COLUMNS, false);
		fprintf(out, "%s\n", text);
		free(text);
	}
}

/* What a list looks like: its cells as texts and the widths of its columns. */
struct layout {
	char **texts;
	size_t *widths;
	size_t columns; /* those that fit; others are left out, from the right */
	size_t bar;	/* columns of the bar; 0: none */
};

static bool is_text_column(const struct table *table, size_t column)
{
	return table_rows(table) > 0 && table_cell(table, 0, column)->text;
}

static size_t width_of(const struct table *table, const struct layout *layout)
{
	size_t width = INDENT;

	for (size_t i = 0; i < layout->columns; i++)
		width += layout->widths[i] + (i > 0 ? GAP : 0);
	return width;
}

static void shrink(const struct table *table, struct layout *layout, size_t width)
{
	size_t used = width_of(table, layout);

	if (used > width && is_text_column(table, 0)) {
		size_t over = used - width;
		size_t name = layout->widths[0];
		size_t least = name < NAME_COLUMNS_LEAST ? name : NAME_COLUMNS_LEAST;

		layout->widths[0] = name - least > over ? name - over : least;
	}
	while (layout->columns > 2 && width_of(table, layout) > width)
		layout->columns--;
}

static void lay_out(const struct table *table, struct layout *layout, struct page_look look)
{
	size_t rows = table_rows(table), columns = table->columns_count, used;

	layout->columns = columns;
	layout->texts = mem_zalloc_array(rows * columns + 1, sizeof(*layout->texts));
	layout->widths = mem_zalloc_array(columns, sizeof(*layout->widths));
	for (size_t i = 0; i < columns; i++)
		layout->widths[i] = columns_of(table->columns[i].title);
	for (size_t i = 0; i < rows * columns; i++) {
		size_t width;

		layout->texts[i] = write_cell(&table->cells[i], look);
		width = columns_of(layout->texts[i]);
		if (width > layout->widths[i % columns])
			layout->widths[i % columns] = width;
	}
	shrink(table, layout, look.width);
	used = width_of(table, layout) + GAP;
	layout->bar =
		table->bar >= 0 && used + BAR_COLUMNS_LEAST <= look.width ? look.width - used : 0;
	if (layout->bar > BAR_COLUMNS_MOST)
		layout->bar = BAR_COLUMNS_MOST;
}

static void layout_finish(const struct table *table, struct layout *layout)
{
	for (size_t i = 0; i < table->cells_count; i++)
		free(layout->texts[i]);
	free(layout->texts);
	free(layout->widths);
}

static double highest(const struct table *table, size_t column)
{
	double most = 0;

	for (size_t row = 0; row < table_rows(table); row++)
		most = fmax(most, table_cell(table, row, column)->number);
	return most;
}

static void put_row(FILE *out, const struct table *table, const struct layout *layout, size_t row,
	struct page_look look)
{
	for (size_t i = 0; i < layout->columns; i++) {
		char *text = layout->texts[row * table->columns_count + i];

		put_blanks(out, i > 0 ? GAP : INDENT);
		cut(text, layout->widths[i], look);
		put_padded(out, text, layout->widths[i], !is_text_column(table, i));
	}
	if (layout->bar > 0) {
		double most = highest(table, (size_t)table->bar);

		put_blanks(out, GAP);
		if (most > 0)
			put_bar(out, table_cell(table, row, (size_t)table->bar)->number / most,
				layout->bar, look);
	}
	fputc('\n', out);
}

static void put_list(FILE *out, const struct table *table, struct page_look look)
{
	struct layout layout = {0};

	lay_out(table, &layout, look);
	for (size_t i = 0; i < layout.columns; i++) {
		put_blanks(out, i > 0 ? GAP : INDENT);
		put_padded(
			out, table->columns[i].title, layout.widths[i], !is_text_column(table, i));
	}
	fputc('\n', out);
	for (size_t row = 0; row < table_rows(table); row++)
		put_row(out, table, &layout, row, look);
	layout_finish(table, &layout);
}

/* Id, project, model; then sentences. */
static void put_prose(FILE *out, const struct table *table, struct page_look look)
{
	enum { SENTENCES = 3, LABEL = 8 };

	if (table_rows(table) == 0)
		fprintf(out, "%*sNothing that the log shows.\n", INDENT, "");
	for (size_t row = 0; row < table_rows(table); row++) {
		for (size_t i = SENTENCES; i < table->columns_count; i++) {
			char *text = write_cell(table_cell(table, row, i), look);

			if (i == SENTENCES)
				fprintf(out, "%*s%2zu. ", INDENT, "", row + 1);
			else
				fprintf(out, "%*s%-*s", INDENT + 4, "", LABEL,
					table->columns[i].title);
			put_wrapped(out, text, INDENT + 4 + (i == SENTENCES ? 0 : LABEL), look);
			free(text);
		}
	}
}

/* Neighbours share a column where there are too many. */
static void put_spark(FILE *out, const struct table *table, size_t column, struct page_look look)
{
	size_t rows = table_rows(table);
	size_t room = look.width > SERIES_TITLE_COLUMNS + INDENT + GAP + BAR_COLUMNS_LEAST
			      ? look.width - SERIES_TITLE_COLUMNS - INDENT
			      : BAR_COLUMNS_LEAST;
	size_t each = (rows + room - 1) / room;
	double most = highest(table, column);

	for (size_t row = 0; row < rows; row += each) {
		double value = 0;
		int level;

		for (size_t i = row; i < row + each && i < rows; i++)
			value = fmax(value, table_cell(table, i, column)->number);
		level = most > 0 ? (int)ceil(value / most * EIGHTHS) : 0;
		if (look.is_utf8)
			fputs(sparks[level], out);
		else
			fputc(ascii_sparks[level], out);
	}
	fputc('\n', out);
}

static void put_series(FILE *out, const struct table *table, struct page_look look)
{
	for (size_t i = 1; i < table->columns_count; i++) {
		struct cell most = *table_cell(table, 0, i);
		char *text;

		most.number = highest(table, i);
		if (!(most.number > 0))
			continue;
		text = cell_write(&most);
		put_blanks(out, INDENT);
		put_padded(out, table->columns[i].title, SERIES_TITLE_COLUMNS, false);
		fprintf(out, "at most %s\n", text);
		put_blanks(out, INDENT + SERIES_TITLE_COLUMNS);
		put_spark(out, table, i, look);
		free(text);
	}
}

static void put_table(FILE *out, const struct table *table, struct page_look look)
{
	if (table->shape != SHAPE_PROSE && table_rows(table) == 0)
		return;
	put_title(out, table, look);
	switch (table->shape) {
	case SHAPE_FACTS:
		put_facts(out, table, look);
		break;
	case SHAPE_LIST:
		put_list(out, table, look);
		break;
	case SHAPE_PROSE:
		put_prose(out, table, look);
		break;
	case SHAPE_SERIES:
		put_series(out, table, look);
		break;
	}
	put_note(out, table, look);
}

void page_text_write(FILE *out, const struct document *document, struct page_look look)
{
	char *period = clean(document->period, look);

	put_wrapped(out, period, 0, look);
	free(period);
	for (size_t i = 0; i < document->notes_count; i++) {
		char *note = clean(document->notes[i], look);

		fputs("note: ", out);
		put_wrapped(out, note, 6, look);
		free(note);
	}
	for (size_t i = 0; i < document->tables_count; i++)
		put_table(out, &document->tables[i], look);
}
