#include "core/residency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

enum { NAME_BYTES = 256 };

static const int64_t SECOND_US = 1000000;
static const int64_t MS_NS = 1000000;

static int setup(void **state)
{
	*state = residency_create();
	return 0;
}

static int teardown(void **state)
{
	residency_destroy(*state);
	return 0;
}

static void take(struct residency *residency, const char *first, const char *second, int64_t now_us)
{
	residency_begin(residency);
	if (first)
		residency_add(residency, first, 1000, 500, 4096);
	if (second)
		residency_add(residency, second, 2000, 2000, 8192);
	residency_end(residency, now_us);
}

static void assert_canonical(const char *model, const char *expected)
{
	char name[NAME_BYTES];

	residency_canonical(model, name, sizeof(name));
	assert_string_equal(name, expected);
}

/* FACTS-ollama.md 6: all of these reach one runner. */
static void test_spellings_of_one_model_have_one_canonical_name(void **state)
{
	static const char *const spellings[] = {"tiny", "tiny:latest", "TINY:latest", "Tiny",
		"tiny:LATEST", "library/tiny", "registry.ollama.ai/library/tiny",
		"registry.ollama.ai/library/tiny:latest", "REGISTRY.ollama.ai/Library/Tiny",
		"https://registry.ollama.ai/library/tiny",
		"http://registry.ollama.ai/library/tiny"};

	for (size_t i = 0; i < ARRAY_LENGTH(spellings); i++)
		assert_canonical(spellings[i], "tiny:latest");
}

static void test_other_tags_namespaces_and_hosts_are_other_models(void **state)
{
	assert_canonical("qwen2.5vl:7b", "qwen2.5vl:7b");
	assert_canonical("mannix/tiny", "mannix/tiny:latest");
	assert_canonical("registry.ollama.ai/mannix/tiny", "mannix/tiny:latest");
	assert_canonical("hf.co/Bartowski/Llama-GGUF:Q4_K_M", "hf.co/bartowski/llama-gguf:q4_k_m");
	/* The colon of a port is no tag. */
	assert_canonical("box:5000/team/tiny", "box:5000/team/tiny:latest");
	assert_canonical("box:5000/team/tiny:1b", "box:5000/team/tiny:1b");
	assert_canonical("", ":latest");
}

static void test_canonical_name_fits_its_buffer(void **state)
{
	char name[16];

	memset(name, '?', sizeof(name));
	residency_canonical("12345678", name, sizeof(name));
	assert_string_equal(name, "12345678:latest");
	/* ":latest" does not fit any more. */
	residency_canonical("123456789", name, sizeof(name));
	assert_string_equal(name, "123456789");
	residency_canonical("1234567890abcdefgh", name, sizeof(name));
	assert_string_equal(name, "1234567890abcde");
	residency_canonical("x", name, 1);
	assert_string_equal(name, "");
}

static void test_very_long_names_are_one_model_with_themselves(void **state)
{
	char model[1000];

	memset(model, 'm', sizeof(model));
	model[sizeof(model) - 1] = '\0';
	take(*state, model, NULL, SECOND_US);
	assert_int_equal(residency_has(*state, model, SECOND_US), KNOWN_TRUE);
}

static void test_nothing_is_known_without_a_snapshot(void **state)
{
	assert_int_equal(residency_has(*state, "tiny", SECOND_US), KNOWN_NOT);
	assert_int_equal(residency_count(*state), 0);
}

static void test_snapshot_tells_what_is_loaded(void **state)
{
	take(*state, "tiny:latest", "slow:1b", SECOND_US);
	assert_int_equal(residency_has(*state, "TINY", SECOND_US), KNOWN_TRUE);
	assert_int_equal(residency_has(*state, "slow:1b", SECOND_US), KNOWN_TRUE);
	assert_int_equal(residency_has(*state, "slow", SECOND_US), KNOWN_FALSE);
	assert_int_equal(residency_count(*state), 2);
	assert_string_equal(residency_at(*state, 0)->name, "tiny:latest");
	assert_int_equal(residency_at(*state, 0)->size, 1000);
	assert_int_equal(residency_at(*state, 0)->size_vram, 500);
	assert_int_equal(residency_at(*state, 0)->context_length, 4096);
	assert_string_equal(residency_at(*state, 1)->name, "slow:1b");
	assert_int_equal(residency_at(*state, 1)->context_length, 8192);
}

