#include "io/own_names.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/memory.h"

/* The kernel's limit is 64, a full name has at most 253 bytes. */
enum { NAME_BYTES = 256 };

struct names {
	char **list;
	size_t count;
};

static void add(struct names *names, const char *name)
{
	names->list = mem_grow_array(names->list, names->count + 2, sizeof(*names->list));
	names->list[names->count++] = mem_strdup(name);
	names->list[names->count] = NULL;
}

static bool has_name(const struct hostent *entry, const char *name)
{
	if (strcasecmp(entry->h_name, name) == 0)
		return true;
	for (char **alias = entry->h_aliases; *alias; alias++) {
		if (strcasecmp(*alias, name) == 0)
			return true;
	}
	return false;
}

char **own_names_read(void)
{
	struct names names = {.list = mem_zalloc(sizeof(char *))};
	char own[NAME_BYTES] = "";
	struct hostent *entry;

	if (gethostname(own, sizeof(own) - 1) < 0 || !*own)
		return names.list;
	add(&names, own);
	/* walks through the file of hosts alone: a name server cannot be enumerated */
	sethostent(0);
	while ((entry = gethostent())) {
		if (!has_name(entry, own))
			continue;
		add(&names, entry->h_name);
		for (char **alias = entry->h_aliases; *alias; alias++)
			add(&names, *alias);
	}
	endhostent();
	return names.list;
}

void own_names_free(char **names)
{
	for (char **name = names; name && *name; name++)
		free(*name);
	free(names);
}
