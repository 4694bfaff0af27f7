/*
 * Changes a few members of a job's request body and keeps every other byte: top-level `model` and
 * `keep_alive`, and Ollama's runner options inside `options`. It is fed the body beside json/peek
 * and notes where these members stand; afterwards it names the ranges to cut out and the text to
 * put there, which io/spool splices in while it sends, so a body of any size costs nothing.
 * Members are matched, and duplicates count, as peek says. Called by relay.
 */
#ifndef SO_JSON_EDIT_H
#define SO_JSON_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json/peek.h"

struct edit;

/* Top-level members. */
enum edit_member { EDIT_MODEL, EDIT_KEEP_ALIVE, EDIT_MEMBER_COUNT };

/* `removed` bytes at `at` of the body as it came give way to `text`. Told in ascending order,
 * ranges do not overlap. */
typedef void edit_splice_fn(
	void *arg, uint64_t at, uint64_t removed, const char *text, size_t length);

struct edit *edit_create(void);
/* NULL is fine. */
void edit_destroy(struct edit *edit);
/* Next bytes of the body, in pieces of any size. */
void edit_feed(struct edit *edit, const void *bytes, size_t length);

/*
 * What is to become of a member: `json` is its new value as JSON text (copied): it is put where the
 * last one stands, others of the name go; where there is none it is added. Of options too, whose
 * object is made if need be; one that is neither object nor null stays as it is, and Ollama says
 * what is wrong.
 */
void edit_set(struct edit *edit, enum edit_member member, const char *json);
void edit_set_option(struct edit *edit, enum peek_option option, const char *json);
/* All of that name go, from each "options" of the body. */
void edit_remove_option(struct edit *edit, enum peek_option option);
/*
 * The body is complete and peek found it valid: tells the splices, none where nothing changes.
 * false: members of interest come more often than is kept in mind; none is told.
 */
bool edit_apply(const struct edit *edit, edit_splice_fn *on_splice, void *arg);

/* `text` as a JSON string with its quotes; a new string. */
char *edit_quote(const char *text);

#endif
