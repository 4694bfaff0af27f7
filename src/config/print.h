/*
 * The text of --print-config: every key of the table with its help, unit and default as a comment
 * and its value in force, and the lists of groups as commented examples with their members. It is a
 * valid configuration file that means the same. Called by main.c.
 */
#ifndef SO_CONFIG_PRINT_H
#define SO_CONFIG_PRINT_H

struct settings;

/* A new text. Secrets are not in it, which it says; nor are the groups in force, which
 * /api/v1/config shows. */
char *print_config(const struct settings *settings);

#endif
