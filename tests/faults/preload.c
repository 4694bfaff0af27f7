/*
 * Preloaded into the process under test, it makes system calls fail as they do in bad times.
 * Without FAULT_PROGRAM in its environment, or in a program of another name, it does nothing.
 *
 *   FAULT_PROGRAM   the short name of the program that is meant
 *   FAULT_SEED      same seed, same faults: whether the nth call of a kind fails is a function of
 *                   seed, kind and n alone
 *   FAULT_RATES     kind=rate,…: kinds are those of fault_kinds[], a rate is 0 to 1
 *   FAULT_CONTROL   a file of sizeof(struct fault_control): preload.h
 *   FAULT_NTH       the nth system call after the first accepted connection fails, once
 *
 * Without FAULT_CONTROL random faults begin with the first turn of the loop (epoll_wait): a start
 * that fails is meant to end the program. A failed call has no effect, but a reset, which really
 * shuts the socket, and a close, which Linux never undoes.
 */
#include "preload.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
	SHORT = -1, /* among a call's faults: less than asked is moved */
	FAULTS_MOST = 5,
	PIECES_MOST = 64,
	RATE_ONE = 1000 * 1000,
	/* The wall clock jumps so far at most, either way: a day. */
	JUMP_MOST_S = 24 * 3600,
	DECIMAL = 10,
	/* What libevhtp 1.2 takes for every accepted connection, no size from outside. Refused, it
	   forgets the accepted socket, which nobody can close any more. */
	CONNECTION_BYTES = 8320,
	RATES_TEXT_BYTES = 512,
};

/* The kinds that FAULT_RATES names. */
#define KINDS(X)                                                                 \
	X(SHORT, "short")     /* read and written in small pieces */             \
	X(EINTR, "eintr")     /* any that may be interrupted */                  \
	X(EAGAIN, "eagain")   /* the kernel takes and gives nothing after all */ \
	X(RESET, "reset")     /* of connections, both sides */                   \
	X(EMFILE, "emfile")   /* accept, socket, open: no descriptors left */    \
	X(ACCEPT, "accept")   /* the client was gone before it was accepted */   \
	X(CONNECT, "connect") /* refused, unreachable, no port left */           \
	X(ENOSPC, "enospc")   /* writes to files */                              \
	X(CLOCK, "clock")     /* the wall clock jumps */

enum kind {
#define X(name, text) KIND_##name,
	KINDS(X)
#undef X
		KIND_COUNT
};

static const char *const kind_names[] = {
#define X(name, text) text,
	KINDS(X)
#undef X
};

/* One system call: its name, what may become of it, and where the real one is. */
struct call {
	const char *name;
	int faults[FAULTS_MOST]; /* errno values or SHORT, 0 ends them */
	void *real;
};

static struct {
	bool is_on; /* this is the program */
	bool has_begun;
	uint64_t seed;
	uint32_t rates[KIND_COUNT];
	uint64_t asked[KIND_COUNT];
	int64_t jumped_s;
	struct fault_control own; /* without a file */
	struct fault_control *control;
} state = {.control = &state.own};

static void *real_of(struct call *call)
{
	if (!call->real)
		call->real = dlsym(RTLD_NEXT, call->name);
	return call->real;
}

/* `real` as a pointer to a function of the type of the wrapper around it. */
#define REAL(call, wrapper) ((__typeof__(&(wrapper)))real_of(call))

static uint32_t rate_of(const char *text)
{
	double rate = strtod(text, NULL);

	return rate > 0 && rate <= 1 ? (uint32_t)(rate * RATE_ONE) : 0;
}

static void read_rates(const char *text)
{
	char copy[RATES_TEXT_BYTES];
	char *rest = NULL;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *word = strtok_r(copy, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
		char *equals = strchr(word, '=');

		if (!equals)
			continue;
		*equals = '\0';
		for (int kind = 0; kind < KIND_COUNT; kind++) {
			if (strcmp(word, kind_names[kind]) == 0)
				state.rates[kind] = rate_of(equals + 1);
		}
	}
}

static void map_control(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *shared = fd < 0 ? MAP_FAILED
			      : mmap(NULL, sizeof(*state.control), PROT_READ | PROT_WRITE,
					MAP_SHARED, fd, 0);

	if (shared == MAP_FAILED) {
		perror(path);
		abort();
	}
	close(fd);
	state.control = shared;
}

