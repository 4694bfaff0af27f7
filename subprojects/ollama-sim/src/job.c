#include "job.h"

#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "catalog.h"
#include "conn.h"
#include "loader.h"
#include "pace.h"
#include "runner.h"
#include "sim.h"

#define US_PER_MS 1000
/* Ids look like Ollama's: chatcmpl-226, resp_540288, msg_57735. */
#define SERIALS 1000
#define ITEM_SERIALS 1000000
/* Ollama stops after more than 30 equal tokens. */
#define REPEAT_LIMIT 30
/* Tokens of a tool call, as recorded. */
#define TOOL_CALL_TOKENS 10

static const char *const state_names[] = {"new", "pending", "joining", "warming", "waiting",
	"prefill", "generating", "ghost", "done"};

const char *job_state_name(enum job_state state)
{
	return state_names[state];
}

static void on_timer(evutil_socket_t fd, short what, void *arg);
static void on_gone(void *arg);
static void on_drained(void *arg);

struct job *job_create(struct conn *conn, struct model *model, const char *model_name,
	const struct dialect *dialect)
{
	struct job *job = mem_zalloc(sizeof(*job));

	job->sim = conn->sim;
	job->conn = conn;
	job->model = model;
	job->dialect = dialect;
	job->kind = JOB_GENERATE;
	job->started = conn->started;
	job->done_reason = "stop";
	job->serial = pace_random(SERIALS);
	job->item_serial = pace_random(ITEM_SERIALS);
	job->fails_load = conn->fault.kind == FAULT_LOAD_FAIL;
	bytes_add_escaped(&job->model_json, model_name, strlen(model_name));
	event_assign(&job->timer, conn->sim->loop, -1, 0, on_timer, job);
	return job;
}

void job_free(struct job *job)
{
	event_del(&job->timer);
	prompt_finish(&job->prompt);
	bytes_finish(&job->model_json);
	bytes_finish(&job->text);
	bytes_finish(&job->thinking);
	bytes_finish(&job->logprobs);
	bytes_finish(&job->tool_name);
	bytes_finish(&job->tool_arguments);
	bytes_finish(&job->vectors);
	free(job);
}

void job_discard(struct job *job)
{
	job_free(job);
}

static void add_argument(struct bytes *json, const char *name, const char *type)
{
	bytes_adds(json, bytes_length(json) == 1 ? "" : ",");
	bytes_add_string(json, name);
	if (type != NULL && (strcmp(type, "number") == 0 || strcmp(type, "integer") == 0))
		bytes_adds(json, ":1");
	else if (type != NULL && strcmp(type, "boolean") == 0)
		bytes_adds(json, ":true");
	else
		bytes_adds(json, ":\"Paris\"");
}

void job_choose_tool(struct job *job, yajl_val tools)
{
	if (json_count(tools) == 0 || job->prompt.ends_with_tool)
		return;
	yajl_val tool = json_item(tools, 0);
	yajl_val function = json_get(tool, "function");
	if (function == NULL)
		function = tool; /* Anthropic and /v1/responses have no such level */
	yajl_val parameters = json_get(function, "parameters");
	if (parameters == NULL)
		parameters = json_get(function, "input_schema");
	const char *name = json_get_string(function, "name");
	yajl_val required = json_get(parameters, "required");
	yajl_val properties = json_get(parameters, "properties");
	bytes_add_escaped(&job->tool_name, name == NULL ? "tool" : name,
		strlen(name == NULL ? "tool" : name));
	bytes_adds(&job->tool_arguments, "{");
	for (size_t i = 0; i < json_count(required); i++) {
		const char *argument = json_string(json_item(required, i));

		if (argument != NULL)
			add_argument(&job->tool_arguments, argument,
				json_get_string(json_get(properties, argument), "type"));
	}
	bytes_adds(&job->tool_arguments, "}");
}

void job_fit_prompt(struct job *job)
{
	size_t context = (size_t)job->ask.key.num_ctx;

	job->prompt_tokens =
		prompt_fit(&job->prompt, context, job->ask.num_keep, job->model->has_bos);
	if (job->prompt_tokens == 0)
		job->prompt_tokens = 1;
	bool may_cut = job->ask.truncates && job->ask.key.shifts;
	if (!may_cut && prompt_total(&job->prompt) > context)
		job->refusal = "the input length exceeds the context length";
}

