#include "back/probe.h"

#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "back/exchange.h"
#include "back/pool.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/moment.h"
#include "base/ticker.h"
#include "core/residency.h"
#include "json/ps.h"

enum {
	SECOND_US = 1000 * 1000,
	STATUS_OK = 200,
	STATUS_BAD_GATEWAY = 502,
	STATUS_UNAVAILABLE = 503,
	STATUS_GATEWAY_TIMEOUT = 504,
};

enum question { QUESTION_NONE, QUESTION_VERSION, QUESTION_PS };

struct probe {
	struct pool *pool;
	struct residency *residency;
	struct probe_events events;
	enum probe_state state;
	char *version;
	struct event *timer; /* the next question, or the limit of the one under way */
	enum question asking;
	enum question next; /* what the timer asks when nothing is under way */
	struct exchange *exchange;
	struct evbuffer *answer;
	int status;	  /* 0: no head yet */
	uint64_t lost;	  /* idle connections that were lost when the last question was sent */
	int64_t asked_us; /* when the question under way was sent */
	int64_t trouble_since_us; /* when SUSPECT or DOWN began */
	bool is_busy;
	bool is_soon;  /* when the question under way is answered /api/ps is asked in a moment */
	bool is_again; /* this question is asked a second time, since its connection was stale */
};

const char *probe_state_name(enum probe_state state)
{
	static const char *const names[] = {
#define X(symbol, name) name,
		PROBE_STATES(X)
#undef X
	};

	return names[state];
}

static bool is_in_trouble(const struct probe *probe)
{
	return probe->state == PROBE_SUSPECT || probe->state == PROBE_DOWN;
}

static void arm(struct probe *probe, int64_t delay_us)
{
	const struct timeval delay = {delay_us / SECOND_US, delay_us % SECOND_US};

	event_add(probe->timer, &delay);
}

static void plan(struct probe *probe, enum question next, int64_t delay_us)
{
	probe->next = next;
	arm(probe, delay_us);
}

static int64_t pause_us(const struct probe *probe)
{
	if (is_in_trouble(probe))
		return ticker_now_us() - probe->trouble_since_us >= PROBE_LONG_DOWN_US
			       ? PROBE_LONG_PAUSE_US
			       : PROBE_DOWN_US;
	return probe->is_busy ? PROBE_BUSY_US : PROBE_CALM_US;
}

/* Nothing is under way any more. */
static void stop_asking(struct probe *probe)
{
	if (probe->exchange)
		exchange_cancel(probe->exchange);
	probe->exchange = NULL;
	probe->asking = QUESTION_NONE;
	evbuffer_drain(probe->answer, evbuffer_get_length(probe->answer));
}

static void notify(struct probe *probe)
{
	if (probe->events.on_change)
		probe->events.on_change(probe->events.arg);
}

/* true: it is another one than before. The caller plans the next question and then notifies. */
static bool set_state(struct probe *probe, enum probe_state state)
{
	enum probe_state old = probe->state;

	if (state == old)
		return false;
	LOG(INFO, "upstream", LOG_TEXT("state", probe_state_name(state)),
		LOG_TEXT("before", probe_state_name(old)),
		LOG_TEXT("upstream", pool_host(probe->pool)));
	if (state == PROBE_SUSPECT || state == PROBE_DOWN) {
		if (!is_in_trouble(probe))
			probe->trouble_since_us = ticker_now_us();
		/* What was loaded may be gone with the process that broke off. */
		residency_forget(probe->residency);
	}
	probe->state = state;
	return true;
}

static void fail(struct probe *probe, enum probe_state state)
{
	bool is_changed;

	stop_asking(probe);
	probe->is_again = false;
	/* What refuses connections is not better off for a broken one. */
	is_changed = set_state(probe, probe->state == PROBE_DOWN ? PROBE_DOWN : state);
	plan(probe, QUESTION_VERSION, pause_us(probe));
	if (is_changed)
		notify(probe);
}

/* Our own want of descriptors says nothing about Ollama: what was known stays, the question is
 * asked again later. */
static void could_not_ask(struct probe *probe)
{
	if (!pool_failed_locally(probe->pool)) {
		fail(probe, PROBE_DOWN);
		return;
	}
	stop_asking(probe);
	plan(probe, QUESTION_VERSION, pause_us(probe));
}

