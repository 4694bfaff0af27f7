/*
 * The inside of relay, seen only by its files: relay.c (client's side: READING to QUEUED),
 * upstream.c (Ollama's side: CONNECTING to STREAMING), beats.c (what is said meanwhile) and
 * ending.c (every way to DONE).
 */
#ifndef SO_RELAY_RELAY_PARTS_H
#define SO_RELAY_RELAY_PARTS_H

#include "base/hash64.h"
#include "core/admission.h"
#include "core/beat.h"
#include "core/job.h"
#include "core/places.h"
#include "core/route.h"
#include "relay/relay.h"
#include "json/peek.h"
#include "json/tap.h"

struct event;
struct edit;
struct exchange;
struct multipart;
struct peek;
struct spool;

struct relay {
	struct relay_parts parts;
	struct settings *settings;
	struct list jobs;	     /* struct job.link */
	struct liveness_memory life; /* when models last answered */
	uint64_t bodies_bytes;
	bool draining;
	struct places places; /* of clients that were told to come back */
	bool has_patient;     /* perhaps: a job of a client that announced a time limit is here */
	bool is_patience_due; /* what may make somebody late happened since it was tested */
	int64_t patience_rests_until_us; /* the last test was dear */
	struct event *patience_wake;	 /* then; NULL: none was yet */
	int64_t told_us; /* when starts were last forecast for who is to come back */
};

/* A job with everything that hangs on it. */
struct relay_job {
	struct job job;
	struct relay *relay;
	struct settings *settings;	      /* those that it came under */
	const struct api_key *key;	      /* of these settings; NULL: none was shown */
	const struct listener_rule *listener; /* of these settings; NULL: none */
	struct route route;
	struct client *client; /* NULL: the link is cut */

	struct spool *spool;	/* the body; NULL after the response head */
	uint64_t spooled_bytes; /* counted in relay->bodies_bytes */
	bool has_body;
	struct hash64 body_hash; /* of the body as it comes; while READING, as the next four */
	struct peek *peek;
	struct multipart *multipart; /* of a form, instead of peek */
	struct edit *edit;	     /* NULL: nothing is ever edited */
	struct peek_result seen;     /* of the complete body, then of the edited one; its model is
					valid while READING */
	const char *alias_of; /* the model that the name in the body stands for; NULL: itself */
	int64_t context_at_dispatch; /* of the loaded runner; -1: unknown, here and below */
	int64_t context_at_end;	     /* when Ollama's last byte came */
	int64_t context_asked_us;    /* when /api/ps was asked for that */
	struct exchange *exchange;
	enum known listed;   /* was the model loaded at dispatch? */
	bool runs_elsewhere; /* Ollama has no such model of its own; asked at dispatch, while the
				runner lives */
	int status;	     /* of Ollama's answer; 0: none yet */
	int retry_after;     /* seconds; 0: what the queue says */
	struct tap *tap;
	enum tap_format format;
	bool upstream_paused;

	enum beat beat;
	int64_t beat_due_us; /* the next heartbeat; 0: none */
	struct event *timer;
	int64_t timer_due_us; /* 0: not pending */
	int64_t state_since_us;
	int64_t resumed_us; /* reading from Ollama went on after a pause */
};

static inline struct relay_job *relay_job_of(struct job *job)
{
	return CONTAINER_OF(job, struct relay_job, job);
}

/* relay.c */
void relay_set_state(struct relay_job *carried, enum job_state state);
/* Sets the job's one timer to the nearest limit of its state (I4). */
void relay_arm(struct relay_job *carried);
struct admission relay_admission(const struct relay *relay, const struct settings *settings);

/* upstream.c */
/* The job's limit in its state is reached. */
void relay_upstream_timeout(struct relay_job *carried);
void relay_client_has_room(struct relay_job *carried);
/* STREAMING: when Ollama has been silent for too long while we listen; 0: never. */
int64_t relay_idle_limit(const struct relay_job *carried);

/* in_time.c */
/* It enters the queue, at the place that was kept for it if there is one. */
void relay_begin_patience(struct relay_job *carried);
/* QUEUED, and its client's time is over. The job must not be used afterwards. */
void relay_out_of_time(struct relay_job *carried);

/* silence.c */
/* Its model answered it just now. */
void relay_note_life(struct relay_job *carried);
/* AWAITING or STREAMING, and nothing came for the time allowed: ends the job with what that means.
 */
void relay_end_silent(struct relay_job *carried);

/* beats.c */
/* The body is complete; `has_json`: it could be read. */
void relay_begin_beats(struct relay_job *carried, bool has_json);
/* The timer fired: a heartbeat, if one is due. */
void relay_beat(struct relay_job *carried);
/* REPLY_COMMITTED, and Ollama's head came: only its body follows, or an error is held back, or what
 * does not fit ends the job: it must not be used afterwards but to look at its state. */
void relay_join_answer(struct relay_job *carried);
/* Ollama's answer is an error that the committed status cannot tell: it is not passed on. */
bool relay_answered_error(const struct relay_job *carried);
/* It is whole: ends the job, the client is told in the stream's form. */
void relay_tell_error(struct relay_job *carried);
/* The last words of a committed reply of which no byte is Ollama's. */
void relay_cut_committed(struct relay_job *carried, const char *text);

/* ending.c */
/*
 * The one bad ending (STYLE B5.4): cancels the exchange, answers the client if that is still
 * possible, frees place and slot, tells the observers. `text` NULL: the outcome's own. The job must
 * not be used afterwards.
 */
void relay_fail(struct relay_job *carried, enum outcome outcome, const char *text);
/* The same with the status of an error of Ollama's own, for a job that was not answered yet. */
void relay_fail_status(
	struct relay_job *carried, enum outcome outcome, int status, const char *text);
/* The good ending: the client has the whole answer. */
void relay_complete(struct relay_job *carried);
/* Lets go of the kept body: after the response head it is not needed again. */
void relay_forget_body(struct relay_job *carried);
/* For the graveyard. */
void relay_destroy_carried(void *object);

#endif
