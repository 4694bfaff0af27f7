#include "core/share.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Projects without jobs are forgotten beyond this: their counters would be lifted anyway. */
enum { SHARES_MOST = 256 };

void shares_init(struct shares *shares)
{
	list_init(&shares->all);
	shares->count = 0;
}

static void remove_share(struct shares *shares, struct share *share)
{
	list_remove(&share->link);
	shares->count--;
	free(share->project);
	free(share);
}

void shares_finish(struct shares *shares)
{
	struct list *node;
	struct list *following;

	LIST_EACH_SAFE(&shares->all, node, following)
	remove_share(shares, CONTAINER_OF(node, struct share, link));
}

static bool is_idle(const struct share *share)
{
	return share->jobs.waiting + share->jobs.running == 0;
}

static void forget_idle(struct shares *shares)
{
	struct list *node;
	struct list *following;

	LIST_EACH_SAFE(&shares->all, node, following)
	{
		struct share *share = CONTAINER_OF(node, struct share, link);

		if (is_idle(share))
			remove_share(shares, share);
	}
}

double shares_least_us(const struct shares *shares)
{
	const struct list *node;
	double least_us = -1;

	LIST_EACH(&shares->all, node)
	{
		const struct share *share = CONTAINER_OF(node, struct share, link);

		if (share->jobs.waiting > 0 && (least_us < 0 || share->served_us < least_us))
			least_us = share->served_us;
	}
	return least_us > 0 ? least_us : 0;
}

static struct share *find(const struct shares *shares, const char *project)
{
	const struct list *node;

	LIST_EACH(&shares->all, node)
	{
		struct share *share = CONTAINER_OF(node, struct share, link);

		if (strcmp(share->project, project) == 0)
			return share;
	}
	return NULL;
}

struct share *shares_enter(struct shares *shares, const char *project)
{
	struct share *share = find(shares, project);
	double least_us = shares_least_us(shares);

	if (!share) {
		if (shares->count >= SHARES_MOST)
			forget_idle(shares);
		share = mem_zalloc(sizeof(*share));
		share->project = mem_strdup(project);
		list_append(&shares->all, &share->link);
		shares->count++;
	}
	if (is_idle(share) && share->served_us < least_us)
		share->served_us = least_us;
	return share;
}
