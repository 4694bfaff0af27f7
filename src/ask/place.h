/*
 * Where a shared-ollama is asked: from a URL as people write it, or from the address that the
 * configuration listens on. Called by the tools that ask (health, top, doctor). The target is that
 * of health unless the URL names one; a tool that asks several has its own.
 */
#ifndef SO_ASK_PLACE_H
#define SO_ASK_PLACE_H

#include <stdbool.h>

#include "base/compiler.h"

struct place {
	char *host;   /* without brackets */
	char *port;   /* digits */
	char *target; /* path and query */
};

/*
 * [http://]HOST[:PORT][PATH][?QUERY]; HOST may be an IPv6 address in brackets. Without a path it is
 * /api/v1/health; without a port 80 after http://, else that of shared-ollama. false: `ret_reason`
 * (static text) says why.
 */
MUST_CHECK bool place_parse(const char *url, struct place *ret_place, const char **ret_reason);
/* An address to listen on (config/where.h) as the one to ask: any address becomes loopback. false
 * for port 0, which only the kernel knows, and for https:// and unix:. */
MUST_CHECK bool place_of_listen(
	const char *listen, struct place *ret_place, const char **ret_reason);
struct settings;
/* `url`, or if NULL the first plain address of `settings` that has our own endpoints. false:
 * `ret_error` is what to print, a new string. */
MUST_CHECK bool place_find(const char *url, const struct settings *settings, const char *command,
	struct place *ret_place, char **ret_error);
/* Of this machine, by its form: 127.x.x.x, ::1, localhost. */
bool place_is_loopback(const struct place *place);
/* A zeroed place is fine. */
void place_finish(struct place *place);
/* "127.0.0.1:8000" or "[::1]:8000"; a new string, the caller frees. */
char *place_authority(const struct place *place);

#endif
