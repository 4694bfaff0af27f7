/*
 * The report as tables, the same for every form in which it is written (text, JSON, CSV, HTML).
 * Filled by report/tables and report/findings; owns the texts that are copied into it. Ids, titles
 * and columns are literals and stay the callers'.
 */
#ifndef SO_REPORT_DOCUMENT_H
#define SO_REPORT_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"

/* Of a number; how it is written for people. For programs it is always the plain number. */
enum unit {
	UNIT_COUNT,
	UNIT_NUMBER,
	UNIT_SECONDS,
	UNIT_SHARE, /* 0 to 1 */
	UNIT_PER_SECOND,
};

enum shape {
	SHAPE_FACTS,  /* rows of a title and a value; an object in JSON */
	SHAPE_LIST,   /* rows of equal columns */
	SHAPE_PROSE,  /* a list whose cells are sentences: findings */
	SHAPE_SERIES, /* a list with a column for each step of time: plots, no table */
};

struct column {
	const char *id;
	const char *title;
};

struct cell {
	char *text;    /* NULL: a number */
	double number; /* NAN: unknown */
	enum unit unit;
};

struct table {
	const char *id;
	const char *title;
	const char *note; /* NULL, or what one has to know to read it */
	enum shape shape;
	const struct column *columns; /* of facts: none, but ids and titles of the rows */
	size_t columns_count;
	int bar;	     /* the column that is drawn as a bar; -1: none */
	struct column *rows; /* facts */
	struct cell *cells;
	size_t cells_count;
	size_t cells_room;
};

struct document {
	char *period; /* what was read, one line */
	struct table *tables;
	size_t tables_count;
	char **notes; /* what was wrong with the input */
	size_t notes_count;
};

void document_finish(struct document *document);
/* The table lives until the next call. */
struct table *document_add(struct document *document, enum shape shape, const char *id,
	const char *title, const struct column *columns, size_t columns_count);
void document_note(struct document *document, const char *format, ...) PRINTF_LIKE(2, 3);

/* Cells in the order of the columns. */
void table_text(struct table *table, const char *text);
void table_printf(struct table *table, const char *format, ...) PRINTF_LIKE(2, 3);
void table_number(struct table *table, enum unit unit, double number);
void table_fact(
	struct table *table, const char *id, const char *title, enum unit unit, double number);
void table_fact_text(struct table *table, const char *id, const char *title, const char *text);
size_t table_rows(const struct table *table);
const struct cell *table_cell(const struct table *table, size_t row, size_t column);

/* For people: "11.0 s", "98.0 %", "1,234"; a text as it is. "-": unknown. The caller frees. */
char *cell_write(const struct cell *cell);

#endif
