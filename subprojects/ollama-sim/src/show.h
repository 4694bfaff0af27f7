/* POST /api/show, and the words about a model that /api/tags and /api/ps share with it. */
#ifndef SIM_SHOW_H
#define SIM_SHOW_H

struct bytes;
struct conn;
struct model;

void show_model(struct conn *conn);

/* "parent_model":… to "quantization_level":…, without braces. */
void show_add_details(struct bytes *json, const struct model *model);
/* ["completion",…] */
void show_add_capabilities(struct bytes *json, const struct model *model);

#endif
