/*
 * The report for a terminal: tables, sentences, small bar charts. What came from outside cannot
 * steer the terminal: control characters and broken UTF-8 become '?'. Called by report/report.
 */
#ifndef SO_REPORT_PAGE_TEXT_H
#define SO_REPORT_PAGE_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "report/document.h"

struct page_look {
	unsigned width; /* columns */
	bool is_utf8;	/* else plain ASCII */
};

void page_text_write(FILE *out, const struct document *document, struct page_look look);

#endif
