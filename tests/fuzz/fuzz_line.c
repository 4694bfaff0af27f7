/* Log lines: any bytes give a line or none, and what it says lies within its bounds. Then it is
 * analysed, twice, as a log with it would be. */
#include "report/analysis.h"
#include "report/line.h"

#include "pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct analysis_filter filter = {.since_us = -1, .until_us = -1, .time_scale = 1};
	struct line_reader *reader = line_reader_create();
	struct analysis *analysis = analysis_create(&filter);
	struct line line;

	for (int i = 0; i < 2; i++) {
		if (!line_read(reader, (const char *)data, size, &line))
			continue;
		REQUIRE(line.operation.at && line.operation.length <= size);
#define X(field, key) REQUIRE(!line.field.at || line.field.length <= size);
		LINE_TEXTS(X)
#undef X
#define X(field, key) REQUIRE(!(line.field < 0));
		LINE_NUMBERS(X)
#undef X
		REQUIRE(line.ended_us >= -1);
		analysis_add(analysis, &line);
	}
	analysis_end(analysis);
	REQUIRE(analysis->lines == analysis->all.requests);
	REQUIRE(analysis->traffic->arrivals <= analysis->lines);
	analysis_destroy(analysis);
	line_reader_destroy(reader);
	return 0;
}