static void test_new_snapshot_replaces_the_old_one_whole(void **state)
{
	take(*state, "tiny", "slow", SECOND_US);
	take(*state, "tinyembed", NULL, 2 * SECOND_US);
	assert_int_equal(residency_count(*state), 1);
	assert_int_equal(residency_has(*state, "tiny", 2 * SECOND_US), KNOWN_FALSE);
	assert_int_equal(residency_has(*state, "tinyembed", 2 * SECOND_US), KNOWN_TRUE);
	take(*state, NULL, NULL, 3 * SECOND_US);
	assert_int_equal(residency_count(*state), 0);
	assert_int_equal(residency_has(*state, "tinyembed", 3 * SECOND_US), KNOWN_FALSE);
}

/* An answer that broke off: the next begin drops what came of it. */
static void test_snapshot_counts_only_when_it_ends(void **state)
{
	take(*state, "tiny", NULL, SECOND_US);
	residency_begin(*state);
	residency_add(*state, "slow", 1, 1, 1);
	assert_int_equal(residency_has(*state, "tiny", SECOND_US), KNOWN_TRUE);
	assert_int_equal(residency_has(*state, "slow", SECOND_US), KNOWN_FALSE);
	take(*state, "tinyembed", NULL, SECOND_US);
	assert_int_equal(residency_count(*state), 1);
	/* Destroyed in the middle of one: leak detection looks on. */
	residency_begin(*state);
	residency_add(*state, "slow", 1, 1, 1);
}

static void test_snapshot_says_nothing_after_ten_seconds(void **state)
{
	take(*state, "tiny", NULL, SECOND_US);
	assert_int_equal(residency_has(*state, "tiny", 11 * SECOND_US), KNOWN_TRUE);
	assert_int_equal(residency_has(*state, "slow", 11 * SECOND_US), KNOWN_FALSE);
	assert_int_equal(residency_has(*state, "tiny", 11 * SECOND_US + 1), KNOWN_NOT);
	assert_int_equal(residency_has(*state, "slow", 11 * SECOND_US + 1), KNOWN_NOT);
}

static void test_nothing_is_known_after_forgetting(void **state)
{
	take(*state, "tiny", "slow", SECOND_US);
	residency_forget(*state);
	assert_int_equal(residency_has(*state, "tiny", SECOND_US), KNOWN_NOT);
	assert_int_equal(residency_count(*state), 0);
}

static void test_model_that_answered_is_loaded(void **state)
{
	take(*state, "tiny", NULL, SECOND_US);
	residency_note_used(*state, "registry.ollama.ai/library/SLOW");
	assert_int_equal(residency_has(*state, "slow:latest", SECOND_US), KNOWN_TRUE);
	assert_int_equal(residency_count(*state), 2);
	assert_int_equal(residency_at(*state, 1)->size, -1);
	assert_int_equal(residency_at(*state, 1)->size_vram, -1);
	assert_int_equal(residency_at(*state, 1)->context_length, -1);
	/* One that is known stays as it is. */
	residency_note_used(*state, "TINY");
	assert_int_equal(residency_count(*state), 2);
	assert_int_equal(residency_at(*state, 0)->size, 1000);
}

static void test_use_without_a_snapshot_is_no_picture(void **state)
{
	residency_note_used(*state, "tiny");
	assert_int_equal(residency_has(*state, "tiny", SECOND_US), KNOWN_NOT);
	assert_int_equal(residency_count(*state), 0);
}

static void test_unloaded_model_is_gone(void **state)
{
	take(*state, "tiny", "slow", SECOND_US);
	residency_note_unloaded(*state, "absent");
	assert_int_equal(residency_count(*state), 2);
	residency_note_unloaded(*state, "Tiny:latest");
	assert_int_equal(residency_has(*state, "tiny", SECOND_US), KNOWN_FALSE);
	assert_int_equal(residency_has(*state, "slow", SECOND_US), KNOWN_TRUE);
	residency_note_unloaded(*state, "slow");
	assert_int_equal(residency_count(*state), 0);
	residency_note_unloaded(*state, "slow");
	assert_int_equal(residency_count(*state), 0);
}

static void test_the_context_is_that_of_the_loaded_runner(void **state)
{
	assert_int_equal(residency_context_length(*state, "tiny"), -1);
	take(*state, "tiny:latest", "slow:1b", SECOND_US);
	assert_int_equal(residency_context_length(*state, "TINY"), 4096);
	assert_int_equal(residency_context_length(*state, "slow:1b"), 8192);
	assert_int_equal(residency_context_length(*state, "slow"), -1);
	assert_int_equal(residency_context_length(*state, NULL), -1);
	residency_note_used(*state, "slow");
	assert_int_equal(residency_context_length(*state, "slow"), -1);
}

