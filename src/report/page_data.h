/*
 * The report for programs: JSON (an object with a member a table, by its id) and CSV (RFC 4180;
 * one line a value: table, row, name, value). Called by report/report.
 */
#ifndef SO_REPORT_PAGE_DATA_H
#define SO_REPORT_PAGE_DATA_H

#include <stdio.h>

#include "report/document.h"

void page_json_write(FILE *out, const struct document *document);
void page_csv_write(FILE *out, const struct document *document);

#endif
