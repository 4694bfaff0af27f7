#include "replay.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"
#include "load.h"

enum { RECORD_SEPARATOR = 0x1e, DECIMAL = 10 };

static void parse(struct planned *planned, char *line)
{
	char *moment = line, *filling = NULL;
	char **fields[] = {&moment, &planned->method, &planned->path, &planned->fields, &filling,
		&planned->before, &planned->after};

	planned->line = line;
	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; i < ARRAY_LENGTH(fields) && line; i++)
		*fields[i] = strsep(&line, "\t");
	if (!planned->fields) {
		errno = EINVAL;
		load_fail("plan");
	}
	planned->due_ms = strtod(moment, NULL);
	planned->filling = filling ? strtoul(filling, NULL, DECIMAL) : 0;
}

struct planned *plan_read(const char *path, size_t *ret_count)
{
	FILE *file = path ? fopen(path, "r") : NULL;
	struct planned *all = NULL;
	char *line = NULL;
	size_t capacity = 0, count = 0;

	if (!file)
		load_fail(path ? path : "--plan");
	while (getline(&line, &capacity, file) > 0) {
		all = mem_grow_array(all, count + 1, sizeof(*all));
		all[count] = (struct planned){0};
		parse(&all[count++], line);
		line = NULL;
		capacity = 0;
	}
	free(line);
	fclose(file);
	*ret_count = count;
	return all;
}

void plan_free(struct planned *planned, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(planned[i].line);
	free(planned);
}

/* Header fields with CRLF behind each. */
static char *fields_of(const struct planned *planned)
{
	size_t length = strlen(planned->fields);
	char *fields = mem_zalloc(2 * length + 1);
	char *to = fields;

	for (size_t i = 0; i < length; i++) {
		if (planned->fields[i] == RECORD_SEPARATOR) {
			*to++ = '\r';
			*to++ = '\n';
		} else {
			*to++ = planned->fields[i];
		}
	}
	return fields;
}

char *plan_request(const struct planned *planned, const char *authority)
{
	/* A PNG of 827 x 1169, a page of A4 at 100 dpi; nobody decodes the rest. */
	static const char png[] = "iVBORw0KGgoAAAANSUhEUgAAAzsAASRCAIAAAA";
	char *fields = fields_of(planned);
	char *filling, *request;
	const char *after = planned->after ? planned->after : "";

	if (!planned->before) {
		request = mem_printf("%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%s\r\n",
			planned->method, planned->path, authority, fields);
		free(fields);
		return request;
	}
	filling = mem_alloc(planned->filling + 1);
	memset(filling, 'A', planned->filling);
	if (planned->filling >= strlen(png))
		memcpy(filling, png, strlen(png));
	filling[planned->filling] = '\0';
	request = mem_printf("%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n%sContent-Length: "
			     "%zu\r\n\r\n%s%s%s",
		planned->method, planned->path, authority, fields,
		strlen(planned->before) + planned->filling + strlen(after), planned->before,
		filling, after);
	free(filling);
	free(fields);
	return request;
}
