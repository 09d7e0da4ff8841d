/*
 * admin_request - one request to the admin listener: which page is asked for, whether it may be
 * had, and the answer. Of the main thread's loop.
 */
#ifndef LARDER_PROXY_ADMIN_ADMIN_REQUEST_H
#define LARDER_PROXY_ADMIN_ADMIN_REQUEST_H

struct admin_request;
struct server;
struct stream;

/* Binds `stream` and answers the request that comes on it. *slot is the request until its stream
 * has closed, then NULL; it must live as long. */
void admin_request_begin(struct server *server, struct stream *stream, struct admin_request **slot);
/* Frees a request whose connection was closed by h1_close(), which tells its streams nothing.
 * Accepts a slot of NULL; sets it to NULL. */
void admin_request_drop(struct admin_request **slot);

#endif