static void start_timer(struct job *job, int64_t real_ns)
{
	struct timeval wait = pace_timeval(real_ns);

	event_add(&job->timer, &wait);
}

void job_start(struct job *job)
{
	conn_set_user(job->conn, on_gone, on_drained, job);
	loader_submit(&job->sim->loader, job);
}

/* Nothing refers to the job but its caller afterwards. */
static void detach(struct job *job)
{
	struct runner *runner = job->runner;

	job->runner = NULL;
	if (runner == NULL)
		return;
	runner_leave(runner, job);
	runner_release(runner);
}

/* The last word of each job: the answer is written first, since freeing the slot may start others.
 */
static void end(struct job *job, void (*write_end)(struct job *))
{
	job->state = JOB_DONE;
	job->model->stats.completed++;
	write_end(job);
	job->conn = NULL;
	detach(job);
	job_free(job);
}

void job_failed(struct job *job, int status, const char *message)
{
	job->dialect->fail(job, status, message);
	job->conn = NULL;
	detach(job);
	job_free(job);
}

/* It has its runner, and Ollama says so after a look at it. */
static void proceed(struct job *job)
{
	job->granted = pace_now();
	if (job->kind == JOB_LOAD) {
		end(job, job->dialect->loaded);
		return;
	}
	if (job->kind == JOB_EMBED && (job->model->capabilities & CAN_EMBED) == 0) {
		job_failed(job, 501,
			"This server does not support embeddings. Start it with `--embeddings`");
		return;
	}
	if (job->refusal != NULL) {
		job_failed(job, 400, job->refusal);
		return;
	}
	runner_enter(job->runner, job);
}

void job_granted(struct job *job, struct runner *runner, bool was_loaded)
{
	const struct settings *settings = &job->sim->settings;
	double spread = settings->warm_max_ms - settings->warm_min_ms;
	bool is_free = job->model->load_ms <= 0 && job->model->tokens_per_s <= 0;

	job->runner = runner;
	runner->references++;
	if (runner->state == RUNNER_READY && runner->references == 1)
		event_del(&runner->life);
	if (was_loaded || is_free) {
		proceed(job);
		return;
	}
	double ms = settings->warm_min_ms + spread * pace_random(US_PER_MS) / US_PER_MS;
	job->state = JOB_WARMING;
	start_timer(job, pace_scaled(ms * (double)NS_PER_MS));
}

static void begin_tokens(struct job *job)
{
	job->first_token = pace_now();
	if (job->kind == JOB_EMBED) {
		end(job, job->dialect->finish);
		return;
	}
	runner_generate(job->runner, job);
}

void job_take_slot(struct job *job)
{
	int64_t wait = runner_prefill_ns(job->runner, job->prompt_tokens);

	job->state = JOB_PREFILL;
	job->slot_taken = pace_now();
	if (wait == 0)
		begin_tokens(job);
	else
		start_timer(job, wait);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct job *job = arg;

	switch (job->state) {
	case JOB_WARMING:
		proceed(job);
		break;
	case JOB_PREFILL:
		begin_tokens(job);
		break;
	case JOB_GHOST: {
		struct runner *runner = job->runner;

		/* It has no reference any more, only the slot. */
		runner_leave(runner, job);
		job_free(job);
		break;
	}
	case JOB_NEW:
	case JOB_PENDING:
	case JOB_JOINING:
	case JOB_WAITING:
	case JOB_GENERATING:
	case JOB_DONE:
		break;
	}
}

/* The fault that kills the runner under a stream. */
static bool is_killed_now(const struct job *job)
{
	return job->conn->fault.kind == FAULT_RUNNER_KILLED &&
	       job->generated >= job->conn->fault.after_lines;
}

static bool calls_tool(const struct job *job)
{
	return bytes_length(&job->tool_name) > 0;
}

static bool has_reached_limit(struct job *job)
{
	if (job->ask.num_predict < 0 || job->generated < (size_t)job->ask.num_predict)
		return false;
	job->done_reason = "length";
	return true;
}