static void test_any_number_of_models_can_be_loaded(void **state)
{
	char name[] = "model00";

	residency_begin(*state);
	for (int i = 0; i < 40; i++) {
		name[5] = (char)('0' + i / 10);
		name[6] = (char)('0' + i % 10);
		residency_add(*state, name, i, i, i);
	}
	residency_end(*state, SECOND_US);
	assert_int_equal(residency_count(*state), 40);
	for (int i = 0; i < 40; i++)
		assert_int_equal(residency_at(*state, (size_t)i)->size, i);
	assert_int_equal(residency_has(*state, "model39", SECOND_US), KNOWN_TRUE);
}

/* load_duration in ns as sent (FACTS-ollama.md 3): warm answers of 0.32.15 and 0.24.0, then the
 * extremes of the table and what was seen under stress. */
static void test_warm_answers_of_both_generations_are_warm(void **state)
{
	static const int64_t warm[] = {835546, 739072, 872191, 1361140, 869947, 838120, 750119,
		734816, 838591, 832912, 21504293, 23362375, 26037926, 28059632, 22758893, 25468164,
		29305966, 25989319, 17650740, 31887560, 730000, 8070000, 600000, 4360000, 5100000,
		13500000, 31900000, 42000000, 30000000};

	for (size_t i = 0; i < ARRAY_LENGTH(warm); i++) {
		/* Whatever was listed: rule 2, warm by its alias, or loaded since the snapshot. */
		assert_int_equal(residency_judge(warm[i], 100, KNOWN_TRUE), KNOWN_TRUE);
		assert_int_equal(residency_judge(warm[i], 100, KNOWN_FALSE), KNOWN_TRUE);
		assert_int_equal(residency_judge(warm[i], 100, KNOWN_NOT), KNOWN_TRUE);
		assert_int_equal(residency_judge(warm[i], -1, KNOWN_NOT), KNOWN_TRUE);
	}
}

/* The ends and medians of the table's cold columns in ms, both generations; then the shared load,
 * the reload after an option changed and the swap behind a busy model. */
static void test_cold_answers_of_both_generations_are_cold(void **state)
{
	static const int64_t cold_ms[] = {261, 282, 1054, 260, 520, 773, 257, 259, 510, 512, 516,
		1277, 255, 258, 519, 326, 348, 364, 330, 337, 350, 324, 335, 604, 306, 389, 551,
		448, 557, 778, 1400, 3300, 306, 802, 1000, 4300, 770};

	for (size_t i = 0; i < ARRAY_LENGTH(cold_ms); i++) {
		/* Listed too: a reload is a wait for a load. */
		assert_int_equal(residency_judge(cold_ms[i] * MS_NS, 100, KNOWN_TRUE), KNOWN_FALSE);
		assert_int_equal(
			residency_judge(cold_ms[i] * MS_NS, 100, KNOWN_FALSE), KNOWN_FALSE);
		assert_int_equal(residency_judge(cold_ms[i] * MS_NS, 100, KNOWN_NOT), KNOWN_FALSE);
	}
}

/* /v1 and /api/embeddings: the time to the first byte against the same T. */
static void test_an_answer_sooner_than_any_load_is_warm(void **state)
{
	static const enum known listed[] = {KNOWN_NOT, KNOWN_FALSE, KNOWN_TRUE};

	for (size_t i = 0; i < ARRAY_LENGTH(listed); i++) {
		/* warm ones of both generations, the slowest under stress */
		assert_int_equal(residency_judge_silent(834000, 100, listed[i]), KNOWN_TRUE);
		assert_int_equal(residency_judge_silent(31887560, 100, listed[i]), KNOWN_TRUE);
		assert_int_equal(residency_judge_silent(42 * MS_NS, 100, listed[i]), KNOWN_TRUE);
		/* a load, or a long prompt */
		assert_int_equal(residency_judge_silent(254 * MS_NS, 100, listed[i]), listed[i]);
		assert_int_equal(
			residency_judge_silent(100 * MS_NS + 6000, 100, listed[i]), listed[i]);
		assert_int_equal(
			residency_judge_silent(100 * MS_NS + 5999, 100, listed[i]), KNOWN_TRUE);
	}
}

