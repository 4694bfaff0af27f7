#include "observe/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1e9

static double cpu_s(void)
{
	struct timespec used;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
		return -1;
	return (double)used.tv_sec + (double)used.tv_nsec / NS_PER_S;
}

/* In pages: "size resident shared …". */
static void read_memory(struct process *process)
{
	FILE *file = fopen("/proc/self/statm", "re");
	int64_t page = sysconf(_SC_PAGESIZE);
	int64_t size;
	int64_t resident;

	if (!file)
		return;
	if (fscanf(file, "%" SCNd64 " %" SCNd64, &size, &resident) == 2) {
		process->virtual_bytes = size * page;
		process->resident_bytes = resident * page;
	}
	(void)fclose(file);
}

static int64_t count_fds(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int64_t count = 0;

	if (!folder)
		return -1;
	while (readdir(folder))
		count++;
	(void)closedir(folder);
	/* "." and "..", and the folder's own */
	return count - 3;
}

struct process process_read(void)
{
	struct process process = {
		.cpu_s = cpu_s(),
		.resident_bytes = -1,
		.virtual_bytes = -1,
		.open_fds = count_fds(),
		.max_fds = -1,
	};
	struct rlimit limit;

	read_memory(&process);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		process.max_fds = (int64_t)limit.rlim_cur;
	return process;
}