static void add_logprob(struct job *job, const struct piece *piece)
{
	struct bytes *json = &job->logprobs;
	struct bytes token = {0};

	bytes_addf(&token, "{\"token\":\"%s\",\"logprob\":-0.1,\"bytes\":[", piece->json);
	for (size_t i = 0; i < piece->length; i++)
		bytes_addf(&token, "%s%u", i == 0 ? "" : ",", (unsigned char)piece->text[i]);
	bytes_adds(&token, "]");
	bytes_adds(json, bytes_length(json) == 0 ? "" : ",");
	bytes_add(json, bytes_at(&token), bytes_length(&token));
	if (job->ask.top_logprobs > 0) {
		bytes_adds(json, ",\"top_logprobs\":[");
		bytes_add(json, bytes_at(&token), bytes_length(&token));
		bytes_adds(json, "}]");
	}
	bytes_adds(json, "}");
	bytes_finish(&token);
}

static void count_token(struct job *job)
{
	job->generated++;
	job->model->stats.lines++;
	job->sim->generated_lines++;
}

bool job_emit(struct job *job)
{
	struct piece piece;
	bool repeats = job->conn->fault.kind == FAULT_REPEAT_LIMIT;

	if (job->runner->is_dying)
		return true;
	if (is_killed_now(job)) {
		job->conn->fault.kind = FAULT_NONE;
		runner_kill(job->runner);
		return true;
	}
	if (has_reached_limit(job)) {
		end(job, job->dialect->finish);
		return false;
	}
	if (calls_tool(job) ? job->generated + 1 >= TOOL_CALL_TOKENS
			    : !script_get(job->model->script, job->place, &piece)) {
		count_token(job); /* EOS */
		end(job, job->dialect->finish);
		return false;
	}
	if (repeats && job->generated >= REPEAT_LIMIT) {
		job->breaks_off = true;
		end(job, job->dialect->finish);
		return false;
	}
	job->place += repeats && job->place > 0 ? 0 : 1;
	count_token(job);
	if (calls_tool(job))
		return true;
	if (job->ask.wants_logprobs)
		add_logprob(job, &piece);
	job->dialect->piece(job, &piece);
	/* As Ollama, say at once that the limit is reached. */
	if (!has_reached_limit(job))
		return true;
	end(job, job->dialect->finish);
	return false;
}

/* The batch of the prompt that is being read goes on to its end: the slot stays busy, the reference
 * is gone. */
static void become_ghost(struct job *job)
{
	struct runner *runner = job->runner;
	int64_t batch = runner_prefill_ns(runner, (size_t)job->ask.key.num_batch);
	int64_t elapsed = pace_now() - job->slot_taken;
	int64_t left = batch <= 0 ? 0 : batch - elapsed % batch;
	int64_t all = runner_prefill_ns(runner, job->prompt_tokens) - elapsed;

	job->model->stats.aborted_in_prefill++;
	job->state = JOB_GHOST;
	start_timer(job, left < all ? left : all);
	/* May unload the runner, later; that frees the ghost as well. */
	runner_release(runner);
}

static void on_gone(void *arg)
{
	struct job *job = arg;
	bool breaks_stream = job->state == JOB_GENERATING && job->has_begun;

	job->model->stats.aborted++;
	if (breaks_stream)
		job->dialect->fail(job, 500,
			"an error was encountered while running the model: unexpected EOF");
	job->conn = NULL;
	switch (job->state) {
	case JOB_PENDING:
	case JOB_JOINING:
		loader_abandon(&job->sim->loader, job);
		return;
	case JOB_PREFILL:
		become_ghost(job);
		return;
	case JOB_GENERATING:
		job->model->stats.aborted_in_generation++;
		break;
	case JOB_NEW:
	case JOB_WARMING:
	case JOB_WAITING:
	case JOB_GHOST:
	case JOB_DONE:
		break;
	}
	detach(job);
	job_free(job);
}

static void on_drained(void *arg)
{
	struct job *job = arg;

	if (job->runner != NULL)
		runner_wake(job->runner);
}

static int64_t at_least_one(int64_t ns)
{
	return ns < 1 ? 1 : ns;
}

struct job_durations job_durations(const struct job *job)
{
	int64_t now = pace_now();
	struct job_durations durations = {
		.load = at_least_one(job->granted - job->started),
		.prompt_eval = at_least_one(job->first_token - job->slot_taken),
		.eval = at_least_one(now - job->first_token),
		.total = at_least_one(now - job->started),
	};
	int64_t sum = durations.load + durations.prompt_eval + durations.eval;

	if (durations.total < sum)
		durations.total = sum;
	return durations;
}
