/*
 * notify - tells the service manager how we are (sd_notify(3)), without its library.
 */
#ifndef LARDER_DNSREDIR_NOTIFY_H
#define LARDER_DNSREDIR_NOTIFY_H

#include <stdint.h>

/* Sends one message, such as "READY=1", to the socket named by NOTIFY_SOCKET. Without one, or
 * when nobody listens there, nothing happens. */
void notify(const char *message);

/* "RELOADING=1" with the monotonic time that Type=notify-reload asks for. */
void notify_reloading(uint64_t monotonic_us);

#endif
