/* Any bytes as what clients announce of their patience: nothing is read beyond the value, and what
 * is accepted is over 0 and at most a day. */
#include "core/announced.h"

#include "http/fields.h"

#include "pieces.h"

#define DAY_US (INT64_C(24) * 3600 * 1000 * 1000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"X-Request-Timeout", "X-Stainless-Read-Timeout",
		"X-Stainless-Timeout", "X-Stainless-Retry-Count"};
	char *exact = malloc(size > 0 ? size : 1);
	int64_t us = -1;

	/* Without a byte behind it: a sanitizer sees who reads on. */
	REQUIRE(exact != NULL);
	memcpy(exact, data, size);
	if (announced_parse(exact, size, &us))
		REQUIRE(us > 0 && us <= DAY_US);
	else
		REQUIRE(us == -1);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct fields fields = {0};

		fields_add(&fields, names[i], strlen(names[i]), exact, size);
		us = announced_patience_us(&fields);
		REQUIRE(us >= 0 && us <= DAY_US);
		fields_finish(&fields);
	}
	free(exact);
	return 0;
}
