/*
 * The names that this machine calls itself: gethostname(), and where /etc/hosts has it, its other
 * names there (box → box.example.org). No question is sent over the network. For the list of names
 * that may stand in Host (PRODUCT 9). Called by front/access when it is made.
 */
#ifndef SO_IO_OWN_NAMES_H
#define SO_IO_OWN_NAMES_H

/* A new NULL-terminated list of new strings, may be empty. */
char **own_names_read(void);
void own_names_free(char **names);

#endif
