/* notify - one datagram to the service manager (sd_notify(3)): "READY=1", "STOPPING=1". Without
 * NOTIFY_SOCKET in the environment nothing happens. Any thread. */
#ifndef LARDER_PROXY_NOTIFY_H
#define LARDER_PROXY_NOTIFY_H

void notify(const char *state);

#endif
