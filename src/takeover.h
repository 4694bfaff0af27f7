/*
 * The new process's side of an upgrade (docs/decisions/0003): it tells the old one that it accepts,
 * and holds its jobs, whose deadlines run, until those of the old one have been sent; then it sends
 * to what is loaded, within the slots that are left; when the old one has ended it is alone. Made
 * by proxy.c; the old one's side is upgrade.c.
 */
#ifndef SO_TAKEOVER_H
#define SO_TAKEOVER_H

struct conductor;
struct event_base;
struct handover;
struct takeover;

/* What they say to each other. */
#define TAKEOVER_READY "ready"	    /* new to old: every address accepts */
#define TAKEOVER_TOOK "took"	    /* old to new: it accepts no more, the log is yours to move */
#define TAKEOVER_RUNNING "running " /* old to new, and a number: that many run, none waits */
/* Whether an operator holds the queue: the old one's before "took", the new one's from then on. */
#define TAKEOVER_PAUSED "paused"
#define TAKEOVER_UNLOAD "paused unload" /* and models are still to be unloaded */
#define TAKEOVER_RESUMED "resumed"

struct takeover_events {
	/* The request log may be moved aside from now on. */
	void (*on_took)(void *arg);
	void *arg;
};

/* Says that this process is ready. Takes over `handover`; what is left in it is closed. */
struct takeover *takeover_create(struct event_base *base, struct handover *handover,
	struct conductor *conductor, const struct takeover_events *events);
/* NULL is fine. */
void takeover_destroy(struct takeover *takeover);
/* An operator has paused or resumed: the old one's jobs wait or go on as well. NULL is fine. */
void takeover_tell_pause(struct takeover *takeover);
/* Of either side: the word for how it is now. */
const char *takeover_pause_word(const struct conductor *conductor);
/* Of either side: does what a word about the pause says; another word is nothing. */
void takeover_obey(struct conductor *conductor, const char *word);

#endif