/* T = 100 ms + 60 ns a byte of the request's body. */
static void test_threshold_grows_with_the_request_body(void **state)
{
	assert_int_equal(residency_judge(100 * MS_NS - 1, 0, KNOWN_NOT), KNOWN_TRUE);
	assert_int_equal(residency_judge(100 * MS_NS, 0, KNOWN_NOT), KNOWN_FALSE);
	assert_int_equal(residency_judge(100 * MS_NS, -1, KNOWN_NOT), KNOWN_FALSE);
	assert_int_equal(residency_judge(100 * MS_NS - 1, -1, KNOWN_NOT), KNOWN_TRUE);
	assert_int_equal(residency_judge(100 * MS_NS + 5999, 100, KNOWN_NOT), KNOWN_TRUE);
	assert_int_equal(residency_judge(100 * MS_NS + 6000, 100, KNOWN_NOT), KNOWN_FALSE);
	/* A warm one with a body of 20 MB took 864 ms to read it. */
	assert_int_equal(residency_judge(864 * MS_NS, 20000000, KNOWN_TRUE), KNOWN_TRUE);
	assert_int_equal(residency_judge(864 * MS_NS, 434000, KNOWN_TRUE), KNOWN_FALSE);
	/* The largest body there may be. */
	assert_int_equal(residency_judge(INT64_MAX, INT64_MAX / 100, KNOWN_TRUE), KNOWN_FALSE);
}

/* 0 would be absent in Ollama's answer; if it ever comes, nothing was loaded. */
static void test_zero_is_warm(void **state)
{
	assert_int_equal(residency_judge(0, 0, KNOWN_FALSE), KNOWN_TRUE);
}

/* Answers of /v1 and /api/embeddings, and those of mere loads. */
static void test_answer_without_a_duration_is_as_the_model_was_listed(void **state)
{
	assert_int_equal(residency_judge(-1, 100, KNOWN_TRUE), KNOWN_TRUE);
	assert_int_equal(residency_judge(-1, 100, KNOWN_FALSE), KNOWN_FALSE);
	assert_int_equal(residency_judge(-1, 100, KNOWN_NOT), KNOWN_NOT);
}

static void test_destroying_nothing_is_fine(void **state)
{
	residency_destroy(NULL);
}

static void test_jobs_that_shared_a_load_tell_of_it_once(void **state)
{
	struct residency *residency = *state;

	/* two sent while the model loads, up at 900 */
	assert_true(residency_note_load(residency, "m", 110, 900));
	assert_false(residency_note_load(residency, "M:latest", 100, 900));
	/* another model's load is its own */
	assert_true(residency_note_load(residency, "other", 120, 1200));
	/* sent after it: loaded once more */
	assert_true(residency_note_load(residency, "m", 2000, 2500));
	assert_false(residency_note_load(residency, "m", 2100, 2500));
}

#define RESIDENCY_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void snapshot(struct residency *residency, const char *one, const char *other)
{
	residency_begin(residency);
	if (one)
		residency_add(residency, one, 1, 1, 1);
	if (other)
		residency_add(residency, other, 1, 1, 1);
	residency_end(residency, 1000);
}

static void test_a_doubt_is_settled_by_the_next_snapshot(void **state)
{
	struct residency *residency = residency_create();

	snapshot(residency, "a", NULL);
	snapshot(residency, NULL, NULL);
	assert_int_equal(residency_epoch(residency), 0); /* it was unloaded */
	snapshot(residency, "a", NULL);
	residency_doubt(residency);
	snapshot(residency, "b", "a");
	assert_int_equal(residency_epoch(residency), 0);
	snapshot(residency, "a", NULL);
	assert_int_equal(residency_epoch(residency), 0);
	residency_doubt(residency);
	snapshot(residency, "b", NULL);
	assert_int_equal(residency_epoch(residency), 1);
	residency_forget(residency);
	assert_int_equal(residency_epoch(residency), 2);
	residency_destroy(residency);
}

static void test_what_does_not_tell_is_known_until_it_does(void **state)
{
	struct residency *residency = residency_create();

	assert_false(residency_is_mute(residency));
	residency_note_mute(residency);
	residency_forget(residency);
	assert_true(residency_is_mute(residency));
	snapshot(residency, NULL, NULL);
	assert_false(residency_is_mute(residency));
	residency_destroy(residency);
}

