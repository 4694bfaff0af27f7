/*
 * The two kinds of place in the configuration, checked by their form only (nothing is resolved):
 * where to listen and where Ollama is. Called by value.c. Reasons are static texts.
 */
#ifndef SO_CONFIG_WHERE_H
#define SO_CONFIG_WHERE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* What Ollama listens on if nothing else is said: http://box means this port, as in Ollama's own
 * OLLAMA_HOST, not 80. What speaks TLS is a server before it, on the scheme's own port. */
enum { WHERE_OLLAMA_PORT = 11434, WHERE_TLS_PORT = 443 };

/* http://HOST[:PORT][/] or https://..., HOST a name, an IPv4 address or an IPv6 address in
 * brackets. `ret_host` is new, without brackets. */
MUST_CHECK bool where_parse_upstream(const char *url, char **ret_host, uint16_t *ret_port,
	bool *ret_is_tls, const char **ret_reason);
/* ADDR:PORT, [IPv6]:PORT, NAME:PORT, *:PORT or :PORT, each also after https://; port 0 is allowed;
 * or unix:PATH. */
MUST_CHECK bool where_check_listen(const char *text, const char **ret_reason);
/* What follows https:// in an address to listen on, or NULL: it is a plain one. */
const char *where_after_https(const char *listen);
/* What follows unix:, or NULL. */
const char *where_after_unix(const char *listen);

#endif
