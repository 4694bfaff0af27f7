#include "io/own_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netdb.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* The machine and its file of hosts are played: linked with --wrap. */
int __wrap_gethostname(char *name, size_t bytes);
struct hostent *__wrap_gethostent(void);

static const char *machine = "box";
static struct hostent *entries;
static size_t entries_left;

int __wrap_gethostname(char *name, size_t bytes)
{
	if (!machine)
		return -1;
	strncpy(name, machine, bytes - 1);
	name[bytes - 1] = '\0';
	return 0;
}

struct hostent *__wrap_gethostent(void)
{
	return entries_left ? (entries_left--, entries++) : NULL;
}

static bool has(char **names, const char *name)
{
	for (; *names; names++) {
		if (strcmp(*names, name) == 0)
			return true;
	}
	return false;
}

static void test_the_names_beside_our_own_are_ours(void **state)
{
	char localhost[] = "localhost", full[] = "box.example.org", own[] = "BOX";
	char other[] = "other.example.org", nick[] = "nick.example.org";
	char *none[] = {NULL}, *aliases[] = {own, nick, NULL};
	struct hostent file[] = {{.h_name = localhost, .h_aliases = none},
		{.h_name = full, .h_aliases = aliases}, {.h_name = other, .h_aliases = none},
		{.h_name = own, .h_aliases = none}};
	char **names;

	entries = file;
	entries_left = 4;
	names = own_names_read();
	assert_true(has(names, "box"));
	assert_true(has(names, "box.example.org"));
	assert_true(has(names, "nick.example.org"));
	assert_false(has(names, "other.example.org"));
	assert_false(has(names, "localhost"));
	own_names_free(names);
}

static void test_a_machine_without_a_name(void **state)
{
	char **names;

	machine = NULL;
	names = own_names_read();
	assert_null(names[0]);
	own_names_free(names);
	own_names_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_names_beside_our_own_are_ours),
		cmocka_unit_test(test_a_machine_without_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
