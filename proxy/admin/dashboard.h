/*
 * dashboard - the files of the dashboard, served by the admin listener. They are in
 * proxy/admin/dashboard/ and are compiled into the program (embed.py there), with the library that
 * draws the charts, so that the page loads nothing from elsewhere.
 */
#ifndef LARDER_PROXY_ADMIN_DASHBOARD_H
#define LARDER_PROXY_ADMIN_DASHBOARD_H

#include "http/message.h"

struct dashboard_asset {
    struct span path, type, etag;
    struct span plain, gzip; /* the content, and the same for Content-Encoding: gzip */
};

/* A row without a path ends the list. */
extern const struct dashboard_asset dashboard_assets[];

/* The file at this path, or NULL. */
const struct dashboard_asset *dashboard_find(struct span path);
/* The page itself, for clients that prefer HTML to text; else NULL. */
const struct dashboard_asset *dashboard_page(const struct http_fields *request);

/* Fills in the response head for a file, all but Date, and returns the body. */
struct span dashboard_answer(const struct dashboard_asset *asset, const struct http_fields *request,
                             struct http_head *head);

#endif
