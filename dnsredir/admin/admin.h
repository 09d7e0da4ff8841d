/*
 * admin - a few pages by HTTP for operators and monitoring, on the control loop. Not a web server:
 * one request per connection, small requests, a handful of connections. Web pages get nothing:
 * neither who says an Origin, nor who asks by a name that may be a stranger's (base/local_host.h),
 * but for /healthz and /readyz.
 */
#ifndef LARDER_DNSREDIR_ADMIN_ADMIN_H
#define LARDER_DNSREDIR_ADMIN_ADMIN_H

#include "base/buf.h"
#include "base/conf.h"

#include <uv.h>

struct admin;

/* Returned instead of a media type: 400, and `out` has JSON that says why. */
extern const char admin_refused[];

/* Each writes the page at `path` to `out`, `query` being what stands behind the "?"; its media
 * type, admin_refused, or NULL: there is none. With *ticket set, the answer is only sent when
 * admin_release() has come to it. */
struct admin_pages {
    const char *(*render)(void *arg, struct span path, struct span query,
                          struct buf *out); /* GET */
    const char *(*change)(void *arg, struct span path, struct span query, struct buf *out,
                          uint64_t *ticket); /* POST */
    /* A name of this server, beside those of the machine? In any case. */
    bool (*is_own_name)(void *arg, struct span host);
};

/* 0 or a negative errno. */
int admin_open(uv_loop_t *loop, const struct endpoint *endpoint, const struct admin_pages *pages,
               void *arg, struct admin **out);
/* Sends what waits for tickets up to this one; if not `good`, 500 in its place. Accepts NULL. */
void admin_release(struct admin *admin, uint64_t ticket, bool good);
/* The memory goes with the loop's next turns. Accepts NULL; sets *admin to NULL. */
void admin_close(struct admin **admin);

#endif
