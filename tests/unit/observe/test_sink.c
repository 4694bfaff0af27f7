#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "observe/sink.h"

enum { PATH_BYTES = 64, TEXT_BYTES = 4 * 1024 * 1024 };

struct fixture {
	char folder[PATH_BYTES];
	char path[2 * PATH_BYTES];
	char *text; /* what read_all() found */
};

static int set_up(void **state)
{
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));

	strcpy(fixture->folder, "/tmp/sink_XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	snprintf(fixture->path, sizeof(fixture->path), "%s/log.jsonl", fixture->folder);
	fixture->text = mem_alloc(TEXT_BYTES);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	unlink(fixture->path);
	rmdir(fixture->folder);
	free(fixture->text);
	free(fixture);
	return 0;
}

static void add(struct sink *sink, const char *line)
{
	sink_add(sink, line, strlen(line));
}

static const char *read_fd(struct fixture *fixture, int fd)
{
	size_t length = 0;
	ssize_t got;

	while ((got = read(fd, fixture->text + length, TEXT_BYTES - 1 - length)) > 0)
		length += (size_t)got;
	fixture->text[length] = '\0';
	return fixture->text;
}

static const char *read_path(struct fixture *fixture, const char *path)
{
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0);
	read_fd(fixture, fd);
	close(fd);
	return fixture->text;
}