static void take_version(struct probe *probe, const char *text, size_t length)
{
	char version[PS_VERSION_BYTES];

	if (probe->status != STATUS_OK || !ps_read_version(text, length, version)) {
		LOG(WARN, "upstream does not answer /api/version as Ollama does",
			LOG_TEXT("upstream", pool_host(probe->pool)),
			LOG_NUMBER("status", probe->status));
		return;
	}
	if (probe->version && strcmp(probe->version, version) == 0)
		return;
	/* Another one was started in its place. */
	if (probe->version)
		residency_forget(probe->residency);
	free(probe->version);
	probe->version = mem_strdup(version);
	LOG(INFO, "upstream version", LOG_TEXT("upstream", pool_host(probe->pool)),
		LOG_TEXT("version", version));
}

/* By our own wall clock: on another machine it may be wrong, and little hangs on it. 0: it cannot
 * be read. */
static int64_t expires_us(const char *expires_at)
{
	int64_t wall_us;

	if (!moment_read(expires_at, strlen(expires_at), &wall_us))
		return 0;
	return ticker_now_us() + wall_us - ticker_wall_us();
}

static void on_model(void *arg, const struct ps_model *model)
{
	struct probe *probe = arg;

	residency_add(probe->residency, model->name, model->size, model->size_vram,
		model->context_length);
	residency_add_expiry(probe->residency, model->expires_at);
	residency_add_expiry_us(probe->residency, expires_us(model->expires_at));
}

/* true: that is new. What was known stays: a single bad answer takes nothing away. */
static bool note_mute(struct probe *probe)
{
	if (residency_is_mute(probe->residency) || residency_asked_us(probe->residency) > 0)
		return false;
	LOG(INFO, "upstream does not tell what is loaded: requests go in order of arrival",
		LOG_TEXT("upstream", pool_host(probe->pool)), LOG_NUMBER("status", probe->status));
	residency_note_mute(probe->residency);
	return true;
}

static bool take_ps(struct probe *probe, const char *text, size_t length)
{
	residency_begin(probe->residency);
	if (probe->status != STATUS_OK || !ps_read(text, length, on_model, probe))
		return note_mute(probe);
	residency_asked(probe->residency, probe->asked_us);
	residency_note_own_use(probe->residency, pool_used_us(probe->pool, ticker_now_us()));
	residency_end(probe->residency, ticker_now_us());
	return true;
}

static void take_answer(struct probe *probe)
{
	enum question asked = probe->asking;
	size_t length = evbuffer_get_length(probe->answer);
	const char *text = length ? (const char *)evbuffer_pullup(probe->answer, -1) : "";
	bool is_changed;

	probe->is_again = false;
	if (asked == QUESTION_VERSION) {
		take_version(probe, text, length);
		is_changed = set_state(probe, PROBE_UP);
		stop_asking(probe);
		plan(probe, QUESTION_PS, 0);
	} else {
		is_changed = take_ps(probe, text, length);
		stop_asking(probe);
		if (probe->is_soon)
			plan(probe, QUESTION_PS, PROBE_SETTLE_US);
		else
			plan(probe, QUESTION_VERSION, pause_us(probe));
		probe->is_soon = false;
	}
	if (is_changed)
		notify(probe);
}

static void on_head(void *arg, const struct exchange_head *head)
{
	struct probe *probe = arg;

	probe->status = head->status;
}

static void on_data(void *arg, struct evbuffer *data)
{
	struct probe *probe = arg;

	if (evbuffer_get_length(probe->answer) + evbuffer_get_length(data) > PS_BYTES_MOST) {
		LOG(WARN, "upstream answers a probe with too many bytes",
			LOG_TEXT("upstream", pool_host(probe->pool)));
		fail(probe, PROBE_SUSPECT);
		return;
	}
	if (evbuffer_add_buffer(probe->answer, data) != 0)
		mem_out(evbuffer_get_length(data));
}

static bool is_from_a_gateway(int status)
{
	return status == STATUS_BAD_GATEWAY || status == STATUS_UNAVAILABLE ||
	       status == STATUS_GATEWAY_TIMEOUT;
}

static void on_end(void *arg, enum exchange_end how)
{
	struct probe *probe = arg;
	bool is_stale = how == EXCHANGE_RESET && exchange_is_reused(probe->exchange);

	probe->exchange = NULL;
	switch (how) {
	case EXCHANGE_COMPLETE:
		if (is_from_a_gateway(probe->status))
			fail(probe, PROBE_DOWN);
		else
			take_answer(probe);
		break;
	case EXCHANGE_REFUSED:
		could_not_ask(probe);
		break;
	case EXCHANGE_RESET:
		/* An idle connection may be closed at any time: that says nothing yet. But Ollama
		 * itself closes none, so it may be another one by now. */
		if (is_stale && !probe->is_again) {
			enum question asked = probe->asking;

			stop_asking(probe);
			probe->is_again = true;
			residency_doubt(probe->residency);
			plan(probe, asked, 0);
			break;
		}
		fail(probe, PROBE_SUSPECT);
		break;
	case EXCHANGE_MALFORMED:
	case EXCHANGE_TRUNCATED:
		fail(probe, PROBE_SUSPECT);
		break;
	}
}

