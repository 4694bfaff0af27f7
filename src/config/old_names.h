/*
 * The variables of the Python service of the same name that this one replaces, as far as they can
 * be guessed (docs/migration.md), and what says the same here. They are not read: one that is set
 * is named, so that nobody wonders. Called by main.c for --check-config, and by doctor.
 */
#ifndef SO_CONFIG_OLD_NAMES_H
#define SO_CONFIG_OLD_NAMES_H

/* A new text of one line each, with newlines, for those that are set in `environment`; NULL: none.
 * Values are not repeated. */
char *old_names_hints(char *const *environment);
/* The variable that says the same now, a new text; NULL: `variable` is none of the old ones. */
char *old_names_successor(const char *variable);

#endif
