/*
 * The report as one HTML page that needs nothing else: plots are inline SVG, light and dark by the
 * reader's preference, nothing is fetched, no script runs (its own Content-Security-Policy says
 * so). Every text is escaped: names come from outside. Called by report/report.
 */
#ifndef SO_REPORT_PAGE_HTML_H
#define SO_REPORT_PAGE_HTML_H

#include <stdio.h>

#include "report/document.h"

void page_html_write(FILE *out, const struct document *document);

#endif
