/*
 * notify - tells the service manager how we are (sd_notify(3)), without its library. Any thread.
 */
#ifndef LARDER_BASE_NOTIFY_H
#define LARDER_BASE_NOTIFY_H

#include <stdint.h>

/* Sends one message, such as "READY=1", to the socket named by NOTIFY_SOCKET. Without one, or
 * when nobody listens there, nothing happens. Who listens there and has not read the last ones is
 * waited for, a second at most; then the message is lost. */
void notify(const char *message);
/* "WATCHDOG=1", which waits for nobody: the next one comes soon. */
void notify_alive(void);

/* "RELOADING=1" with the time that Type=notify-reload asks for. */
void notify_reloading(void);

/* How often the service manager wants to hear "WATCHDOG=1" at the latest, ms; 0: it does not ask.
 * WATCHDOG_USEC says it to the first process of a service (WATCHDOG_PID), which tells the one that
 * takes its place. */
uint64_t notify_watchdog_ms(void);
/* So it was told; 0: nothing. Before there are threads. */
void notify_adopt_watchdog(uint64_t ms);

#endif
