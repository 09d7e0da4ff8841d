/*
 * notify - tells the service manager how we are (sd_notify(3)), without its library. Any thread.
 */
#ifndef LARDER_BASE_NOTIFY_H
#define LARDER_BASE_NOTIFY_H

/* Sends one message, such as "READY=1", to the socket named by NOTIFY_SOCKET. Without one, or
 * when nobody listens there, nothing happens. */
void notify(const char *message);

/* "RELOADING=1" with the time that Type=notify-reload asks for. */
void notify_reloading(void);

#endif