__attribute__((constructor)) static void begin(void)
{
	const char *program = getenv("FAULT_PROGRAM");
	const char *seed = getenv("FAULT_SEED");
	const char *rates = getenv("FAULT_RATES");
	const char *control = getenv("FAULT_CONTROL");
	const char *nth = getenv("FAULT_NTH");

	if (!program || strcmp(program, program_invocation_short_name) != 0)
		return;
	state.seed = seed ? strtoull(seed, NULL, DECIMAL) : 1;
	if (rates)
		read_rates(rates);
	if (control)
		map_control(control);
	if (nth)
		state.own.nth = strtoull(nth, NULL, DECIMAL);
	state.is_on = true;
}

/* A random number that seed, kind and n decide (splitmix64). */
static uint64_t draw(enum kind kind, uint64_t n)
{
	uint64_t z = state.seed * 0x9e3779b97f4a7c15U + ((uint64_t)kind << 56) + n;

	z += 0x9e3779b97f4a7c15U;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
	return z ^ (z >> 31);
}

static bool is_file(int fd)
{
	struct stat status;

	return syscall(SYS_fstat, fd, &status) == 0 && S_ISREG(status.st_mode);
}

static const char *name_of(int fault)
{
	return fault == SHORT ? "short" : strerrorname_np(fault);
}

static int note(const struct call *call, int fault)
{
	struct fault_control *control = state.control;

	control->fired++;
	snprintf(control->call, sizeof(control->call), "%s", call->name);
	snprintf(control->fault, sizeof(control->fault), "%s", name_of(fault));
	return fault;
}

/* true: this call of that kind is one that fails. */
static bool is_drawn(enum kind kind)
{
	uint64_t n = state.asked[kind]++;

	return state.rates[kind] && draw(kind, n) % RATE_ONE < state.rates[kind];
}

/* The kind of a call's fault. */
static enum kind kind_of(const struct call *call, int fault)
{
	switch (fault) {
	case SHORT:
		return KIND_SHORT;
	case EINTR:
		return KIND_EINTR;
	case EAGAIN:
		return KIND_EAGAIN;
	case ECONNRESET:
		return KIND_RESET;
	case EMFILE:
	case ENFILE:
		return KIND_EMFILE;
	case ECONNABORTED:
		return KIND_ACCEPT;
	case ENOSPC:
		/* epoll's means another thing: no watch is left. */
		return strcmp(call->name, "epoll_ctl") == 0 ? KIND_COUNT : KIND_ENOSPC;
	default:
		return strcmp(call->name, "connect") == 0 ? KIND_CONNECT : KIND_COUNT;
	}
}

static int random_fault(const struct call *call)
{
	for (int i = 0; i < FAULTS_MOST && call->faults[i]; i++) {
		enum kind kind = kind_of(call, call->faults[i]);

		if (kind != KIND_COUNT && is_drawn(kind))
			return note(call, call->faults[i]);
	}
	return 0;
}

static int nth_fault(const struct call *call)
{
	struct fault_control *control = state.control;
	int count = 0;

	while (count < FAULTS_MOST && call->faults[count])
		count++;
	if (++control->seen != control->nth)
		return 0;
	return note(call, call->faults[control->variant % (uint32_t)count]);
}

/* What becomes of this call: 0, an errno or SHORT. */
static int fault_of(const struct call *call)
{
	if (!state.is_on || !state.has_begun)
		return 0;
	switch ((enum fault_mode)state.control->mode) {
	case FAULT_MODE_RANDOM:
		return random_fault(call);
	case FAULT_MODE_CALL:
		return nth_fault(call);
	case FAULT_MODE_OFF:
	case FAULT_MODE_ALLOCATION:
		break;
	}
	return 0;
}

static int fail(int error)
{
	errno = error;
	return -1;
}

/* A call that fails for a connection: a reset is one for the peer too. */
static int fail_on(int fd, int error)
{
	if (error == ECONNRESET || error == EPIPE)
		syscall(SYS_shutdown, fd, SHUT_RDWR);
	return fail(error);
}

static size_t shortened(size_t length)
{
	return length > 1 ? 1 + draw(KIND_SHORT, state.control->fired + length) % (length - 1)
			  : length;
}

/* The first pieces, together shorter than they were. */
static int shorten_pieces(const struct iovec *pieces, int count, struct iovec *ret_pieces)
{
	size_t total = 0;
	size_t left;
	int kept = 0;

	for (int i = 0; i < count; i++)
		total += pieces[i].iov_len;
	left = shortened(total);
	for (int i = 0; i < count && i < PIECES_MOST && left > 0; i++) {
		ret_pieces[kept] = pieces[i];
		if (ret_pieces[kept].iov_len > left)
			ret_pieces[kept].iov_len = left;
		left -= ret_pieces[kept++].iov_len;
	}
	return kept;
}

