/*
 * Where a shared-ollama is asked about its health: from a URL as people write it, or from the
 * address that the configuration listens on. Called by health.
 */
#ifndef SO_HEALTH_PLACE_H
#define SO_HEALTH_PLACE_H

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
/* A zeroed place is fine. */
void place_finish(struct place *place);
/* "127.0.0.1:8000" or "[::1]:8000"; a new string, the caller frees. */
char *place_authority(const struct place *place);

#endif
