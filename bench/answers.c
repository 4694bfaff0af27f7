#include "answers.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

enum { SMALL_BYTES = 291, LINE_BYTES = ANSWERS_CHUNK_BYTES - 16 };

const char answers_last[] =
	"122\r\n{\"model\":\"bench\",\"created_at\":\"2026-11-24T10:00:00.000000000Z\","
	"\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true,\"done_reason\":"
	"\"stop\","
	"\"total_duration\":2000000000,\"load_duration\":1000000,\"prompt_eval_count\":5,"
	"\"prompt_eval_duration\":1000000,\"eval_count\":100,\"eval_duration\":1990000000}\n\r\n"
	"0\r\n\r\n";

char *answers_json(const char *body)
{
	return mem_printf("HTTP/1.1 200 OK\r\nContent-Type: application/json; "
			  "charset=utf-8\r\nContent-Length: %zu\r\n\r\n%s",
		strlen(body), body);
}

char *answers_small(void)
{
	static const char begin[] = "{\"model\":\"bench\",\"embeddings\":[[0.010,0.020";
	static const char end[] = "]],\"total_duration\":2000000,\"load_duration\":1000000,"
				  "\"prompt_eval_count\":2}";
	char body[SMALL_BYTES + 1];

	/* numbers, then spaces, which are JSON too, up to the size */
	memset(body, ' ', SMALL_BYTES);
	body[SMALL_BYTES] = '\0';
	memcpy(body, begin, strlen(begin));
	for (size_t at = strlen(begin); at + strlen(",0.030") + strlen(end) <= SMALL_BYTES;
		at += strlen(",0.030"))
		memcpy(body + at, ",0.030", strlen(",0.030"));
	memcpy(body + SMALL_BYTES - strlen(end), end, strlen(end));
	return answers_json(body);
}

static size_t chunk_of(char *chunk, const char *line)
{
	return (size_t)snprintf(chunk, ANSWERS_CHUNK_BYTES, "%zx\r\n%s\r\n", strlen(line), line);
}

size_t answers_line(char *chunk, int number, int64_t due_ns)
{
	char line[LINE_BYTES];

	(void)snprintf(line, sizeof(line),
		"{\"model\":\"bench\",\"created_at\":\"2026-11-24T10:00:00.000000000Z\","
		"\"message\":{\"role\":\"assistant\",\"content\":\" word%d\"},"
		"\"bench_ns\":%lld,\"done\":false}\n",
		number, (long long)due_ns);
	return chunk_of(chunk, line);
}

size_t answers_plain_line(char *chunk)
{
	return chunk_of(chunk,
		"{\"model\":\"bench\",\"created_at\":\"2026-11-24T10:00:00.000000000Z\","
		"\"message\":{\"role\":\"assistant\",\"content\":\" word\"},"
		"\"done\":false}\n");
}
