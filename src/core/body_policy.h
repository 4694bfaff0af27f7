/*
 * What is to be edited in a job's body (PRODUCT 5): another model for a name that clients use, a
 * keep_alive that beats theirs, runner options that do not make Ollama load a model again. Decides
 * only: relay asks when the body is complete and before the job enters the queue, json/edit and
 * io/spool do it. What Ollama would refuse is left to it. Answers are not edited: they carry the
 * model's own name.
 */
#ifndef SO_CORE_BODY_POLICY_H
#define SO_CORE_BODY_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/route.h"
#include "json/peek.h"

struct policy;
struct settings;

enum option_edit { OPTION_STAYS, OPTION_GOES, OPTION_SET };

/* All zero: nothing changes. */
struct body_edits {
	const char
		*keep_alive; /* the new duration, a string's text, of a setting; NULL: it stays */
	enum option_edit option[PEEK_OPTION_COUNT];
	int64_t value[PEEK_OPTION_COUNT]; /* of OPTION_SET */
};

/* Could a body have to be edited at all? Else nobody needs to look where its members stand. */
bool body_policy_may_edit(const struct settings *settings);
/* The model that model_alias puts for this name, in any of its spellings; NULL: the name stays. The
 * target is not looked up again. Of the settings. */
const char *body_policy_model(const struct settings *settings, const char *model);
/* keep_alive and options, which only the native API has. `seen` is a valid body's. */
void body_policy_decide(const struct settings *settings, const struct policy *policy,
	enum api_family family, const struct peek_result *seen, struct body_edits *ret_edits);
bool body_policy_is_any(const struct body_edits *edits);
/* What peek would say of the edited body: the runner key is made from it. */
void body_policy_foresee(const struct body_edits *edits, struct peek_result *seen);

#endif