/* One look at /api/ps, asked `seconds` after the start. */
static void look(struct residency *residency, int seconds, const char *name, const char *expires)
{
	residency_begin(residency);
	if (name) {
		residency_add(residency, name, 1, 1, 1);
		residency_add_expiry(residency, expires);
	}
	residency_asked(residency, (int64_t)seconds * 1000000);
	residency_end(residency, (int64_t)seconds * 1000000);
}

static void test_a_use_that_is_not_ours_is_seen(void **state)
{
	struct residency *residency = residency_create();

	assert_null(residency_foreign(residency).model);
	look(residency, 1, "m", "a");
	look(residency, 2, "m", "a");
	assert_int_equal(residency_foreign(residency).count, 0);
	look(residency, 3, "m", "b");
	assert_int_equal(residency_foreign(residency).count, 1);
	assert_int_equal(residency_foreign(residency).seen_us, 3000000);
	assert_string_equal(residency_foreign(residency).model, "m:latest");
	/* a model that comes is used too; one that goes expired */
	look(residency, 4, "n", "c");
	assert_int_equal(residency_foreign(residency).count, 2);
	look(residency, 5, NULL, NULL);
	assert_int_equal(residency_foreign(residency).count, 2);
	residency_destroy(residency);
}

static void test_our_own_use_is_not_foreign(void **state)
{
	struct residency *residency = residency_create();

	look(residency, 1, "m", "a");
	residency_note_own_use(residency, 1500000);
	look(residency, 2, "m", "b");
	/* Ollama may still work on it for a while */
	look(residency, 11, "m", "c");
	look(residency, 12, "m", "d");
	assert_int_equal(residency_foreign(residency).count, 0);
	look(residency, 13, "m", "e");
	assert_int_equal(residency_foreign(residency).count, 1);
	residency_destroy(residency);
}

static void test_what_another_ollama_has_loaded_is_not_foreign(void **state)
{
	struct residency *residency = residency_create();

	look(residency, 1, "m", "a");
	residency_forget(residency);
	look(residency, 2, "m", "b");
	residency_doubt(residency);
	look(residency, 3, "m", "c");
	/* without an expiry nothing is known */
	look(residency, 4, "m", "");
	look(residency, 5, "m", "d");
	assert_int_equal(residency_foreign(residency).count, 0);
	residency_destroy(residency);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RESIDENCY_TEST(test_spellings_of_one_model_have_one_canonical_name),
		RESIDENCY_TEST(test_other_tags_namespaces_and_hosts_are_other_models),
		RESIDENCY_TEST(test_canonical_name_fits_its_buffer),
		RESIDENCY_TEST(test_very_long_names_are_one_model_with_themselves),
		RESIDENCY_TEST(test_nothing_is_known_without_a_snapshot),
		RESIDENCY_TEST(test_snapshot_tells_what_is_loaded),
		RESIDENCY_TEST(test_new_snapshot_replaces_the_old_one_whole),
		RESIDENCY_TEST(test_snapshot_counts_only_when_it_ends),
		RESIDENCY_TEST(test_snapshot_says_nothing_after_ten_seconds),
		RESIDENCY_TEST(test_nothing_is_known_after_forgetting),
		RESIDENCY_TEST(test_model_that_answered_is_loaded),
		RESIDENCY_TEST(test_use_without_a_snapshot_is_no_picture),
		RESIDENCY_TEST(test_unloaded_model_is_gone),
		RESIDENCY_TEST(test_any_number_of_models_can_be_loaded),
		RESIDENCY_TEST(test_warm_answers_of_both_generations_are_warm),
		RESIDENCY_TEST(test_cold_answers_of_both_generations_are_cold),
		RESIDENCY_TEST(test_the_context_is_that_of_the_loaded_runner),
		RESIDENCY_TEST(test_an_answer_sooner_than_any_load_is_warm),
		RESIDENCY_TEST(test_threshold_grows_with_the_request_body),
		RESIDENCY_TEST(test_zero_is_warm),
		RESIDENCY_TEST(test_answer_without_a_duration_is_as_the_model_was_listed),
		RESIDENCY_TEST(test_jobs_that_shared_a_load_tell_of_it_once),
		RESIDENCY_TEST(test_destroying_nothing_is_fine),
		cmocka_unit_test(test_a_doubt_is_settled_by_the_next_snapshot),
		cmocka_unit_test(test_what_does_not_tell_is_known_until_it_does),
		cmocka_unit_test(test_a_use_that_is_not_ours_is_seen),
		cmocka_unit_test(test_our_own_use_is_not_foreign),
		cmocka_unit_test(test_what_another_ollama_has_loaded_is_not_foreign),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
