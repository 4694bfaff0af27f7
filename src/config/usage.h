/*
 * The text of --help, made from the key table. Called by load.
 */
#ifndef SO_CONFIG_USAGE_H
#define SO_CONFIG_USAGE_H

/* A new text without the last newline. */
char *usage_text(void);

#endif
