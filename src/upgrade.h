/*
 * SIGUSR2: the program that stands now where this process was started from takes its place, without
 * a refused connection and without a cut stream (docs/decisions/0003). It is started, gets the
 * listening sockets and says when it is ready; then this process accepts no more, serves what it
 * has and ends. One that does not become ready leaves this one serving. Made by proxy.c; the new
 * one's side is takeover.c.
 */
#ifndef SO_UPGRADE_H
#define SO_UPGRADE_H

struct agent_check;
struct conductor;
struct event_base;
struct lifecycle;
struct listeners;
struct request_log;
struct tally;
struct upgrade;

/* proxy.c owns it all, it outlives the upgrade. */
struct upgrade_parts {
	struct event_base *base;
	struct agent_check *agent;
	struct conductor *conductor;
	struct lifecycle *lifecycle;
	struct listeners *listeners;
	struct request_log *log;
	const struct tally *tally;
	const char *program; /* "": it is not known */
	char **argv;
};

struct upgrade *upgrade_create(const struct upgrade_parts *parts);
/* A new process that is not ready yet ends by itself. NULL is fine. */
void upgrade_destroy(struct upgrade *upgrade);
void upgrade_begin(struct upgrade *upgrade);
/* In the turn's tail, after the conductor: tells the new process how many jobs still run here. */
void upgrade_turn(struct upgrade *upgrade);

#endif
