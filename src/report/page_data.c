#include "report/page_data.h"

#include <math.h>
#include <string.h>

#include "json/writer.h"

/* Microseconds of seconds, shares of a millionth. */
enum { DECIMALS = 6 };

static void put_json_cell(struct json_writer *writer, const char *key, const struct cell *cell)
{
	if (cell->text)
		json_put_string(writer, key, cell->text);
	else if (isnan(cell->number))
		json_put_null(writer, key);
	else if (cell->unit == UNIT_COUNT)
		json_put_int(writer, key, (int64_t)cell->number);
	else
		json_put_fixed(writer, key, cell->number, DECIMALS);
}

static void put_json_facts(struct json_writer *writer, const struct table *table)
{
	json_begin_object(writer, table->id);
	for (size_t row = 0; row < table_rows(table); row++)
		put_json_cell(writer, table->rows[row].id, table_cell(table, row, 0));
	json_end_object(writer);
}

static void put_json_list(struct json_writer *writer, const struct table *table)
{
	json_begin_array(writer, table->id);
	for (size_t row = 0; row < table_rows(table); row++) {
		json_begin_object(writer, NULL);
		for (size_t i = 0; i < table->columns_count; i++)
			put_json_cell(writer, table->columns[i].id, table_cell(table, row, i));
		json_end_object(writer);
	}
	json_end_array(writer);
}

void page_json_write(FILE *out, const struct document *document)
{
	struct json_writer *writer = json_writer_create();
	size_t length;
	const char *text;

	json_begin_object(writer, NULL);
	json_put_string(writer, "period", document->period);
	json_begin_array(writer, "notes");
	for (size_t i = 0; i < document->notes_count; i++)
		json_put_string(writer, NULL, document->notes[i]);
	json_end_array(writer);
	for (size_t i = 0; i < document->tables_count; i++) {
		if (document->tables[i].shape == SHAPE_FACTS)
			put_json_facts(writer, &document->tables[i]);
		else
			put_json_list(writer, &document->tables[i]);
	}
	json_end_object(writer);
	text = json_writer_get(writer, &length);
	fwrite(text, 1, length, out);
	fputc('\n', out);
	json_writer_destroy(writer);
}

/* A spreadsheet takes these for the beginning of a formula; names come from outside, so they get
 * an apostrophe, which shows them as text. */
static bool is_formula(const char *text)
{
	return *text && strchr("=+-@\t\r", *text);
}

static void put_csv_text(FILE *out, const char *text)
{
	fputc('"', out);
	if (is_formula(text))
		fputc('\'', out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void put_csv_cell(FILE *out, const struct cell *cell)
{
	if (cell->text)
		put_csv_text(out, cell->text);
	else if (isnan(cell->number))
		return;
	else if (cell->unit == UNIT_COUNT)
		fprintf(out, "%.0f", cell->number);
	else
		fprintf(out, "%.*f", DECIMALS, cell->number);
}

static void put_csv_table(FILE *out, const struct table *table)
{
	for (size_t i = 0; i < table->cells_count; i++) {
		size_t row = i / table->columns_count, column = i % table->columns_count;
		const char *name = table->shape == SHAPE_FACTS ? table->rows[row].id
							       : table->columns[column].id;

		fprintf(out, "%s,%zu,%s,", table->id, row + 1, name);
		put_csv_cell(out, &table->cells[i]);
		fputs("\r\n", out);
	}
}

void page_csv_write(FILE *out, const struct document *document)
{
	fputs("table,row,name,value\r\n", out);
	for (size_t i = 0; i < document->notes_count; i++) {
		fprintf(out, "notes,%zu,note,", i + 1);
		put_csv_text(out, document->notes[i]);
		fputs("\r\n", out);
	}
	for (size_t i = 0; i < document->tables_count; i++)
		put_csv_table(out, &document->tables[i]);
}
