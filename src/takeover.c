#include "takeover.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/memory.h"
#include "conductor.h"
#include "io/handover.h"
#include "io/systemd.h"

enum { DECIMAL = 10 };

struct takeover {
	struct takeover_events events;
	struct conductor *conductor;
	struct event *heard;
	int channel;
	bool has_taken;
};

void takeover_tell_pause(struct takeover *takeover)
{
	/* Before that the old one decides. If it is gone, its end is heard next. */
	if (takeover && takeover->has_taken)
		(void)handover_say(takeover->channel, takeover_pause_word(takeover->conductor));
}

const char *takeover_pause_word(const struct conductor *conductor)
{
	if (!conductor_is_paused(conductor))
		return TAKEOVER_RESUMED;
	return conductor_is_unloading(conductor) ? TAKEOVER_UNLOAD : TAKEOVER_PAUSED;
}

void takeover_obey(struct conductor *conductor, const char *word)
{
	if (strcmp(word, TAKEOVER_PAUSED) == 0 || strcmp(word, TAKEOVER_UNLOAD) == 0)
		conductor_pause(conductor, strcmp(word, TAKEOVER_UNLOAD) == 0);
	else if (strcmp(word, TAKEOVER_RESUMED) == 0)
		conductor_resume(conductor);
}

static void take(struct takeover *takeover)
{
	if (takeover->has_taken)
		return;
	takeover->has_taken = true;
	takeover_tell_pause(takeover);
	/* systemd listens to this process from now on */
	systemd_notify(SYSTEMD_READY);
	takeover->events.on_took(takeover->events.arg);
}

static void end(struct takeover *takeover)
{
	take(takeover);
	event_del(takeover->heard);
	conductor_set_company(takeover->conductor, COMPANY_NONE, 0);
	LOG(INFO, "the process before this one has ended");
}

static void on_heard(evutil_socket_t fd, short what, void *arg)
{
	struct takeover *takeover = arg;
	char word[HANDOVER_WORD_BYTES];

	if (!handover_hear(takeover->channel, word))
		end(takeover);
	else if (strcmp(word, TAKEOVER_TOOK) == 0)
		take(takeover);
	else if (strncmp(word, TAKEOVER_RUNNING, strlen(TAKEOVER_RUNNING)) == 0)
		conductor_set_company(takeover->conductor, COMPANY_BESIDE,
			strtoull(word + strlen(TAKEOVER_RUNNING), NULL, DECIMAL));
	else
		takeover_obey(takeover->conductor, word);
}

struct takeover *takeover_create(struct event_base *base, struct handover *handover,
	struct conductor *conductor, const struct takeover_events *events)
{
	struct takeover *takeover = mem_zalloc(sizeof(*takeover));

	takeover->events = *events;
	takeover->conductor = conductor;
	takeover->channel = handover->channel;
	handover->channel = -1;
	handover_destroy(handover);
	conductor_set_company(conductor, COMPANY_BEFORE, 0);
	takeover->heard =
		event_new(base, takeover->channel, EV_READ | EV_PERSIST, on_heard, takeover);
	if (!takeover->heard || event_add(takeover->heard, NULL) != 0)
		mem_out(sizeof(*takeover));
	/* If it is gone, its end is heard next. */
	(void)handover_say(takeover->channel, TAKEOVER_READY);
	return takeover;
}

void takeover_destroy(struct takeover *takeover)
{
	if (!takeover)
		return;
	event_free(takeover->heard);
	close(takeover->channel);
	free(takeover);
}