static const struct exchange_events exchange_events = {
	.on_head = on_head,
	.on_data = on_data,
	.on_end = on_end,
};

static void ask(struct probe *probe)
{
	struct field items[] = {
		{"Accept", "application/json", strlen("Accept"), strlen("application/json")}};
	const struct fields fields = {items, ARRAY_LENGTH(items), ARRAY_LENGTH(items)};
	const struct exchange_request request = {
		.method = "GET",
		.target = probe->next == QUESTION_PS ? "/api/ps" : "/api/version",
		.fields = &fields,
		/* One that dies may still answer on an old connection. */
		.wants_fresh = is_in_trouble(probe),
	};

	/* It may be another Ollama by now. */
	if (pool_lost_connections(probe->pool) != probe->lost)
		residency_doubt(probe->residency);
	probe->lost = pool_lost_connections(probe->pool);
	probe->status = 0;
	probe->asked_us = ticker_now_us();
	probe->asking = probe->next;
	probe->exchange = exchange_start(probe->pool, &request, &exchange_events, probe);
	if (probe->exchange)
		arm(probe, PROBE_ANSWER_US);
	else
		could_not_ask(probe);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct probe *probe = arg;

	if (probe->asking == QUESTION_NONE) {
		ask(probe);
		return;
	}
	LOG(WARN, "upstream does not answer a probe", LOG_TEXT("upstream", pool_host(probe->pool)));
	fail(probe, PROBE_SUSPECT);
}

struct probe *probe_create(struct event_base *base, struct pool *pool, struct residency *residency,
	const struct probe_events *events)
{
	struct probe *probe = mem_zalloc(sizeof(*probe));

	probe->pool = pool;
	probe->residency = residency;
	probe->events = *events;
	probe->timer = evtimer_new(base, on_timer, probe);
	probe->answer = evbuffer_new();
	if (!probe->timer || !probe->answer)
		mem_out(sizeof(*probe));
	plan(probe, QUESTION_VERSION, 0);
	return probe;
}

void probe_destroy(struct probe *probe)
{
	if (!probe)
		return;
	stop_asking(probe);
	event_free(probe->timer);
	evbuffer_free(probe->answer);
	free(probe->version);
	free(probe);
}

enum probe_state probe_state(const struct probe *probe)
{
	return probe->state;
}

bool probe_is_usable(const struct probe *probe)
{
	return probe->state == PROBE_UP || probe->state == PROBE_UNKNOWN;
}

const char *probe_version(const struct probe *probe)
{
	return probe->version;
}

void probe_note_refused(struct probe *probe)
{
	if (probe->state == PROBE_DOWN)
		return;
	stop_asking(probe);
	set_state(probe, PROBE_DOWN);
	plan(probe, QUESTION_VERSION, 0);
	notify(probe);
}

void probe_note_broken(struct probe *probe)
{
	bool is_changed;

	/* Whatever is answered to a question of before may come from the one that dies. */
	if (probe->asking == QUESTION_NONE && is_in_trouble(probe))
		return;
	stop_asking(probe);
	is_changed = !is_in_trouble(probe) && set_state(probe, PROBE_SUSPECT);
	plan(probe, QUESTION_VERSION, 0);
	if (is_changed)
		notify(probe);
}

void probe_note_answered(struct probe *probe)
{
	if (probe->state == PROBE_UP)
		return;
	if (probe->asking == QUESTION_NONE)
		plan(probe, QUESTION_VERSION, 0);
	if (probe->state == PROBE_UNKNOWN && set_state(probe, PROBE_UP))
		notify(probe);
}

void probe_set_busy(struct probe *probe, bool is_busy)
{
	bool is_sooner = is_busy && !probe->is_busy;

	probe->is_busy = is_busy;
	if (is_sooner && probe->asking == QUESTION_NONE && probe->state == PROBE_UP &&
		probe->next == QUESTION_VERSION)
		plan(probe, QUESTION_VERSION, PROBE_BUSY_US);
}

void probe_refresh(struct probe *probe)
{
	if (probe->asking == QUESTION_NONE && probe->state == PROBE_UP)
		plan(probe, QUESTION_PS, 0);
}

void probe_refresh_soon(struct probe *probe)
{
	if (probe->state != PROBE_UP)
		return;
	if (probe->asking == QUESTION_NONE)
		plan(probe, QUESTION_PS, PROBE_SETTLE_US);
	else
		probe->is_soon = true;
}
