/* Findings about images; their declaration is in findings.h. */
#include "report/findings.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	IMAGES_LEAST = 5, /* prompts with an image */
	/* Buckets are half a doubling of the pixels wide: two apart is twice as many. */
	TWICE_THE_PIXELS = 2,
};

/* Pixels a token beyond what the model cuts it from: the rest is thrown away (PRODUCT 6.5). */
static const double TOO_MANY = 1.25;
/* As many tokens though there are twice the pixels. */
static const double SATURATED = 1.05;
/* Images are most of a prompt, and reading prompts is a part of the service that shows. */
static const double MOST = 0.5;
static const double PROMPT_SHARE = 0.1;
/* What a smaller image is tried with: 0.7 of each edge is half the pixels. */
static const double TRY_EDGE = 0.7;

#define MS_PER_S 1e3

static void put_change(struct table *table, const char *project, double edge)
{
	if (strcasestr(project, "docling"))
		table_printf(table,
			"Docling's scale in ApiVlmOptions at %.2f of what it is now, or its "
			"max_size.",
			edge);
	else
		table_printf(table,
			"Images of %.2f of their edges from the client (a max_size, as Docling "
			"calls "
			"it); image_pixels_max for the project refuses larger ones.",
			edge);
}

/* Pixels a token, with all tokens of the prompts counted as the images': too few rather than too
 * many, so that nobody is blamed for long texts. */
static double pixels_a_token(const struct usage_images *images)
{
	return images->tokens > 0 ? images->pixels / images->tokens : NAN;
}

static bool add_too_large(struct table *table, const struct usage_images *images,
	const struct hint_vision *vision, const char *project, const char *model)
{
	double used = pow(vision->patch * vision->merge, 2);
	double ratio = pixels_a_token(images) / used;

	if (!(ratio > TOO_MANY))
		return false;
	findings_begin(table, "images_too_large", project, model);
	table_printf(table,
		"Images of %s have %.0f pixels for each token that %s makes of them (the largest "
		"%" PRIu64 "x%" PRIu64 "); it uses %.0f, the rest is scaled away.",
		project, pixels_a_token(images), model, images->widest, images->highest, used);
	put_change(table, project, sqrt(1 / ratio));
	table_printf(table,
		"The model sees the same; %.0f %% of the pixels need not be made, sent and scaled.",
		(1 - 1 / ratio) * 100);
	return true;
}

/* The first bucket beyond which twice the pixels bring no more tokens; -1: none. */
static int saturated_bucket(const struct usage_images *images)
{
	for (int i = 0; i + TWICE_THE_PIXELS < PIXEL_BUCKETS; i++) {
		double tokens;

		if (images->bucket_jobs[i] < IMAGES_LEAST)
			continue;
		tokens = (double)images->bucket_tokens[i] / images->bucket_jobs[i];
		for (int j = i + TWICE_THE_PIXELS; j < PIXEL_BUCKETS; j++) {
			if (images->bucket_jobs[j] >= IMAGES_LEAST &&
				(double)images->bucket_tokens[j] / images->bucket_jobs[j] <=
					SATURATED * tokens)
				return i;
		}
	}
	return -1;
}

static void add_saturated(struct table *table, const struct usage_images *images,
	const char *project, const char *model)
{
	int bucket = saturated_bucket(images);
	double pixels, widest;

	if (bucket < 0)
		return;
	pixels = exp2((bucket + 1) / 2.0);
	widest = (double)images->widest * (double)images->highest;
	findings_begin(table, "images_too_large", project, model);
	table_printf(table,
		"Images of %s of more than %.1f megapixels (the largest %" PRIu64 "x%" PRIu64
		") become no more tokens of %s than smaller ones: the rest is scaled away.",
		project, pixels / 1e6, images->widest, images->highest, model);
	put_change(table, project, fmin(sqrt(pixels / widest), 1));
	table_printf(table, "The model sees the same, and less has to be made, sent and scaled.");
}

static void add_dominating(struct table *table, const struct usage_images *images,
	const char *project, const char *model)
{
	double share = (images->tokens - images->text_tokens) / images->tokens;
	double timed = (double)images->timed;
	double prompt_s = images->timed_prompt_ms / timed / MS_PER_S;
	double saved_s = prompt_s * share * (1 - TRY_EDGE * TRY_EDGE);

	if (images->timed < IMAGES_LEAST || !(share > MOST) ||
		!(images->timed_prompt_ms > PROMPT_SHARE * images->timed_service_ms))
		return;
	findings_begin(table, "images_dominate", project, model);
	table_printf(table,
		"At least %.0f %% of the prompt tokens of %s for %s are images (%.0f a request); "
		"reading the prompt takes %.2f s of %.2f s.",
		share * 100, project, model, images->tokens / (double)images->jobs, prompt_s,
		images->timed_service_ms / timed / MS_PER_S);
	put_change(table, project, TRY_EDGE);
	table_printf(table,
		"Half the pixels are about half these tokens: some %.2f s less a request, if the "
		"model can still read them: try it on a few pages.",
		saved_s);
}

void findings_add_images(
	struct table *table, const struct analysis *analysis, const struct hints *hints)
{
	for (size_t i = 0; i < names_count(analysis->pairs); i++) {
		const struct usage *usage = names_at(analysis->pairs, i);
		const struct hint_vision *vision;
		const char *model;
		char *project;

		if (usage->images.jobs < IMAGES_LEAST)
			continue;
		analysis_pair_names(analysis, i, &project, &model);
		vision = hints_vision(hints, model);
		if (!vision)
			add_saturated(table, &usage->images, project, model);
		else if (!add_too_large(table, &usage->images, vision, project, model))
			add_dominating(table, &usage->images, project, model);
		if (!vision)
			add_dominating(table, &usage->images, project, model);
		free(project);
	}
}
