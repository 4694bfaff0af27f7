#include "report/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "base/memory.h"
#include "report/line.h"

enum {
	/* Of the file; zlib decides by its first bytes whether it is gzip. */
	READ_BYTES = 256 * 1024,
	BUFFER_BYTES = LINE_BYTES_MOST + READ_BYTES,
};

struct input {
	gzFile file;
	const char *path;
	bool is_over;
	bool is_skipping; /* to the end of a line that is too long */
	size_t begin;
	size_t end;
	char buffer[BUFFER_BYTES];
};

static int open_file(const char *path, char **ret_error)
{
	struct stat status;
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		*ret_error = mem_printf("%s: %s", path, strerror(errno));
		return -1;
	}
	if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
		*ret_error = mem_printf("%s: %s", path, strerror(EISDIR));
		close(fd);
		return -1;
	}
	return fd;
}

struct input *input_open(const char *path, char **ret_error)
{
	int fd = open_file(path, ret_error);
	struct input *input;

	if (fd < 0)
		return NULL;
	input = mem_alloc(sizeof(*input));
	input->path = path;
	input->is_over = input->is_skipping = false;
	input->begin = input->end = 0;
	input->file = gzdopen(fd, "rb");
	if (!input->file)
		mem_out(READ_BYTES);
	gzbuffer(input->file, READ_BYTES);
	return input;
}

void input_close(struct input *input)
{
	if (!input)
		return;
	gzclose(input->file);
	free(input);
}

/* false: nothing came. */
static bool fill(struct input *input)
{
	int got;

	if (input->is_over)
		return false;
	if (input->begin > 0) {
		memmove(input->buffer, input->buffer + input->begin, input->end - input->begin);
		input->end -= input->begin;
		input->begin = 0;
	}
	got = gzread(input->file, input->buffer + input->end,
		(unsigned)(sizeof(input->buffer) - input->end));
	if (got <= 0) {
		input->is_over = true;
		return false;
	}
	input->end += (size_t)got;
	return true;
}

/* A line of the buffer, from begin to `end`; false: it is empty, or the rest of a long one. */
static bool take(
	struct input *input, size_t end, size_t next, const char **ret_line, size_t *ret_length)
{
	const char *line = input->buffer + input->begin;
	size_t length = end - input->begin;
	bool is_rest = input->is_skipping;

	input->begin = next;
	input->is_skipping = false;
	if (length > 0 && line[length - 1] == '\r')
		length--;
	if (is_rest || length == 0)
		return false;
	*ret_line = line;
	*ret_length = length;
	return true;
}

bool input_next(struct input *input, const char **ret_line, size_t *ret_length)
{
	size_t searched = 0;

	for (;;) {
		const char *begin = input->buffer + input->begin;
		size_t left = input->end - input->begin;
		const char *end = memchr(begin + searched, '\n', left - searched);

		if (end) {
			size_t at = (size_t)(end - input->buffer);

			searched = 0;
			if (take(input, at, at + 1, ret_line, ret_length))
				return true;
			continue;
		}
		searched = left;
		if (left == sizeof(input->buffer)) {
			bool is_first = !input->is_skipping;

			/* One byte is left over, so that it is no whole JSON text. */
			*ret_line = begin;
			*ret_length = left - 1;
			input->begin = input->end = 0;
			input->is_skipping = true;
			searched = 0;
			if (is_first)
				return true;
		}
		if (!fill(input))
			return left > 0 &&
			       take(input, input->end, input->end, ret_line, ret_length);
	}
}

char *input_problem(struct input *input)
{
	int code;
	const char *text = gzerror(input->file, &code);

	if (code == Z_OK || code == Z_STREAM_END)
		return NULL;
	if (code == Z_ERRNO)
		text = strerror(errno);
	return mem_printf("%s: it breaks off: %s", input->path, text);
}
