#include "io/holder.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

enum {
	LINE_BYTES = 512,
	NAME_BYTES = 64,
	LINK_BYTES = 64,
	TCP_LISTEN = 0x0a, /* the kernel's number, as /proc/net/tcp shows it */
	INODES_MOST = 16,  /* IPv4 and IPv6, several addresses of one port */
};

struct inodes {
	unsigned long numbers[INODES_MOST];
	size_t count;
};

/* "sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode", addresses as
 * HEX:PORT. */
static void read_table(const char *path, uint16_t port, struct inodes *inodes)
{
	FILE *table = fopen(path, "re");
	char line[LINE_BYTES];

	if (!table)
		return;
	while (fgets(line, sizeof(line), table) && inodes->count < INODES_MOST) {
		unsigned local_port;
		unsigned state;
		unsigned long inode;

		if (sscanf(line,
			    " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*d %*d %lu",
			    &local_port, &state, &inode) == 3 &&
			local_port == port && state == TCP_LISTEN)
			inodes->numbers[inodes->count++] = inode;
	}
	fclose(table);
}

static bool is_one_of(const char *link, const struct inodes *inodes)
{
	unsigned long inode;

	if (sscanf(link, "socket:[%lu]", &inode) != 1)
		return false;
	for (size_t i = 0; i < inodes->count; i++) {
		if (inodes->numbers[i] == inode)
			return true;
	}
	return false;
}

static bool process_has(const char *process, const struct inodes *inodes)
{
	char *folder = mem_printf("/proc/%s/fd", process);
	DIR *entries = opendir(folder);
	struct dirent *entry;
	bool found = false;

	while (entries && !found && (entry = readdir(entries))) {
		char link[LINK_BYTES];
		char *path = mem_printf("%s/%s", folder, entry->d_name);
		ssize_t length = readlink(path, link, sizeof(link) - 1);

		free(path);
		if (length <= 0)
			continue;
		link[length] = '\0';
		found = is_one_of(link, inodes);
	}
	if (entries)
		closedir(entries);
	free(folder);
	return found;
}

static char *describe(const char *process)
{
	char *path = mem_printf("/proc/%s/comm", process);
	FILE *file = fopen(path, "re");
	char name[NAME_BYTES] = "?";

	free(path);
	if (file) {
		if (!fgets(name, sizeof(name), file))
			strcpy(name, "?");
		fclose(file);
	}
	name[strcspn(name, "\n")] = '\0';
	return mem_printf("%s (pid %s)", name, process);
}

char *holder_of_port(uint16_t port)
{
	struct inodes inodes = {.count = 0};
	DIR *processes;
	struct dirent *entry;
	char *found = NULL;

	read_table("/proc/net/tcp", port, &inodes);
	read_table("/proc/net/tcp6", port, &inodes);
	if (inodes.count == 0)
		return NULL;
	processes = opendir("/proc");
	while (processes && !found && (entry = readdir(processes))) {
		if (strspn(entry->d_name, "0123456789") == strlen(entry->d_name) &&
			process_has(entry->d_name, &inodes))
			found = describe(entry->d_name);
	}
	if (processes)
		closedir(processes);
	return found;
}
