/*
 * How many runners fit together is learned (PRODUCT 3.3): a set of runner keys fits if it was seen
 * resident together, a set does not if a load into it evicted one of it. What is not known is to be
 * tried once, and what did not fit again after a while: others may have used the memory. Used by
 * core/turns. Times are microseconds.
 */
#ifndef SO_CORE_FITS_H
#define SO_CORE_FITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FITS_RUNNERS_MOST = 8, /* larger sets do not fit: no box was seen to hold more */
	FITS_SETS_MOST = 64,   /* the oldest knowledge makes room */
	/* What did not fit is tried again after so long, then twice, four and eight times as long:
	   a trial costs little more than the swap that it replaces. */
	FITS_AGAIN_US = 30 * 60 * 1000 * 1000,
	FITS_AGAIN_DOUBLINGS = 3,
};

enum fits_answer { FITS_UNTRIED, FITS_YES, FITS_NO };

struct fits_set {
	uint32_t ids[FITS_RUNNERS_MOST];
	size_t count;
};

struct fits_lesson {
	struct fits_set set;
	bool is_good;
	/* else */
	int64_t again_us; /* it may be tried again then */
	int disproved;	  /* so often */
};

struct fits {
	struct fits_lesson lessons[FITS_SETS_MOST];
	size_t count;
	size_t next; /* the place that is used next when all are taken */
};

/* false: the set is full. */
bool fits_set_add(struct fits_set *set, uint32_t id);
bool fits_set_has(const struct fits_set *set, uint32_t id);

/* A zeroed struct knows nothing. */
enum fits_answer fits_ask(const struct fits *fits, const struct fits_set *set, int64_t now_us);
void fits_saw(struct fits *fits, const struct fits_set *set);
/* A load into it evicted one: what was seen of it and of larger sets is forgotten. */
void fits_disprove(struct fits *fits, const struct fits_set *set, int64_t now_us);

#endif
