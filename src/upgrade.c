#include "upgrade.h"

#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "agent_check.h"
#include "base/delay.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/ticker.h"
#include "conductor.h"
#include "core/tally.h"
#include "io/handover.h"
#include "io/systemd.h"
#include "lifecycle.h"
#include "listeners.h"
#include "observe/request_log.h"
#include "takeover.h"

enum {
	/* Reading a configuration and certificates takes less, also on a busy machine. */
	READY_US = 30 * 1000 * 1000,
	/* From the end of its channel to that of the process. */
	EXIT_US = 1000 * 1000,
	/* While the last requests come in: whether they have is looked at so often. */
	LOOK_US = 100 * 1000,
	/* An upload that takes longer does not hold up the new process's jobs; it is served all
	   the same if its model stays loaded. */
	READING_US = 10 * 1000 * 1000,
};

struct upgrade {
	struct upgrade_parts parts;
	pid_t pid;   /* of the new process; 0: none */
	int channel; /* -1: none */
	struct event *heard;
	struct event *child;
	struct event *timer; /* until it must be ready, then between two looks */
	bool is_ready;
	bool is_settled; /* what is left here only runs */
	int64_t left_us; /* when the new one took over */
	uint64_t told;	 /* the last "running" */
};

static void close_channel(struct upgrade *upgrade)
{
	if (upgrade->heard)
		event_free(upgrade->heard);
	upgrade->heard = NULL;
	if (upgrade->channel >= 0)
		close(upgrade->channel);
	upgrade->channel = -1;
}

static void say(struct upgrade *upgrade, const char *word)
{
	if (upgrade->channel >= 0 && !handover_say(upgrade->channel, word))
		close_channel(upgrade);
}

static void hand_over(struct upgrade *upgrade)
{
	const struct upgrade_parts *parts = &upgrade->parts;

	upgrade->is_ready = true;
	upgrade->left_us = ticker_now_us();
	LOG(INFO, "the new process accepts; this one serves what it has and ends",
		LOG_NUMBER("pid", upgrade->pid), LOG_NUMBER("queued", parts->tally->queued),
		LOG_NUMBER("in_progress", parts->tally->in_progress));
	/* Only one of them may move the file aside. */
	request_log_set_rotation(parts->log, 0, 0);
	listeners_leave(parts->listeners);
	agent_check_leave(parts->agent);
	conductor_set_company(parts->conductor, COMPANY_AFTER, 0);
	lifecycle_leave(parts->lifecycle);
	systemd_notify_successor(upgrade->pid);
	if (conductor_is_paused(parts->conductor))
		say(upgrade, takeover_pause_word(parts->conductor));
	say(upgrade, TAKEOVER_TOOK);
	delay_start(upgrade->timer, LOOK_US);
}

/* Its end is told by on_child. */
static void on_heard(evutil_socket_t fd, short what, void *arg)
{
	struct upgrade *upgrade = arg;
	char word[HANDOVER_WORD_BYTES];

	if (!handover_hear(upgrade->channel, word)) {
		close_channel(upgrade);
		if (!upgrade->is_ready)
			delay_start(upgrade->timer, EXIT_US);
	} else if (strcmp(word, TAKEOVER_READY) == 0 && !upgrade->is_ready) {
		hand_over(upgrade);
	} else {
		takeover_obey(upgrade->parts.conductor, word);
	}
}

