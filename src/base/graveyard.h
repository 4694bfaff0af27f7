/*
 * Objects whose callback may still be on the stack are destroyed at the end of the loop turn (STYLE
 * B4.6). proxy.c owns one graveyard and runs it in the turn's tail.
 */
#ifndef SO_BASE_GRAVEYARD_H
#define SO_BASE_GRAVEYARD_H

#include <stdbool.h>

struct graveyard;

struct graveyard *graveyard_create(void);
/* Runs what is left, then frees. NULL is fine. */
void graveyard_destroy(struct graveyard *graveyard);
/* `destroy(object)` will be called once. The caller must not touch the object afterwards. Never
 * fails. */
void graveyard_add(struct graveyard *graveyard, void *object, void (*destroy)(void *object));
/* Destroys all, those included that a destroy function adds. */
void graveyard_run(struct graveyard *graveyard);
bool graveyard_is_empty(const struct graveyard *graveyard);

#endif
