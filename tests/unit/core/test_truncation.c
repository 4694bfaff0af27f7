#include "core/truncation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"

enum { LONG_BYTES = 100000 };

/* A single long prompt. */
static struct truncation generate(int64_t context_length, int64_t prompt_tokens)
{
	return (struct truncation){
		.operation = OPERATION_GENERATE,
		.context_length = context_length,
		.prompt_tokens = prompt_tokens,
		.request_bytes = LONG_BYTES,
	};
}

static struct truncation chat(int64_t context_length, int64_t prompt_tokens, int64_t messages)
{
	struct truncation truncation = generate(context_length, prompt_tokens);

	truncation.operation = OPERATION_CHAT;
	truncation.parts_count = messages;
	return truncation;
}

static struct truncation embed(int64_t context_length, int64_t prompt_tokens, int64_t inputs)
{
	struct truncation truncation = chat(context_length, prompt_tokens, inputs);

	truncation.operation = OPERATION_EMBED;
	return truncation;
}

static struct truncation keeping(struct truncation truncation, int64_t num_keep)
{
	truncation.has_num_keep = true;
	truncation.num_keep = num_keep;
	return truncation;
}

static struct truncation with_bytes(struct truncation truncation, int64_t bytes, int64_t images)
{
	truncation.request_bytes = bytes;
	truncation.images_count = images;
	return truncation;
}

/* FACTS-ollama.md 7: what both versions sent for prompts that were too long. */
static void test_cut_prompts_are_known_by_their_tokens(void **state)
{
	const struct truncation cut[] = {generate(512, 259), generate(1024, 515),
		generate(2048, 1027), generate(4096, 2051), chat(512, 259, 1), chat(4096, 2051, 1),
		/* no BOS */
		generate(4096, 2050), generate(1024, 514), chat(2048, 1026, 1),
		/* the last message alone is too long */
		chat(4096, 2051, 12),
		/* num_keep 100, with BOS and without; the whole */
		keeping(generate(1024, 563), 100), keeping(generate(1024, 562), 100),
		keeping(generate(1024, 1023), -1), keeping(generate(1024, 1023), 5000),
		/* an odd context */
		generate(1025, 515),
		/* as much as fits */
		generate(4096, 4096), generate(4096, 5000), chat(4096, 4096, 3), embed(512, 512, 0),
		embed(512, 512, 1),
		/* tokens of an image are no bytes of text */
		with_bytes(generate(4096, 2051), 300, 1)};

	for (size_t i = 0; i < ARRAY_LENGTH(cut); i++)
		assert_int_equal(truncation_judge(&cut[i]), KNOWN_TRUE);
}

static void test_whole_prompts_are_known(void **state)
{
	const struct truncation whole[] = {/* a cut leaves half of the context at least */
		generate(4096, 30), generate(4096, 2047), chat(4096, 2000, 1), chat(4096, 26, 0),
		/* how much is kept is known, and it is another number */
		keeping(generate(4096, 2051), 100), keeping(generate(4096, 3000), 4),
		keeping(generate(4096, 3000), -1),
		/* the request is too short for that many tokens, whatever the number is */
		with_bytes(generate(4096, 2051), 4095, 0),
		with_bytes(chat(4096, 1500, 40), 3000, 0), with_bytes(embed(512, 512, 1), 500, 0),
		embed(512, 509, 1), embed(512, 300, 9)};

	for (size_t i = 0; i < ARRAY_LENGTH(whole); i++)
		assert_int_equal(truncation_judge(&whole[i]), KNOWN_FALSE);
}

static void test_what_is_not_sure_is_not_known(void **state)
{
	struct truncation other = generate(4096, 2051);
	const struct truncation unsure[] = {generate(-1, 2051), generate(4096, -1), generate(0, 0),
		generate(-1, -1),
		/* 940 of 1,024: old messages went without a sign */
		chat(1024, 940, 20), chat(1024, 100, 2),
		/* the model may have a num_keep of its own: llama3 has 24 */
		generate(4096, 2061), generate(4096, 3000), chat(4096, 2052, 1),
		generate(4096, 4095),
		/* several inputs together, and near the limit */
		embed(512, 600, 2), embed(512, 511, 1)};

	for (size_t i = 0; i < ARRAY_LENGTH(unsure); i++)
		assert_int_equal(truncation_judge(&unsure[i]), KNOWN_NOT);
	other.operation = OPERATION_TRANSCRIBE;
	assert_int_equal(truncation_judge(&other), KNOWN_NOT);
	other.operation = OPERATION_IMAGE;
	assert_int_equal(truncation_judge(&other), KNOWN_NOT);
}

static void test_the_context_is_that_of_the_runner_that_served(void **state)
{
	static const struct {
		struct truncation_context context;
		int64_t length;
	} samples[] = {
		/* at dispatch, now, fresh, loaded after dispatch, num_ctx */
		{{4096, 4096, false, KNOWN_FALSE, -1}, 4096},
		{{4096, 8192, true, KNOWN_TRUE, -1}, 8192},
		{{-1, 4096, true, KNOWN_NOT, -1}, 4096},
		/* seen gone or changed later: it answered on the one at dispatch */
		{{4096, -1, true, KNOWN_FALSE, -1}, 4096},
		{{4096, 8192, false, KNOWN_FALSE, -1}, 4096},
		/* /v1: nothing says whether it was loaded again */
		{{4096, 4096, false, KNOWN_NOT, -1}, 4096},
		{{4096, 8192, false, KNOWN_NOT, -1}, -1},
		/* loaded, and not looked at since */
		{{4096, 4096, false, KNOWN_TRUE, -1}, -1},
		{{-1, -1, false, KNOWN_NOT, -1}, -1},
		{{-1, -1, true, KNOWN_FALSE, -1}, -1},
		/* num_ctx is lowered to the model's own, never raised */
		{{2048, 2048, false, KNOWN_FALSE, 2048}, 2048},
		{{2048, 2048, true, KNOWN_TRUE, 100000}, 2048},
		{{8192, 8192, true, KNOWN_FALSE, 2048}, -1},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(samples); i++)
		assert_int_equal(truncation_context_length(&samples[i].context), samples[i].length);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_prompts_are_known_by_their_tokens),
		cmocka_unit_test(test_whole_prompts_are_known),
		cmocka_unit_test(test_what_is_not_sure_is_not_known),
		cmocka_unit_test(test_the_context_is_that_of_the_runner_that_served),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