/* ---- moving bytes ---- */

static struct call call_read = {"read", {SHORT, EINTR, EAGAIN, ECONNRESET}, NULL};
static struct call call_readv = {"readv", {SHORT, EINTR, EAGAIN, ECONNRESET, ENOMEM}, NULL};
static struct call call_recv = {"recv", {SHORT, EINTR, EAGAIN, ECONNRESET}, NULL};
static struct call call_write = {"write", {SHORT, EINTR, EAGAIN, ECONNRESET, EPIPE}, NULL};
static struct call call_writev = {"writev", {SHORT, EINTR, EAGAIN, ECONNRESET, EPIPE}, NULL};
static struct call call_send = {"send", {SHORT, EINTR, EAGAIN, ECONNRESET, EPIPE}, NULL};
/* The same calls on files. */
static struct call file_read = {"read", {SHORT, EINTR, EIO}, NULL};
static struct call file_pread = {"pread64", {EINTR, EIO}, NULL};
static struct call file_write = {"write", {SHORT, EINTR, ENOSPC, EIO}, NULL};
static struct call file_writev = {"writev", {SHORT, EINTR, ENOSPC, EIO}, NULL};

/* The loop wakes itself by descriptors that are neither sockets nor files (eventfd, timerfd):
 * nothing of a request. */
static bool is_inner(int fd)
{
	struct stat status;

	return syscall(SYS_fstat, fd, &status) == 0 && !S_ISREG(status.st_mode) &&
	       !S_ISSOCK(status.st_mode);
}

ssize_t read(int fd, void *bytes, size_t length)
{
	struct call *call = is_file(fd) ? &file_read : &call_read;
	int fault = is_inner(fd) ? 0 : fault_of(call);

	if (fault > 0)
		return fail_on(fd, fault);
	return REAL(&call_read, read)(fd, bytes, fault == SHORT ? shortened(length) : length);
}

ssize_t readv(int fd, const struct iovec *pieces, int count)
{
	struct iovec kept[PIECES_MOST];
	int fault = fault_of(&call_readv);

	if (fault > 0)
		return fail_on(fd, fault);
	if (fault == SHORT) {
		count = shorten_pieces(pieces, count, kept);
		pieces = kept;
	}
	return REAL(&call_readv, readv)(fd, pieces, count);
}

ssize_t recv(int fd, void *bytes, size_t length, int flags)
{
	int fault = fault_of(&call_recv);

	if (fault > 0)
		return fail_on(fd, fault);
	return REAL(&call_recv, recv)(
		fd, bytes, fault == SHORT ? shortened(length) : length, flags);
}

ssize_t write(int fd, const void *bytes, size_t length)
{
	int fault = is_inner(fd) ? 0 : fault_of(is_file(fd) ? &file_write : &call_write);

	if (fault > 0)
		return fail_on(fd, fault);
	return REAL(&call_write, write)(fd, bytes, fault == SHORT ? shortened(length) : length);
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
	struct iovec kept[PIECES_MOST];
	int fault = fault_of(is_file(fd) ? &file_writev : &call_writev);

	if (fault > 0)
		return fail_on(fd, fault);
	if (fault == SHORT) {
		count = shorten_pieces(pieces, count, kept);
		pieces = kept;
	}
	return REAL(&call_writev, writev)(fd, pieces, count);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
	int fault = fault_of(&call_send);

	if (fault > 0)
		return fail_on(fd, fault);
	return REAL(&call_send, send)(
		fd, bytes, fault == SHORT ? shortened(length) : length, flags);
}

ssize_t pread64(int fd, void *bytes, size_t length, off64_t offset)
{
	int fault = fault_of(&file_pread);

	if (fault)
		return fail(fault);
	return REAL(&file_pread, pread64)(fd, bytes, length, offset);
}

/* ---- descriptors ---- */

static struct call call_accept4 = {"accept4", {EMFILE, ENFILE, ECONNABORTED, EINTR, ENOMEM}, NULL};
static struct call call_connect = {
	"connect", {ECONNREFUSED, EADDRNOTAVAIL, ENETUNREACH, ENOMEM}, NULL};
