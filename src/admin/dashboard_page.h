/*
 * The live page as bytes, and the Content-Security-Policy that names the hashes of its own style
 * and script: made at build time by make_page.py from dashboard.html, .css and .js. Used by
 * dashboard.c alone.
 */
#ifndef SO_ADMIN_DASHBOARD_PAGE_H
#define SO_ADMIN_DASHBOARD_PAGE_H

#include <stddef.h>

extern const unsigned char dashboard_page[];
extern const size_t dashboard_page_bytes;
extern const char dashboard_policy[];

#endif
