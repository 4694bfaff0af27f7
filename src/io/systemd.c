#include "io/systemd.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "build_config.h"

#ifdef HAVE_LIBSYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "base/memory.h"

#ifdef HAVE_LIBSYSTEMD

enum { US_PER_S = 1000 * 1000, NS_PER_US = 1000 };

static void free_names(char **names)
{
	for (char **name = names; name && *name; name++)
		free(*name);
	free(names);
}

bool systemd_sockets(struct systemd_socket **ret_sockets, size_t *ret_count, char **ret_error)
{
	char **names = NULL;
	int count = sd_listen_fds_with_names(1, &names);
	struct systemd_socket *sockets = NULL;

	for (int i = 0; i < count; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0) {
			*ret_error = mem_printf("descriptor %d from systemd (%s) is no listening "
						"stream socket: correct the socket unit",
				fd, names[i]);
			free_names(names);
			free(sockets);
			return false;
		}
		sockets = mem_grow_array(sockets, (size_t)i + 1, sizeof(*sockets));
		sockets[i] = (struct systemd_socket){fd, strcmp(names[i], "https") == 0};
	}
	free_names(names);
	*ret_sockets = sockets;
	*ret_count = count > 0 ? (size_t)count : 0;
	return true;
}

void systemd_notify(enum systemd_note note)
{
	static const char *const texts[] = {
#define X(symbol, text) text,
		SYSTEMD_NOTES(X)
#undef X
	};
	struct timespec now;

	/* Type=notify-reload wants the moment too. Who does not listen is not our concern. */
	clock_gettime(CLOCK_MONOTONIC, &now);
	sd_notifyf(0, "%s\nMONOTONIC_USEC=%" PRId64, texts[note],
		(int64_t)now.tv_sec * US_PER_S + now.tv_nsec / NS_PER_US);
}

void systemd_notify_successor(pid_t pid)
{
	sd_notifyf(0, "MAINPID=%ld", (long)pid);
}

int64_t systemd_watchdog_us(void)
{
	uint64_t interval_us = 0;

	/* The variables stay for nobody else: WATCHDOG_PID says that they are ours. */
	if (sd_watchdog_enabled(0, &interval_us) <= 0 || interval_us > INT64_MAX)
		return 0;
	return (int64_t)interval_us;
}

#else

bool systemd_sockets(struct systemd_socket **ret_sockets, size_t *ret_count, char **ret_error)
{
	*ret_sockets = NULL;
	*ret_count = 0;
	return true;
}

void systemd_notify(enum systemd_note note)
{
}

void systemd_notify_successor(pid_t pid)
{
}

int64_t systemd_watchdog_us(void)
{
	return 0;
}

#endif
