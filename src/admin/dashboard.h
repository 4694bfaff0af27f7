/*
 * GET /dashboard (PRODUCT 6.4): the live page, served from memory. It holds no figures and no
 * secrets: those it reads from GET /api/v1/events, under the rules that hold there. Called by
 * admin.c.
 */
#ifndef SO_ADMIN_DASHBOARD_H
#define SO_ADMIN_DASHBOARD_H

struct client;

/* Takes the request and answers it, GET or HEAD. */
void dashboard_answer(struct client *client);

#endif
