/*
 * Runs a fuzz target over every file of the directories (or over the files) given as arguments, so
 * that the corpora are tested in builds without libFuzzer. A crash or a failed assertion is the
 * failure; an empty corpus is one too.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t inputs_run;

static void replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	struct stat status;
	size_t size;

	if (!file || fstat(fileno(file), &status) != 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	/* exactly the file's size, so that a sanitizer sees a read past its end */
	data = malloc(status.st_size > 0 ? (size_t)status.st_size : 1);
	if (!data)
		abort();
	size = fread(data, 1, (size_t)status.st_size, file);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	inputs_run++;
}

static void replay_directory(const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, NULL, alphasort);

	if (count < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	for (int i = 0; i < count; i++) {
		char *file;

		if (entries[i]->d_name[0] != '.') {
			if (asprintf(&file, "%s/%s", path, entries[i]->d_name) < 0)
				abort();
			replay_file(file);
			free(file);
		}
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		struct stat status;

		if (stat(argv[i], &status) == 0 && S_ISDIR(status.st_mode))
			replay_directory(argv[i]);
		else
			replay_file(argv[i]);
	}
	printf("%zu inputs\n", inputs_run);
	return inputs_run == 0;
}
