/*
 * SIGHUP (PRODUCT 7): the configuration is read again, from the file, the environment and the flags
 * of the start, and goes to every module at once, or, if anything is wrong with it, to none: the
 * old one stays, and the diagnostics say why, with file and line. Requests at hand keep the
 * snapshot they came under. What cannot be reloaded keeps its value and is named. Called by
 * proxy.c.
 */
#ifndef SO_RELOAD_H
#define SO_RELOAD_H

#include <stddef.h>
#include <stdint.h>

struct access;
struct clients;
struct conductor;
struct listeners;
struct passes;
struct relay;
struct request_log;
struct ring;
struct settings;
struct watch;

/* As main() got them. */
struct reload_source {
	int argc;
	char **argv;
	char **environment;
	const char *program;	 /* where it stands, for an upgrade; "": not known */
	int64_t max_connections; /* that was asked for, before descriptors_fit() */
};

/* Everything that has settings; proxy.c owns it. */
struct reload_parts {
	struct access *access;
	struct clients *clients;
	struct conductor *conductor;
	struct listeners *listeners;
	struct passes *passes;
	struct relay *relay;
	struct request_log *log;
	struct ring *ring;
	struct watch *watch;
};

/* The places of a ring for these settings. */
size_t reload_places(const struct settings *settings);
/* The new settings, in force everywhere, as the caller's reference; NULL: those in `old` stay. */
struct settings *reload_run(
	const struct reload_parts *parts, struct reload_source *source, const struct settings *old);

#endif
