#include "descriptors.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "config/settings.h"

enum {
	/* Descriptors that are not clients: listeners, log, epoll, signals, libraries; and each
	   client's connection to Ollama comes on top. */
	DESCRIPTORS_SPARE = 64,
};

/* Each client may need a second descriptor, its request's connection to Ollama; a kept body may be
 * in a file. */
void descriptors_fit(struct settings *settings)
{
	struct rlimit limit;
	int64_t room;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
			LOG(WARN, "cannot raise the limit of descriptors",
				LOG_TEXT("error", strerror(errno)));
		if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
			return;
	}
	room = (int64_t)limit.rlim_cur - DESCRIPTORS_SPARE -
	       2 * (settings->max_concurrent_limit + settings->max_queue_size);
	if (room < 1)
		room = 1;
	if (settings->max_connections > 0 && settings->max_connections <= room)
		return;
	LOG(WARN, "max_connections is lowered to what the limit of descriptors allows",
		LOG_NUMBER("max_connections", settings->max_connections), LOG_NUMBER("now", room),
		LOG_NUMBER("descriptors", limit.rlim_cur));
	settings->max_connections = room;
}