static struct call call_socket = {"socket", {EMFILE, ENFILE, ENOBUFS}, NULL};
static struct call call_open = {"open", {EMFILE, ENFILE, ENOSPC, EINTR, EOPNOTSUPP}, NULL};
static struct call call_open64 = {"open64", {EMFILE, ENFILE, ENOSPC, EINTR, EOPNOTSUPP}, NULL};
static struct call call_mkostemp64 = {"mkostemp64", {EMFILE, ENOSPC, EACCES}, NULL};
static struct call call_close = {"close", {EINTR, EIO}, NULL};
static struct call call_shutdown = {"shutdown", {ENOTCONN}, NULL};
static struct call call_epoll_wait = {"epoll_wait", {EINTR}, NULL};
static struct call call_epoll_ctl = {"epoll_ctl", {ENOMEM, ENOSPC}, NULL};
static struct call call_poll = {"poll", {EINTR, ENOMEM}, NULL};
static struct call call_setsockopt = {"setsockopt", {ENOMEM, EINVAL}, NULL};
static struct call call_getsockopt = {"getsockopt", {ENOBUFS}, NULL};
static struct call call_getpeername = {"getpeername", {ENOTCONN, ENOBUFS}, NULL};
static struct call call_getsockname = {"getsockname", {ENOBUFS}, NULL};
static struct call call_ioctl = {"ioctl", {EINVAL}, NULL};
static struct call call_fcntl = {"fcntl", {EINVAL}, NULL};
static struct call call_fcntl64 = {"fcntl64", {EINVAL}, NULL};
static struct call call_fstat = {"fstat", {ENOMEM}, NULL};
static struct call call_fstat64 = {"fstat64", {ENOMEM}, NULL};
static struct call call_mmap = {"mmap", {ENOMEM}, NULL};

int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
	int fault = fault_of(&call_accept4);
	int taken;

	if (fault)
		return fail(fault);
	taken = REAL(&call_accept4, accept4)(fd, address, length, flags);
	if (taken >= 0 && state.own.nth && state.own.mode == FAULT_MODE_OFF)
		state.own.mode = FAULT_MODE_CALL;
	return taken;
}

int connect(int fd, const struct sockaddr *address, socklen_t length)
{
	int fault = fault_of(&call_connect);

	return fault ? fail(fault) : REAL(&call_connect, connect)(fd, address, length);
}

int socket(int family, int type, int protocol)
{
	int fault = fault_of(&call_socket);

	return fault ? fail(fault) : REAL(&call_socket, socket)(family, type, protocol);
}

