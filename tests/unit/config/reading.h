/* Reads the text of a configuration file into `settings`, new for each test, and says what was
 * expected. Included by the tests of what a file may have; READING_NAME is the file's name. */
#ifndef SO_TESTS_CONFIG_READING_H
#define SO_TESTS_CONFIG_READING_H

#include <stdlib.h>
#include <string.h>

#include "config/file.h"
#include "config/settings.h"

#ifndef READING_NAME
#define READING_NAME "t"
#endif

static struct settings *settings;

static int setup(void **state)
{
	settings = settings_create();
	return 0;
}

static int teardown(void **state)
{
	settings_return(settings);
	return 0;
}

static void assert_fine(const char *text)
{
	char *error = NULL;

	if (!file_parse(READING_NAME, text, strlen(text), settings, &error)) {
		print_error("%s\n", error);
		free(error);
		fail();
	}
}

static void assert_wrong(const char *text, const char *expected)
{
	char *error = NULL;

	assert_false(file_parse(READING_NAME, text, strlen(text), settings, &error));
	assert_string_equal(error, expected);
	free(error);
}

#endif
