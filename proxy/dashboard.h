/*
 * dashboard - the files of the page for people, on the administrative listener. They are in
 * proxy/dashboard/ and become part of the program when it is built (embed.py there), with the
 * library that draws the charts: the page asks nobody else for anything.
 */
#ifndef LARDER_PROXY_DASHBOARD_H
#define LARDER_PROXY_DASHBOARD_H

#include "http/message.h"

struct dashboard_asset {
    struct span path, type, etag;
    struct span plain, gzip; /* its bytes, and the same with Content-Encoding: gzip */
};

/* Ended by one without a path. */
extern const struct dashboard_asset dashboard_assets[];

/* NULL: there is none at this path. */
const struct dashboard_asset *dashboard_find(struct span path);
/* The page itself, for who prefers HTML to text; NULL: text. */
const struct dashboard_asset *dashboard_page(const struct http_fields *request);

/* Fills in the answer to a request for it, but for its date; returns its body. */
struct span dashboard_answer(const struct dashboard_asset *asset, const struct http_fields *request,
                             struct http_head *head);

#endif
