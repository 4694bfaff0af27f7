/* The doctor's look at this machine: files, the service's process, the environment. */
#include "doctor/gather.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "ask/place.h"
#include "base/memory.h"
#include "config/old_names.h"
#include "doctor/facts.h"
#include "io/holder.h"

/* The folder of a file, a new string. */
static char *folder_of(const char *path)
{
	char *copy = mem_strdup(path);
	char *folder = mem_strdup(dirname(copy));

	free(copy);
	return folder;
}

static void free_bytes(const char *folder, double *ret_bytes)
{
	struct statvfs disk;

	if (statvfs(folder, &disk) == 0)
		*ret_bytes = (double)disk.f_bavail * (double)disk.f_frsize;
}

/* `folder` is where a relative path begins: the service's, else ours. */
static void look_at_log(struct facts *facts, const char *service_folder)
{
	struct facts_machine *machine = &facts->machine;
	const char *log = facts_get(facts, "request_log");
	char *path, *folder, *error = NULL;

	if (!log || !*log || strcmp(log, "-") == 0) {
		machine->log_is_checked = log && *log;
		return;
	}
	path = *log == '/' || !service_folder ? mem_strdup(log)
					      : mem_printf("%s/%s", service_folder, log);
	folder = folder_of(path);
	if (access(path, F_OK) == 0) {
		if (access(path, W_OK) < 0)
			error = mem_printf("%s: %s", path, strerror(errno));
	} else if (access(folder, F_OK) == 0) {
		if (access(folder, W_OK | X_OK) < 0)
			error = mem_printf("%s: %s", folder, strerror(errno));
	} else if (*log == '/' && errno != ENOENT) {
		error = mem_printf("%s: %s", folder, strerror(errno));
	}
	machine->log_error = error;
	machine->log_is_checked = error || access(folder, F_OK) == 0;
	free_bytes(folder, &machine->log_free_bytes);
	log_tail_read_file(&facts->log, path);
	free(folder);
	free(path);
}

/* The process that listens on the service's port; 0: it is not to be seen. */
static long find_process(const struct place *place)
{
	char *holder = holder_of_port((uint16_t)strtol(place->port, NULL, 10));
	const char *mark = holder ? strstr(holder, "(pid ") : NULL;
	long pid = mark ? strtol(mark + strlen("(pid "), NULL, 10) : 0;

	free(holder);
	return pid;
}

static void look_at_limits(struct facts_machine *machine, long pid)
{
	static const char name[] = "Max open files";
	enum { LINE_BYTES = 256 };
	char line[LINE_BYTES];
	char *path = mem_printf("/proc/%ld/limits", pid);
	FILE *file = fopen(path, "re");

	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, strlen(name)) == 0)
			machine->descriptors_most = strtod(line + strlen(name), NULL);
	}
	if (file)
		fclose(file);
	free(path);
}

static void count_descriptors(struct facts_machine *machine, long pid)
{
	char *path = mem_printf("/proc/%ld/fd", pid);
	DIR *folder = opendir(path);
	const struct dirent *entry;
	double count = 0;

	while (folder && (entry = readdir(folder))) {
		if (entry->d_name[0] != '.')
			count++;
	}
	if (folder) {
		machine->descriptors_open = count;
		closedir(folder);
	}
	free(path);
}

/* A new string or NULL. */
static char *folder_of_process(long pid)
{
	enum { PATH_BYTES = 4096 };
	char *link = mem_printf("/proc/%ld/cwd", pid);
	char path[PATH_BYTES];
	ssize_t length = readlink(link, path, sizeof(path) - 1);

	free(link);
	return length > 0 ? mem_strndup(path, (size_t)length) : NULL;
}

/* NAME=VALUE; values are of no interest and are not kept. */
static void look_at_variable(struct facts_machine *machine, const char *entry)
{
	char *name = mem_strndup(entry, strcspn(entry, "="));
	char *successor = old_names_successor(name);

	if (successor)
		words_add(&machine->old_variables, name);
	free(successor);
	free(name);
}

static void look_at_environment_of(struct facts_machine *machine, long pid)
{
	char *path = mem_printf("/proc/%ld/environ", pid);
	FILE *file = fopen(path, "re");
	char *entry = NULL;
	size_t bytes = 0;

	while (file && getdelim(&entry, &bytes, '\0', file) > 0)
		look_at_variable(machine, entry);
	if (file)
		fclose(file);
	free(entry);
	free(path);
}

void gather_machine(struct facts *facts, const struct place *place, char **environment)
{
	struct facts_machine *machine = &facts->machine;
	const char *spool = facts_get(facts, "spool_directory");
	const char *host = getenv("OLLAMA_HOST");
	long pid = 0;
	char *folder = NULL;

	if (host)
		facts_text(&machine->ollama_host, host);
	for (char **entry = environment; *entry; entry++)
		look_at_variable(machine, *entry);
	if (!machine->is_here)
		return;
	if (!facts->service.trouble)
		pid = find_process(place);
	if (pid > 0) {
		look_at_limits(machine, pid);
		count_descriptors(machine, pid);
		look_at_environment_of(machine, pid);
		folder = folder_of_process(pid);
	}
	look_at_log(facts, folder);
	if (spool && *spool)
		free_bytes(spool, &machine->spool_free_bytes);
	free(folder);
}
