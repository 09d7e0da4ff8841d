/*
 * notify - tells the service manager our state (sd_notify(3)), without its library. Thread-safe.
 */
#ifndef LARDER_BASE_NOTIFY_H
#define LARDER_BASE_NOTIFY_H

#include <stdint.h>

/* Sends a message, such as "READY=1", to the socket in NOTIFY_SOCKET. Does nothing without one, or
 * if nobody listens there. Waits at most a second while earlier messages are unread; then the
 * message is lost. */
void notify(const char *message);
/* Sends "WATCHDOG=1" without waiting, as the next one comes soon. */
void notify_alive(void);

/* Sends "RELOADING=1" with the time that Type=notify-reload needs. */
void notify_reloading(void);

/* How often the service manager expects "WATCHDOG=1", in ms; 0: never. The first process of a
 * service reads it from WATCHDOG_USEC (WATCHDOG_PID), and tells the process that takes over from
 * it. */
uint64_t notify_watchdog_ms(void);
/* Sets the value that a process before us has told; 0: none. Before there are threads. */
void notify_adopt_watchdog(uint64_t ms);

#endif
