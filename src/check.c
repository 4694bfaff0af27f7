#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/old_names.h"
#include "config/settings.h"
#include "io/tls.h"

/* NULL or what is wrong, a new text. */
static char *check_files(const struct settings *settings)
{
	struct tls_server *server;
	struct tls_client *client;
	char *error = NULL;

	if (*settings->tls_certificate) {
		server = tls_server_create(settings->tls_certificate, settings->tls_key, &error);
		tls_server_destroy(server);
	}
	if (!error && settings->upstream_is_tls) {
		client = tls_client_create(settings->upstream_host, settings->upstream_ca, &error);
		tls_client_destroy(client);
	}
	return error;
}

bool check_config(const struct settings *settings, char **environment)
{
	char *hints = old_names_hints(environment);
	char *error = check_files(settings);

	if (hints)
		fputs(hints, stderr);
	free(hints);
	if (error) {
		fprintf(stderr, "shared-ollama: %s\n", error);
		free(error);
		return false;
	}
	puts("the configuration is fine");
	return true;
}
