/*
 * bench-peek [BYTES [PIECE]]: how long json/peek takes for a request with one image, given to it in
 * pieces. Prints one JSON object: the least and the median of several times.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "json/peek.h"

enum {
	RUNS = 15,
	BYTES = 10000000,
	PIECE = 4096,
	DECIMAL = 10,
	NS_PER_S = 1000000000,
};

#define NS_PER_MS 1e6

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (long long)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int compare(const void *one, const void *other)
{
	long long a = *(const long long *)one, b = *(const long long *)other;

	return (a > b) - (a < b);
}

int main(int argc, char **argv)
{
	static const char begin[] = "{\"model\":\"bench\",\"stream\":false,\"prompt\":\"what is "
				    "this?\",\"images\":[\"";
	static const char end[] = "\"]}";
	size_t bytes = argc > 1 ? strtoul(argv[1], NULL, DECIMAL) : BYTES;
	size_t piece = argc > 2 ? strtoul(argv[2], NULL, DECIMAL) : PIECE;
	long long took_ns[RUNS], median_ns;
	char *body;

	if (bytes < strlen(begin) + strlen(end) || !piece)
		return 2;
	body = mem_alloc(bytes + 1);
	memset(body, 'A', bytes);
	memcpy(body, begin, sizeof(begin) - 1);
	memcpy(body + bytes - strlen(end), end, sizeof(end));
	for (int i = 0; i < RUNS; i++) {
		struct peek *peek = peek_create();
		long long begun_ns = now_ns();

		for (size_t at = 0; at < bytes; at += piece)
			peek_feed(peek, body + at, bytes - at < piece ? bytes - at : piece);
		if (!peek_finish(peek)->valid || peek_finish(peek)->images_count != 1)
			return 1;
		took_ns[i] = now_ns() - begun_ns;
		peek_destroy(peek);
	}
	qsort(took_ns, RUNS, sizeof(took_ns[0]), compare);
	median_ns = took_ns[RUNS / 2];
	printf("{\"mode\":\"peek\",\"bytes\":%zu,\"piece\":%zu,\"least_ms\":%.3f,\"ms\":%.3f}\n",
		bytes, piece, (double)took_ns[0] / NS_PER_MS, (double)median_ns / NS_PER_MS);
	free(body);
	return 0;
}
