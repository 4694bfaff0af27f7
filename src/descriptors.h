/*
 * How many connections the limit of descriptors bears. Called by proxy.c at the start and by
 * reload.c, before settings are in force.
 */
#ifndef SO_DESCRIPTORS_H
#define SO_DESCRIPTORS_H

struct settings;

/* Raises the soft limit to the hard one, and lowers the settings' max_connections to what remains,
 * which is said. */
void descriptors_fit(struct settings *settings);

#endif
