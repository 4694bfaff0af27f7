/*
 * Turns an analysis into the report's tables, all but the findings. Called by report/report.
 */
#ifndef SO_REPORT_TABLES_H
#define SO_REPORT_TABLES_H

#include "report/analysis.h"
#include "report/document.h"

/* After analysis_end(). */
void tables_add(struct document *document, const struct analysis *analysis);
/* The mean wait below which no scheduler could go, over all that waited; NAN: unknown. */
double tables_least_wait(const struct analysis *analysis);

#endif
