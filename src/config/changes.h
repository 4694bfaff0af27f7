/*
 * What differs between two snapshots of settings, by the key table and the lists of groups. Called
 * by reload.c: it names what a reload changed, and puts back what only a restart can change.
 */
#ifndef SO_CONFIG_CHANGES_H
#define SO_CONFIG_CHANGES_H

struct settings;

/* Gives `fresh`, which nobody else has yet, the old values of the keys that cannot be reloaded. A
 * new text that names those that had another, "listen, upstream"; NULL: none. */
char *changes_keep(struct settings *fresh, const struct settings *old);
/* A new text that names the keys and lists that differ; NULL: none. */
char *changes_list(const struct settings *fresh, const struct settings *old);

#endif
