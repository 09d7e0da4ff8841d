/*
 * admin - the administrative listener: /metrics, /healthz, /readyz, /status, /rtt, /proxy.pac and
 * more. Lives on the main thread's loop; never on the proxy's ports.
 */
#ifndef LARDER_PROXY_ADMIN_ADMIN_H
#define LARDER_PROXY_ADMIN_ADMIN_H

struct admin;
struct server;

/* 0 (also when no admin address is configured), or a negative errno. */
int admin_open(struct server *server, struct admin **out);
/* Its socket; -1 of NULL. */
int admin_socket(const struct admin *admin);
/* Closes the listener and its connections. Accepts NULL; sets it to NULL. */
void admin_close(struct admin **admin);

#endif
