#include "report/page_html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "json/utf8.h"

/* Of a plot, in its own units. */
enum { PLOT_WIDTH = 720, PLOT_HEIGHT = 120, PLOT_TOP = 6, BAR_WIDTH = 100, BAR_HEIGHT = 10 };

static const char head[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\">\n"
	"<head>\n"
	"<meta charset=\"utf-8\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
	"'unsafe-inline'\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n"
	"<title>shared-ollama report</title>\n"
	"<style>\n"
	":root{--page:#fff;--ink:#1b1f24;--soft:#5c6670;--line:#d8dde2;--tint:#f3f5f7;--bar:#"
	"2f6fb0;"
	"--good:#1a7f37;--bad:#b42318}\n"
	"@media (prefers-color-scheme:dark){:root{--page:#14181d;--ink:#e4e8ec;--soft:#9aa5b0;"
	"--line:#333b44;--tint:#1d232a;--bar:#6aa9e6;--good:#57c474;--bad:#ff8577}}\n"
	"body{margin:0 auto;max-width:70rem;padding:1rem;background:var(--page);color:var(--ink);"
	"font:15px/1.5 system-ui,sans-serif}\n"
	"h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 .5rem}\n"
	"p,li{overflow-wrap:anywhere}p{margin:.4rem 0}.soft{color:var(--soft);font-size:.9em}\n"
	".wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
	"th,td{padding:.25rem .7rem;border-bottom:1px solid var(--line);text-align:right;"
	"white-space:nowrap}\n"
	"th{color:var(--soft);font-weight:600}th.text,td.text,th[scope=row]{text-align:left}\n"
	"@media (max-width:40rem){th,td{padding:.25rem .4rem}th[scope=row]{white-space:normal}}\n"
	"td.text{max-width:24rem;overflow:hidden;text-overflow:ellipsis}\n"
	"th[scope=row]{color:var(--ink);font-weight:400}\n"
	".met{color:var(--good);font-weight:600}.missed{color:var(--bad);font-weight:600}\n"
	"td svg{width:100%;min-width:3rem}"
	"svg{display:block;max-width:100%}rect,path{fill:var(--bar)}.axis{fill:var(--line)}\n"
	"figure{margin:.6rem 0}figcaption{color:var(--soft);font-size:.9em}\n"
	"figure svg{width:100%;height:auto;background:var(--tint)}\n"
	".ticks{display:flex;justify-content:space-between;color:var(--soft);font-size:.8em}\n"
	"li{margin:.8rem 0;padding:.6rem .8rem;background:var(--tint);border-radius:.4rem}\n"
	"ol{padding-left:1.6rem}\n"
	"</style>\n"
	"</head>\n"
	"<body>\n"
	"<h1>shared-ollama report</h1>\n";

static const char tail[] = "</body>\n</html>\n";

/* What is not UTF-8 becomes U+FFFD; what HTML would read becomes an entity. */
static void put_escaped(FILE *out, const char *text)
{
	size_t left = strlen(text);

	while (left > 0) {
		size_t length = utf8_character(text, left);

		if (length == 0)
			fputs("\xef\xbf\xbd", out);
		else if (*text == '&')
			fputs("&amp;", out);
		else if (*text == '<')
			fputs("&lt;", out);
		else if (*text == '>')
			fputs("&gt;", out);
		else if (*text == '"')
			fputs("&quot;", out);
		else if (*text == '\'')
			fputs("&#39;", out);
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			fputs("\xef\xbf\xbd", out);
		else
			fwrite(text, 1, length, out);
		length = length ? length : 1;
		text += length;
		left -= length;
	}
}

static void put_cell_text(FILE *out, const struct cell *cell)
{
	char *text = cell_write(cell);

	put_escaped(out, text);
	free(text);
}

static void put_cell(FILE *out, const struct cell *cell)
{
	const char *text = cell->text ? cell->text : "";
	const char *more = strcmp(text, "met") == 0	 ? " met"
			   : strcmp(text, "missed") == 0 ? " missed"
							 : "";

	if (cell->text)
		fprintf(out, "<td class=\"text%s\">", more);
	else
		fputs("<td>", out);
	put_cell_text(out, cell);
	fputs("</td>", out);
}

static void put_facts(FILE *out, const struct table *table)
{
	fputs("<div class=\"wide\"><table>\n", out);
	for (size_t row = 0; row < table_rows(table); row++) {
		fputs("<tr><th scope=\"row\">", out);
		put_escaped(out, table->rows[row].title);
		fputs("</th>", out);
		put_cell(out, table_cell(table, row, 0));
		fputs("</tr>\n", out);
	}
	fputs("</table></div>\n", out);
}

static double highest(const struct table *table, size_t column)
{
	double most = 0;

	for (size_t row = 0; row < table_rows(table); row++)
		most = fmax(most, table_cell(table, row, column)->number);
	return most;
}

static void put_bar(FILE *out, const struct table *table, size_t row)
{
	double most = highest(table, (size_t)table->bar);
	double value = table_cell(table, row, (size_t)table->bar)->number;

	fprintf(out,
		"<td><svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" height=\"%d\" "
		"aria-hidden=\"true\"><rect width=\"%.1f\" "
		"height=\"%d\"/></svg></td>",
		BAR_WIDTH, BAR_HEIGHT, BAR_HEIGHT, most > 0 ? value / most * BAR_WIDTH : 0,
		BAR_HEIGHT);
}

static void put_list(FILE *out, const struct table *table)
{
	fputs("<div class=\"wide\"><table>\n<tr>", out);
	for (size_t i = 0; i < table->columns_count; i++) {
		bool is_text = table_cell(table, 0, i)->text;

		fputs(is_text ? "<th scope=\"col\" class=\"text\">" : "<th scope=\"col\">", out);
		put_escaped(out, table->columns[i].title);
		fputs("</th>", out);
	}
	fputs(table->bar >= 0 ? "<td></td></tr>\n" : "</tr>\n", out);
	for (size_t row = 0; row < table_rows(table); row++) {
		fputs("<tr>", out);
		for (size_t i = 0; i < table->columns_count; i++)
			put_cell(out, table_cell(table, row, i));
		if (table->bar >= 0)
			put_bar(out, table, row);
		fputs("</tr>\n", out);
	}
	fputs("</table></div>\n", out);
}

static void put_prose(FILE *out, const struct table *table)
{
	enum { PROJECT = 1, MODEL, FINDING };

	if (table_rows(table) == 0) {
		fputs("<p>Nothing that the log shows.</p>\n", out);
		return;
	}
	fputs("<ol>\n", out);
	for (size_t row = 0; row < table_rows(table); row++) {
		fputs("<li>", out);
		for (size_t i = FINDING; i < table->columns_count; i++) {
			fputs(i == FINDING ? "<p><strong>" : "<p><span class=\"soft\">", out);
			if (i > FINDING) {
				put_escaped(out, table->columns[i].title);
				fputs(":</span> ", out);
			}
			put_cell_text(out, table_cell(table, row, i));
			fputs(i == FINDING ? "</strong></p>" : "</p>", out);
		}
		fputs("</li>\n", out);
	}
	fputs("</ol>\n", out);
}

/* The moments at even distances below a plot: days and minutes of "2026-11-24 10:00:00". */
static void put_ticks(FILE *out, const struct table *table)
{
	enum { TICKS = 5, DAY_AT = 5, DAY_BYTES = 5, MINUTE_AT = 11, MINUTE_BYTES = 5 };
	size_t rows = table_rows(table);

	if (rows < TICKS)
		return;
	fputs("<div class=\"ticks\">", out);
	for (size_t i = 0; i < TICKS; i++) {
		const char *moment = table_cell(table, i * (rows - 1) / (TICKS - 1), 0)->text;

		fprintf(out, "<span>%.*s %.*s</span>", DAY_BYTES, moment + DAY_AT, MINUTE_BYTES,
			moment + MINUTE_AT);
	}
	fputs("</div>\n", out);
}

/* One column of the series as bars over time, a line at half of the most. */
static void put_plot(FILE *out, const struct table *table, size_t column)
{
	size_t rows = table_rows(table);
	struct cell most = *table_cell(table, 0, column);
	double step = (double)PLOT_WIDTH / (double)rows;

	most.number = highest(table, column);
	if (!(most.number > 0))
		return;
	fputs("<figure><figcaption>", out);
	put_escaped(out, table->columns[column].title);
	fputs(", at most ", out);
	put_cell_text(out, &most);
	fprintf(out,
		"; the line is half of it</figcaption>\n<svg viewBox=\"0 0 %d %d\" role=\"img\" "
		"aria-label=\"",
		PLOT_WIDTH, PLOT_HEIGHT + PLOT_TOP);
	put_escaped(out, table->columns[column].title);
	fprintf(out, " over time\">\n<path class=\"axis\" d=\"M0 %dh%dv1h-%dz\"/>\n<path d=\"",
		PLOT_TOP + PLOT_HEIGHT / 2, PLOT_WIDTH, PLOT_WIDTH);
	for (size_t row = 0; row < rows; row++) {
		double value = table_cell(table, row, column)->number;
		double height = isnan(value) ? 0 : value / most.number * PLOT_HEIGHT;

		if (height > 0)
			fprintf(out, "M%.1f %dv%.1fh%.1fv%.1fz", (double)row * step,
				PLOT_HEIGHT + PLOT_TOP, -height, fmax(step - 0.5, 0.5), height);
	}
	fputs("\"/>\n</svg>", out);
	put_ticks(out, table);
	fputs("</figure>\n", out);
}

static void put_series(FILE *out, const struct table *table)
{
	for (size_t i = 1; i < table->columns_count; i++)
		put_plot(out, table, i);
	fputs("<p class=\"soft\">From ", out);
	put_cell_text(out, table_cell(table, 0, 0));
	fputs(" to ", out);
	put_cell_text(out, table_cell(table, table_rows(table) - 1, 0));
	fputs(" (UTC).</p>\n", out);
}

static void put_table(FILE *out, const struct table *table)
{
	if (table->shape != SHAPE_PROSE && table_rows(table) == 0)
		return;
	fprintf(out, "<h2 id=\"%s\">", table->id);
	put_escaped(out, table->title);
	fputs("</h2>\n", out);
	switch (table->shape) {
	case SHAPE_FACTS:
		put_facts(out, table);
		break;
	case SHAPE_LIST:
		put_list(out, table);
		break;
	case SHAPE_PROSE:
		put_prose(out, table);
		break;
	case SHAPE_SERIES:
		put_series(out, table);
		break;
	}
	if (table->note) {
		fputs("<p class=\"soft\">", out);
		put_escaped(out, table->note);
		fputs("</p>\n", out);
	}
}

void page_html_write(FILE *out, const struct document *document)
{
	fputs(head, out);
	fputs("<p>", out);
	put_escaped(out, document->period);
	fputs("</p>\n", out);
	for (size_t i = 0; i < document->notes_count; i++) {
		fputs("<p class=\"missed\">", out);
		put_escaped(out, document->notes[i]);
		fputs("</p>\n", out);
	}
	/* What to change first, then what it is seen from. */
	for (int is_rest = 0; is_rest < 2; is_rest++) {
		for (size_t i = 0; i < document->tables_count; i++) {
			if ((document->tables[i].shape != SHAPE_PROSE) == is_rest)
				put_table(out, &document->tables[i]);
		}
	}
	fputs(tail, out);
}
