#include "observe/rotate.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

bool rotate_files(const char *path, int keep)
{
	char *newer = mem_strdup(path);
	char *older;
	bool is_moved = false;

	/* From the oldest on; one that is missing leaves a gap, which does no harm. */
	for (int number = keep; number >= 1; number--) {
		free(newer);
		newer = number > 1 ? mem_printf("%s.%d", path, number - 1) : mem_strdup(path);
		older = mem_printf("%s.%d", path, number);
		is_moved = rename(newer, older) == 0;
		free(older);
	}
	free(newer);
	return is_moved;
}
