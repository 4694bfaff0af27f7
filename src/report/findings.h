/*
 * What should be changed, in plain words, each with the setting and what to expect of it; only what
 * the log shows. Called by report/report. report/findings_images has those about images.
 */
#ifndef SO_REPORT_FINDINGS_H
#define SO_REPORT_FINDINGS_H

#include "report/analysis.h"
#include "report/document.h"
#include "report/hints.h"

/* The table "findings"; it is there and empty where there is nothing to say. */
void findings_add(
	struct document *document, const struct analysis *analysis, const struct hints *hints);
/* The same as a part of it: cells of a row but the last three, which are sentences. */
void findings_begin(struct table *table, const char *id, const char *project, const char *model);
/* Implemented by findings_images. */
void findings_add_images(
	struct table *table, const struct analysis *analysis, const struct hints *hints);

#endif