static void write_path(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void test_lines_are_written_when_flushed(void **state)
{
	struct fixture *fixture = *state;
	struct sink *sink = sink_create(fixture->path);

	assert_non_null(sink);
	add(sink, "one");
	add(sink, "two");
	assert_string_equal(read_path(fixture, fixture->path), "");
	sink_flush(sink);
	assert_string_equal(read_path(fixture, fixture->path), "one\ntwo\n");
	add(sink, "three");
	sink_destroy(sink);
	assert_string_equal(read_path(fixture, fixture->path), "one\ntwo\nthree\n");
}

static void test_missing_folders_are_made(void **state)
{
	struct fixture *fixture = *state;
	char path[3 * PATH_BYTES];
	struct sink *sink;

	snprintf(path, sizeof(path), "%s/a/b/log.jsonl", fixture->folder);
	sink = sink_create(path);
	assert_non_null(sink);
	sink_destroy(sink);
	assert_int_equal(unlink(path), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
}

static void test_a_file_that_ends_in_a_torn_line_gets_its_newline(void **state)
{
	struct fixture *fixture = *state;
	struct sink *sink;

	write_path(fixture->path, "whole\ntor");
	sink = sink_create(fixture->path);
	assert_non_null(sink);
	add(sink, "new");
	sink_destroy(sink);
	assert_string_equal(read_path(fixture, fixture->path), "whole\ntor\nnew\n");
}

static void test_reopen_goes_on_in_a_new_file(void **state)
{
	struct fixture *fixture = *state;
	char moved[3 * PATH_BYTES];
	struct sink *sink = sink_create(fixture->path);

	assert_non_null(sink);
	snprintf(moved, sizeof(moved), "%s.1", fixture->path);
	add(sink, "old");
	assert_int_equal(rename(fixture->path, moved), 0);
	sink_reopen(sink);
	add(sink, "new");
	sink_destroy(sink);
	assert_string_equal(read_path(fixture, moved), "old\n");
	assert_string_equal(read_path(fixture, fixture->path), "new\n");
	unlink(moved);
}

static const char *read_numbered(struct fixture *fixture, int number)
{
	char path[3 * PATH_BYTES];
	int fd;
	const char *text;

	snprintf(path, sizeof(path), "%s.%d", fixture->path, number);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return NULL;
	text = read_fd(fixture, fd);
	close(fd);
	unlink(path);
	return text;
}

static void test_a_full_file_is_moved_aside_between_lines(void **state)
{
	struct fixture *fixture = *state;
	struct sink *sink = sink_create(fixture->path);

	sink_set_rotation(sink, 8, 2);
	for (char number = '1'; number <= '7'; number++) {
		char line[] = {'l', 'i', 'n', 'e', number, '\0'};

		add(sink, line);
		sink_flush(sink);
	}
	sink_destroy(sink);
	/* two lines a file: 1 2 | 3 4 | 5 6 | 7, of which two old files stay */
	assert_string_equal(read_numbered(fixture, 1), "line5\nline6\n");
	assert_string_equal(read_numbered(fixture, 2), "line3\nline4\n");
	assert_null(read_numbered(fixture, 3));
	assert_string_equal(read_path(fixture, fixture->path), "line7\n");
}

static void test_a_file_that_cannot_be_moved_goes_on(void **state)
{
	struct fixture *fixture = *state;
	struct sink *sink = sink_create(fixture->path);
	char blocker[3 * PATH_BYTES];

	snprintf(blocker, sizeof(blocker), "%s.1", fixture->path);
	assert_int_equal(mkdir(blocker, 0700), 0);
	sink_set_rotation(sink, 4, 1);
	add(sink, "one");
	sink_flush(sink);
	add(sink, "two");
	sink_flush(sink);
	sink_destroy(sink);
	assert_string_equal(read_path(fixture, fixture->path), "one\ntwo\n");
	assert_int_equal(rmdir(blocker), 0);
}

static void test_reopen_that_fails_keeps_the_old_file(void **state)
{
	struct fixture *fixture = *state;
	char moved[3 * PATH_BYTES];
	struct sink *sink = sink_create(fixture->path);

	assert_non_null(sink);
	snprintf(moved, sizeof(moved), "%s.1", fixture->path);
	assert_int_equal(rename(fixture->path, moved), 0);
	assert_int_equal(mkdir(fixture->path, 0700), 0);
	sink_reopen(sink);
	add(sink, "line");
	sink_destroy(sink);
	assert_string_equal(read_path(fixture, moved), "line\n");
	assert_int_equal(rmdir(fixture->path), 0);
	unlink(moved);
}

static void test_full_disk_drops_lines_and_counts_them(void **state)
{
	struct sink *sink = sink_create("/dev/full");

	assert_non_null(sink);
	add(sink, "one");
	add(sink, "two");
	sink_flush(sink);
	assert_int_equal(sink_dropped(sink), 2);
	add(sink, "three");
	sink_flush(sink);
	assert_int_equal(sink_dropped(sink), 3);
	sink_destroy(sink);
}

static void limit_file_size(rlim_t bytes)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_a_line_cut_by_a_full_disk_is_completed_later(void **state)
{
	struct fixture *fixture = *state;
	struct sink *sink = sink_create(fixture->path);

	assert_non_null(sink);
	/* "one\n" and "tw" fit */
	limit_file_size(6);
	add(sink, "one");
	add(sink, "two");
	add(sink, "three");
	sink_flush(sink);
	assert_int_equal(sink_dropped(sink), 1);
	assert_string_equal(read_path(fixture, fixture->path), "one\ntw");
	add(sink, "four");
	sink_flush(sink);
	assert_int_equal(sink_dropped(sink), 2);
	limit_file_size(RLIM_INFINITY);
	add(sink, "five");
	sink_flush(sink);
	assert_string_equal(read_path(fixture, fixture->path), "one\ntwo\nfive\n");
	assert_int_equal(sink_dropped(sink), 2);
	sink_destroy(sink);
}

static void test_a_cut_line_is_not_gone_on_with_in_a_new_file(void **state)
{
	struct fixture *fixture = *state;
	char moved[3 * PATH_BYTES];
	struct sink *sink = sink_create(fixture->path);

	assert_non_null(sink);
	snprintf(moved, sizeof(moved), "%s.1", fixture->path);
	limit_file_size(2);
	add(sink, "one");
	sink_flush(sink);
	assert_int_equal(rename(fixture->path, moved), 0);
	sink_reopen(sink);
	assert_int_equal(sink_dropped(sink), 1);
	limit_file_size(RLIM_INFINITY);
	add(sink, "two");
	sink_destroy(sink);
	assert_string_equal(read_path(fixture, fixture->path), "two\n");
	unlink(moved);
}

/* Standard output is the write end of a pipe; returns the read end, which does not block. */
static int redirect(int *ret_saved)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
	fflush(stdout);
	*ret_saved = dup(STDOUT_FILENO);
	assert_true(*ret_saved >= 0);
	assert_int_equal(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
	close(ends[1]);
	return ends[0];
}

static void restore(int saved)
{
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
}

static void test_standard_output_stays_blocking_for_others(void **state)
{
	struct fixture *fixture = *state;
	int saved;
	int reader = redirect(&saved);
	struct sink *sink = sink_create("-");
	int flags = fcntl(STDOUT_FILENO, F_GETFL);
	bool exists = sink != NULL;

	if (exists) {
		add(sink, "line");
		sink_flush(sink);
		sink_reopen(sink);
		sink_destroy(sink);
	}
	restore(saved);
	assert_true(exists);
	assert_int_equal(flags & O_NONBLOCK, 0);
	assert_string_equal(read_fd(fixture, reader), "line\n");
	close(reader);
}

static void test_a_slow_reader_costs_lines_and_no_time(void **state)
{
	enum { LINES = 4000, LINE_BYTES = 1000 };
	struct fixture *fixture = *state;
	char line[LINE_BYTES + 1];
	int saved;
	int reader = redirect(&saved);
	struct sink *sink = sink_create("-");
	uint64_t dropped, expected = 0;
	size_t length;

	memset(line, 'x', LINE_BYTES);
	line[LINE_BYTES] = '\0';
	for (int i = 0; sink && i < LINES; i++) {
		add(sink, line);
		sink_flush(sink);
	}
	restore(saved);
	assert_non_null(sink);
	dropped = sink_dropped(sink);
	/* a pipe holds 64 KiB, the buffer 1 MiB */
	assert_true(dropped > LINES / 2 && dropped < LINES);
	length = strlen(read_fd(fixture, reader));
	while (length > 0) {
		size_t before = strlen(fixture->text);

		for (size_t i = 0; i < before; i++)
			expected += fixture->text[i] == '\n';
		sink_flush(sink);
		length = strlen(read_fd(fixture, reader));
	}
	/* whole lines came, none was lost that was not counted */
	assert_int_equal(expected + dropped, LINES);
	sink_destroy(sink);
	close(reader);
}

static void test_a_reader_that_left_drops_lines(void **state)
{
	int saved;
	int reader = redirect(&saved);
	struct sink *sink = sink_create("-");

	close(reader);
	if (sink) {
		add(sink, "line");
		sink_flush(sink);
	}
	restore(saved);
	assert_non_null(sink);
	assert_int_equal(sink_dropped(sink), 1);
	sink_destroy(sink);
}

static void test_a_reader_that_sleeps_does_not_hold_up_the_end(void **state)
{
	enum { LINES = 200, LINE_BYTES = 1000 };
	char line[LINE_BYTES + 1];
	int saved;
	int reader = redirect(&saved);
	struct sink *sink = sink_create("-");

	memset(line, 'x', LINE_BYTES);
	line[LINE_BYTES] = '\0';
	for (int i = 0; sink && i < LINES; i++)
		add(sink, line);
	restore(saved);
	assert_non_null(sink);
	sink_destroy(sink);
	close(reader);
}

static void test_the_time_of_writes_is_taken(void **state)
{
	struct fixture *fixture = *state;
	struct sink *sink = sink_create(fixture->path);
	struct sink_report report;

	assert_non_null(sink);
	sink_flush(sink);
	report = sink_report(sink);
	assert_int_equal(report.writes, 0);
	add(sink, "one");
	add(sink, "two");
	assert_int_equal(sink_report(sink).waiting_bytes, strlen("one\ntwo\n"));
	sink_flush(sink);
	report = sink_report(sink);
	assert_int_equal(report.lines, 2);
	assert_int_equal(report.dropped, 0);
	assert_int_equal(report.waiting_bytes, 0);
	/* both in one */
	assert_int_equal(report.writes, 1);
	assert_true(report.write_us >= 0 && report.write_most_us == report.write_us);
	sink_destroy(sink);
}

/* systemd's journal: a socket that is shared, cannot be opened anew and must stay blocking. */
static void test_a_socket_that_nobody_reads_is_not_waited_for(void **state)
{
	enum { LINES = 3000, LINE_BYTES = 1000 };
	char line[LINE_BYTES + 1];
	const int smallest = 1;
	int ends[2];
	int saved;
	struct sink *sink;
	struct sink_report report = {0};
	int flags;

	memset(line, 'x', LINE_BYTES);
	line[LINE_BYTES] = '\0';
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	/* the kernel's least: less than what is written at once */
	assert_int_equal(
		setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(smallest)), 0);
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	assert_int_equal(dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
	sink = sink_create("-");
	for (int i = 0; sink && i < LINES; i++) {
		add(sink, line);
		sink_flush(sink);
	}
	flags = fcntl(STDOUT_FILENO, F_GETFL);
	restore(saved);
	assert_non_null(sink);
	report = sink_report(sink);
	assert_int_equal(report.lines, LINES);
	assert_true(report.dropped > 0 && report.dropped < LINES);
	assert_int_equal(flags & O_NONBLOCK, 0);
	sink_destroy(sink);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_FOLDER(test_lines_are_written_when_flushed),
		WITH_FOLDER(test_missing_folders_are_made),
		WITH_FOLDER(test_a_file_that_ends_in_a_torn_line_gets_its_newline),
		WITH_FOLDER(test_reopen_goes_on_in_a_new_file),
		WITH_FOLDER(test_a_full_file_is_moved_aside_between_lines),
		WITH_FOLDER(test_a_file_that_cannot_be_moved_goes_on),
		WITH_FOLDER(test_reopen_that_fails_keeps_the_old_file),
		WITH_FOLDER(test_full_disk_drops_lines_and_counts_them),
		WITH_FOLDER(test_a_line_cut_by_a_full_disk_is_completed_later),
		WITH_FOLDER(test_a_cut_line_is_not_gone_on_with_in_a_new_file),
		WITH_FOLDER(test_standard_output_stays_blocking_for_others),
		WITH_FOLDER(test_a_slow_reader_costs_lines_and_no_time),
		WITH_FOLDER(test_a_reader_that_left_drops_lines),
		WITH_FOLDER(test_a_reader_that_sleeps_does_not_hold_up_the_end),
		WITH_FOLDER(test_the_time_of_writes_is_taken),
		WITH_FOLDER(test_a_socket_that_nobody_reads_is_not_waited_for),
	};

	/* as the program does; SIGXFSZ stands for the full disk */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
