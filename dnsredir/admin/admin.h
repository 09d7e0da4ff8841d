/*
 * admin - a few pages by HTTP for operators and monitoring, on the control loop. It is no web
 * server: one request per connection, small requests, a handful of connections. Scripts of web
 * pages get nothing but /healthz and /readyz: requests with an Origin are refused, and so are those
 * whose Host may be a name of somebody else (base/local_host.h).
 */
#ifndef LARDER_DNSREDIR_ADMIN_ADMIN_H
#define LARDER_DNSREDIR_ADMIN_ADMIN_H

#include "base/buf.h"
#include "base/conf.h"

#include <uv.h>

struct admin;

/* Returned instead of a media type: 400, and `out` has JSON that says why. */
extern const char admin_refused[];

/* Who makes the pages. `render` and `change` write the page at `path` to `out`; `query` is what
 * follows the "?". They return its media type, admin_refused, or NULL: there is no such page. If
 * `change` sets *ticket, the answer is held back until admin_release() is called with that ticket
 * or a later one. */
struct admin_pages {
    const char *(*render)(void *arg, struct span path, struct span query,
                          struct buf *out); /* GET */
    const char *(*change)(void *arg, struct span path, struct span query, struct buf *out,
                          uint64_t *ticket); /* POST */
    /* Is it a name of this server, beside those of the machine? `host` may have capitals. */
    bool (*is_own_name)(void *arg, struct span host);
};

#define ADMIN_FIELD_MAX 1100 /* bytes */

/* Decodes the value of "NAME=" in a query, with its %XX, into `out`. Returns false if it is not
 * there, too long, or cannot be read. Pure. */
bool admin_field(struct span query, struct span name, char out[ADMIN_FIELD_MAX], size_t *len);

/* Listens on `endpoint`; `pages` must outlive it. Returns 0 or a negative errno. */
int admin_open(uv_loop_t *loop, const struct endpoint *endpoint, const struct admin_pages *pages,
               void *arg, struct admin **out);
/* Sends the answers that wait for tickets up to this one; unless `good`, status 500 instead.
 * Accepts NULL. */
void admin_release(struct admin *admin, uint64_t ticket, bool good);
/* Closes listener and connections; their memory is freed by the next turns of the loop. Accepts
 * NULL; sets *admin to NULL. */
void admin_close(struct admin **admin);

#endif