int open(const char *path, int flags, ...)
{
	int fault = fault_of(&call_open);
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	return fault ? fail(fault) : REAL(&call_open, open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
	int fault = fault_of(&call_open64);
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	return fault ? fail(fault) : REAL(&call_open64, open64)(path, flags, mode);
}

int mkostemp64(char *path, int flags)
{
	int fault = fault_of(&call_mkostemp64);

	return fault ? fail(fault) : REAL(&call_mkostemp64, mkostemp64)(path, flags);
}

int close(int fd)
{
	int fault = fault_of(&call_close);
	int result = REAL(&call_close, close)(fd);

	return fault && result == 0 ? fail(fault) : result;
}

int shutdown(int fd, int how)
{
	int fault = fault_of(&call_shutdown);

	return fault ? fail(fault) : REAL(&call_shutdown, shutdown)(fd, how);
}

int epoll_wait(int epoll, struct epoll_event *events, int most, int timeout)
{
	int fault = fault_of(&call_epoll_wait);

	if (!state.has_begun && state.is_on) {
		state.has_begun = true;
		if (state.control == &state.own && !state.own.nth)
			state.own.mode = FAULT_MODE_RANDOM;
	}
	return fault ? fail(fault)
		     : REAL(&call_epoll_wait, epoll_wait)(epoll, events, most, timeout);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	/* A change takes no memory and cannot fail. */
	int fault = operation == EPOLL_CTL_ADD ? fault_of(&call_epoll_ctl) : 0;

	return fault ? fail(fault) : REAL(&call_epoll_ctl, epoll_ctl)(epoll, operation, fd, event);
}

int poll(struct pollfd *list, nfds_t count, int timeout)
{
	int fault = fault_of(&call_poll);

	return fault ? fail(fault) : REAL(&call_poll, poll)(list, count, timeout);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
	int fault = fault_of(&call_setsockopt);

	return fault ? fail(fault)
		     : REAL(&call_setsockopt, setsockopt)(fd, level, name, value, length);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
	int fault = fault_of(&call_getsockopt);

	return fault ? fail(fault)
		     : REAL(&call_getsockopt, getsockopt)(fd, level, name, value, length);
}

int getpeername(int fd, struct sockaddr *address, socklen_t *length)
{
	int fault = fault_of(&call_getpeername);

	return fault ? fail(fault) : REAL(&call_getpeername, getpeername)(fd, address, length);
}

int getsockname(int fd, struct sockaddr *address, socklen_t *length)
{
	int fault = fault_of(&call_getsockname);

	return fault ? fail(fault) : REAL(&call_getsockname, getsockname)(fd, address, length);
}

int ioctl(int fd, unsigned long request, ...)
{
	int fault = fault_of(&call_ioctl);
	va_list rest;
	void *argument;

	va_start(rest, request);
	argument = va_arg(rest, void *);
	va_end(rest);
	return fault ? fail(fault) : REAL(&call_ioctl, ioctl)(fd, request, argument);
}

int fcntl(int fd, int command, ...)
{
	int fault = fault_of(&call_fcntl);
	va_list rest;
	void *argument;

	va_start(rest, command);
	argument = va_arg(rest, void *);
	va_end(rest);
	return fault ? fail(fault) : REAL(&call_fcntl, fcntl)(fd, command, argument);
}

int fcntl64(int fd, int command, ...)
{
	int fault = fault_of(&call_fcntl64);
	va_list rest;
	void *argument;

	va_start(rest, command);
	argument = va_arg(rest, void *);
	va_end(rest);
	return fault ? fail(fault) : REAL(&call_fcntl64, fcntl64)(fd, command, argument);
}

int fstat(int fd, struct stat *status)
{
	int fault = fault_of(&call_fstat);

	return fault ? fail(fault) : REAL(&call_fstat, fstat)(fd, status);
}

int fstat64(int fd, struct stat64 *status)
{
	int fault = fault_of(&call_fstat64);

	return fault ? fail(fault) : REAL(&call_fstat64, fstat64)(fd, status);
}

/* Of files: an anonymous one is an allocation. */
void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset)
{
	int fault = fd >= 0 ? fault_of(&call_mmap) : 0;

	if (fault) {
		errno = fault;
		return MAP_FAILED;
	}
	return REAL(&call_mmap, mmap)(at, length, protection, flags, fd, offset);
}

/* ---- the wall clock ---- */

static struct call call_clock_gettime = {"clock_gettime", {0}, NULL};
static struct call call_gettimeofday = {"gettimeofday", {0}, NULL};
static struct call call_time = {"time", {0}, NULL};

static int64_t jump(void)
{
	if (!state.is_on || !state.has_begun || state.control->mode != FAULT_MODE_RANDOM)
		return state.jumped_s;
	if (is_drawn(KIND_CLOCK)) {
		int64_t far = (int64_t)(draw(KIND_CLOCK, state.asked[KIND_CLOCK] << 1) %
					(2 * JUMP_MOST_S));

		state.control->fired++;
		state.jumped_s = far - JUMP_MOST_S;
	}
	return state.jumped_s;
}

int clock_gettime(clockid_t which, struct timespec *ret_time)
{
	int result = REAL(&call_clock_gettime, clock_gettime)(which, ret_time);

	if (result == 0 && which == CLOCK_REALTIME)
		ret_time->tv_sec += jump();
	return result;
}

int gettimeofday(struct timeval *restrict ret_time, void *restrict zone)
{
	int result = REAL(&call_gettimeofday, gettimeofday)(ret_time, zone);

	if (result == 0)
		ret_time->tv_sec += jump();
	return result;
}

time_t time(time_t *ret_time)
{
	time_t now = REAL(&call_time, time)(NULL) + jump();

	if (ret_time)
		*ret_time = now;
	return now;
}

/* ---- memory ---- */

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);

static struct call call_allocation = {"allocation", {ENOMEM}, NULL};

static bool is_refused(size_t bytes)
{
	if (!state.is_on || state.control->mode != FAULT_MODE_ALLOCATION ||
		bytes < state.control->threshold || bytes == CONNECTION_BYTES)
		return false;
	if (++state.control->seen != state.control->nth)
		return false;
	errno = note(&call_allocation, ENOMEM);
	return true;
}

void *malloc(size_t bytes)
{
	return is_refused(bytes) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
	/* An overflow is the real one's to see. */
	return is_refused(count * bytes) ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
	return is_refused(bytes) ? NULL : __libc_realloc(old, bytes);
}
