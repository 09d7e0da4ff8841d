/*
 * admin - a few read-only pages by HTTP for operators and monitoring, on the control loop. Not a
 * web server: one GET per connection, small requests, a handful of connections.
 */
#ifndef LARDER_DNSREDIR_ADMIN_H
#define LARDER_DNSREDIR_ADMIN_H

#include "base/buf.h"
#include "base/conf.h"

#include <uv.h>

struct admin;

/* Writes the page at `path` to `out`; its media type, or NULL: there is none. */
typedef const char *admin_render(void *arg, struct span path, struct buf *out);

/* 0 or a negative errno. */
int admin_open(uv_loop_t *loop, const struct endpoint *endpoint, admin_render *render, void *arg,
               struct admin **out);
/* The memory goes with the loop's next turns. Accepts NULL; sets *admin to NULL. */
void admin_close(struct admin **admin);

#endif
