#include "observe/account.h"

enum { NS_PER_US = 1000 };

static bool is_dispatched(const struct record *record)
{
	return record->dispatched_us != 0;
}

/* -1: unknown. */
static void add_tokens(struct account_tokens *tokens, int64_t count, int64_t ns)
{
	if (count < 0)
		return;
	tokens->count += count;
	if (ns < 0)
		return;
	tokens->timed += count;
	tokens->ns += ns;
}

/* An error's latency says nothing about how fast answers are. */
static void add_success(struct account *account, const struct record *record)
{
	histogram_add(&account->latency_us, record_latency_us(record));
	if (record->warm == KNOWN_TRUE)
		account->warm++;
	else if (record->warm == KNOWN_FALSE)
		account->cold++;
}

int64_t account_load_us(const struct record *record)
{
	return record->load_duration >= 0 ? record->load_duration / NS_PER_US : -1;
}

void account_add(struct account *account, const struct record *record)
{
	int64_t wait_ns = record_upstream_wait(record);

	account->ended[outcome_counter(record->outcome)]++;
	if (is_dispatched(record))
		histogram_add(&account->wait_us, record->queue_wait_us);
	if (record->outcome == OUTCOME_SUCCESS)
		add_success(account, record);
	account->slot_us += record->slot_us;
	if (record->is_load)
		account_add_load(account, account_load_us(record));
	if (record->prompt_truncated == KNOWN_TRUE)
		account->cut_prompts++;
	account->patience_doubted += record->patience_doubted;
	add_tokens(&account->prompt, record->prompt_eval_count, record->prompt_eval_duration);
	add_tokens(&account->generated, record->eval_count, record->eval_duration);
	if (wait_ns > 0)
		account->upstream_wait_ns += wait_ns;
}

void account_add_load(struct account *account, int64_t took_us)
{
	account->loads++;
	if (took_us < 0)
		return;
	account->timed_loads++;
	account->loads_us += took_us;
}

int64_t account_gap_us(const struct record *record)
{
	int64_t gaps = record->eval_count - 1;

	if (gaps < 1)
		return -1;
	/* The time of the first token is in it too. */
	if (record->eval_duration >= 0)
		return record->eval_duration / NS_PER_US / record->eval_count;
	if (record->stream != KNOWN_TRUE || !record->first_byte_us ||
		record->outcome != OUTCOME_SUCCESS)
		return -1;
	return (record->ended_us - record->first_byte_us) / gaps;
}

void account_ladders_add(struct account_ladders *ladders, const struct record *record)
{
	int64_t gap_us = account_gap_us(record);

	if (is_dispatched(record))
		ladder_add(&ladders->wait, &ladder_waits, record->queue_wait_us);
	/* An error's body is no token; that of a whole answer is its last. */
	if (record->stream == KNOWN_TRUE && record->first_byte_us &&
		record->outcome == OUTCOME_SUCCESS)
		ladder_add(&ladders->first_token, &ladder_waits,
			record->first_byte_us - record->arrived_us);
	if (gap_us >= 0)
		ladder_add(&ladders->gap, &ladder_gaps, gap_us);
	if (record->is_load && record->load_duration >= 0)
		ladder_add(&ladders->load, &ladder_waits, account_load_us(record));
	ladder_add(&ladders->latency[outcome_counter(record->outcome)], &ladder_waits,
		record_latency_us(record));
}

static void merge_tokens(struct account_tokens *tokens, const struct account_tokens *other)
{
	tokens->count += other->count;
	tokens->timed += other->timed;
	tokens->ns += other->ns;
}

void account_merge(struct account *account, const struct account *other)
{
	for (int i = 0; i < COUNTER_COUNT; i++)
		account->ended[i] += other->ended[i];
	histogram_merge(&account->wait_us, &other->wait_us);
	histogram_merge(&account->latency_us, &other->latency_us);
	account->warm += other->warm;
	account->cold += other->cold;
	account->slot_us += other->slot_us;
	account->loads += other->loads;
	account->timed_loads += other->timed_loads;
	account->loads_us += other->loads_us;
	account->cut_prompts += other->cut_prompts;
	account->patience_doubted += other->patience_doubted;
	merge_tokens(&account->prompt, &other->prompt);
	merge_tokens(&account->generated, &other->generated);
	account->upstream_wait_ns += other->upstream_wait_ns;
}

void account_ladders_merge(struct account_ladders *ladders, const struct account_ladders *other)
{
	ladder_merge(&ladders->wait, &other->wait);
	ladder_merge(&ladders->first_token, &other->first_token);
	ladder_merge(&ladders->gap, &other->gap);
	ladder_merge(&ladders->load, &other->load);
	for (int i = 0; i < COUNTER_COUNT; i++)
		ladder_merge(&ladders->latency[i], &other->latency[i]);
}
