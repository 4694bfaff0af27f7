#include "report/document.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void document_finish(struct document *document)
{
	for (size_t i = 0; i < document->tables_count; i++) {
		struct table *table = &document->tables[i];

		for (size_t j = 0; j < table->cells_count; j++)
			free(table->cells[j].text);
		free(table->cells);
		free(table->rows);
	}
	for (size_t i = 0; i < document->notes_count; i++)
		free(document->notes[i]);
	free(document->tables);
	free(document->notes);
	free(document->period);
	memset(document, 0, sizeof(*document));
}

struct table *document_add(struct document *document, enum shape shape, const char *id,
	const char *title, const struct column *columns, size_t columns_count)
{
	struct table *table;

	document->tables = mem_grow_array(
		document->tables, document->tables_count + 1, sizeof(*document->tables));
	table = &document->tables[document->tables_count++];
	*table = (struct table){
		.id = id,
		.title = title,
		.shape = shape,
		.columns = columns,
		.columns_count = shape == SHAPE_FACTS ? 1 : columns_count,
		.bar = -1,
	};
	return table;
}

static char *print(const char *format, va_list arguments)
{
	char *text = NULL;

	if (vasprintf(&text, format, arguments) < 0)
		mem_out(0);
	return text;
}

void document_note(struct document *document, const char *format, ...)
{
	va_list arguments;

	document->notes = mem_grow_array(
		document->notes, document->notes_count + 1, sizeof(*document->notes));
	va_start(arguments, format);
	document->notes[document->notes_count++] = print(format, arguments);
	va_end(arguments);
}

static struct cell *add_cell(struct table *table)
{
	if (table->cells_count == table->cells_room) {
		table->cells_room = table->cells_room ? 2 * table->cells_room : 32;
		table->cells =
			mem_grow_array(table->cells, table->cells_room, sizeof(*table->cells));
	}
	table->cells[table->cells_count] = (struct cell){.number = NAN};
	return &table->cells[table->cells_count++];
}

void table_text(struct table *table, const char *text)
{
	add_cell(table)->text = mem_strdup(text);
}

void table_printf(struct table *table, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_cell(table)->text = print(format, arguments);
	va_end(arguments);
}

void table_number(struct table *table, enum unit unit, double number)
{
	struct cell *cell = add_cell(table);

	cell->number = number;
	cell->unit = unit;
}

static void add_row(struct table *table, const char *id, const char *title)
{
	table->rows = mem_grow_array(table->rows, table->cells_count + 1, sizeof(*table->rows));
	table->rows[table->cells_count] = (struct column){id, title};
}

void table_fact(
	struct table *table, const char *id, const char *title, enum unit unit, double number)
{
	add_row(table, id, title);
	table_number(table, unit, number);
}

void table_fact_text(struct table *table, const char *id, const char *title, const char *text)
{
	add_row(table, id, title);
	table_text(table, text);
}

size_t table_rows(const struct table *table)
{
	return table->cells_count / table->columns_count;
}

const struct cell *table_cell(const struct table *table, size_t row, size_t column)
{
	return &table->cells[row * table->columns_count + column];
}

/* 1234567 as 1,234,567 */
static char *write_count(double number)
{
	char digits[32];
	char text[48];
	size_t length = (size_t)snprintf(digits, sizeof(digits), "%.0f", number);
	size_t to = 0;

	for (size_t i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0 && digits[i - 1] != '-')
			text[to++] = ',';
		text[to++] = digits[i];
	}
	text[to] = '\0';
	return mem_strdup(text);
}

static char *write_seconds(double seconds)
{
	if (seconds != 0 && fabs(seconds) < 0.1)
		return mem_printf("%.2f ms", seconds * 1000);
	if (fabs(seconds) < 600)
		return mem_printf("%.2f s", seconds);
	if (fabs(seconds) < 2 * 3600)
		return mem_printf("%.1f min", seconds / 60);
	return mem_printf("%.1f h", seconds / 3600);
}

char *cell_write(const struct cell *cell)
{
	if (cell->text)
		return mem_strdup(cell->text);
	if (isnan(cell->number))
		return mem_strdup("-");
	switch (cell->unit) {
	case UNIT_COUNT:
		return write_count(cell->number);
	case UNIT_SECONDS:
		return write_seconds(cell->number);
	case UNIT_SHARE:
		return mem_printf("%.1f %%", cell->number * 100);
	case UNIT_PER_SECOND:
		return mem_printf("%.1f/s", cell->number);
	case UNIT_NUMBER:
		break;
	}
	return mem_printf("%.1f", cell->number);
}