static void on_child(evutil_socket_t number, short what, void *arg)
{
	struct upgrade *upgrade = arg;
	int status;

	if (upgrade->pid == 0 || waitpid(upgrade->pid, &status, WNOHANG) != upgrade->pid)
		return;
	LOG(ERROR,
		upgrade->is_ready ? "the new process is gone already; nobody accepts any more"
				  : "the new process ended before it was ready: this one goes on",
		LOG_NUMBER("pid", upgrade->pid),
		LOG_NUMBER("status", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
		LOG_NUMBER("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
	upgrade->pid = 0;
	close_channel(upgrade);
	if (!upgrade->is_ready)
		event_del(upgrade->timer);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct upgrade *upgrade = arg;

	/* The turn's tail looks. */
	if (upgrade->is_ready && !upgrade->is_settled) {
		delay_start(upgrade->timer, LOOK_US);
	} else if (!upgrade->is_ready && upgrade->pid != 0) {
		LOG(ERROR, "the new process is not ready in time and is killed",
			LOG_NUMBER("pid", upgrade->pid));
		kill(upgrade->pid, SIGKILL);
	}
}

/* What holds an upgrade back; NULL: nothing. */
static const char *obstacle(const struct upgrade *upgrade)
{
	if (upgrade->pid != 0)
		return "another one is under way";
	if (conductor_has_company(upgrade->parts.conductor))
		return "the process before this one still serves its jobs";
	return *upgrade->parts.program ? NULL : "where the program stands is not known";
}

void upgrade_begin(struct upgrade *upgrade)
{
	const struct upgrade_parts *parts = &upgrade->parts;
	struct handover_socket sockets[HANDOVER_SOCKETS_MOST];
	const char *why = obstacle(upgrade);
	char *error = NULL;

	if (why) {
		LOG(WARN, "no upgrade now", LOG_TEXT("reason", why));
		return;
	}
	upgrade->channel = handover_start(parts->program, parts->argv, sockets,
		listeners_offer(parts->listeners, sockets), &upgrade->pid, &error);
	if (upgrade->channel < 0) {
		LOG(ERROR, "no upgrade: this process goes on", LOG_TEXT("reason", error));
		free(error);
		upgrade->pid = 0;
		return;
	}
	LOG(INFO, "an upgrade: the new process is started", LOG_TEXT("program", parts->program),
		LOG_NUMBER("pid", upgrade->pid));
	upgrade->heard =
		event_new(parts->base, upgrade->channel, EV_READ | EV_PERSIST, on_heard, upgrade);
	if (!upgrade->heard || event_add(upgrade->heard, NULL) != 0)
		mem_out(sizeof(*upgrade));
	delay_start(upgrade->timer, READY_US);
}

/* No request can come any more, none waits and no model is moved: what is left only runs. */
static bool has_settled(const struct upgrade *upgrade)
{
	const struct tally *tally = upgrade->parts.tally;

	if (!lifecycle_is_closed(upgrade->parts.lifecycle) || tally->queued > 0 ||
		conductor_is_moving(upgrade->parts.conductor))
		return false;
	return tally->reading == 0 || ticker_now_us() - upgrade->left_us >= READING_US;
}

void upgrade_turn(struct upgrade *upgrade)
{
	const struct upgrade_parts *parts = &upgrade->parts;
	char word[HANDOVER_WORD_BYTES];

	if (!upgrade->is_ready || upgrade->channel < 0)
		return;
	if (!upgrade->is_settled) {
		if (!has_settled(upgrade))
			return;
		upgrade->is_settled = true;
		conductor_set_company(parts->conductor, COMPANY_BESIDE, 0);
	} else if (upgrade->told == parts->tally->in_progress) {
		return;
	}
	upgrade->told = parts->tally->in_progress;
	snprintf(word, sizeof(word), TAKEOVER_RUNNING "%" PRIu64, upgrade->told);
	say(upgrade, word);
}

struct upgrade *upgrade_create(const struct upgrade_parts *parts)
{
	struct upgrade *upgrade = mem_zalloc(sizeof(*upgrade));

	upgrade->parts = *parts;
	upgrade->channel = -1;
	upgrade->child = evsignal_new(parts->base, SIGCHLD, on_child, upgrade);
	upgrade->timer = evtimer_new(parts->base, on_timer, upgrade);
	if (!upgrade->child || !upgrade->timer || evsignal_add(upgrade->child, NULL) != 0)
		mem_out(sizeof(*upgrade));
	return upgrade;
}

void upgrade_destroy(struct upgrade *upgrade)
{
	if (!upgrade)
		return;
	close_channel(upgrade);
	event_free(upgrade->child);
	event_free(upgrade->timer);
	free(upgrade);
}
