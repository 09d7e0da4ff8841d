#include "base/notify.h"

#include "base/clock.h"
#include "base/environment.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATIENCE_SECONDS = 1 };

static uint64_t adopted_ms; /* watchdog interval told by the process before us */

/* If the service manager does not read, its queue is full and send() waits for room. A send timeout
 * keeps that from delaying requests or the shutdown. */
static void limit_send_time(int fd)
{
    struct timeval longest = {.tv_sec = PATIENCE_SECONDS};

    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof(longest));
}

static void tell(const char *message, int flags)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = path ? strlen(path) : 0;

    if (len == 0 || (path[0] != '/' && path[0] != '@') || len >= sizeof(address.sun_path)) {
        return;
    }
    memcpy(address.sun_path, path, len);
    if (path[0] == '@') {
        address.sun_path[0] = '\0'; /* the abstract namespace */
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
        limit_send_time(fd);
        (void)sendto(fd, message, strlen(message), flags | MSG_NOSIGNAL,
                     (const struct sockaddr *)&address, size);
        close(fd);
    }
}

void notify(const char *message)
{
    tell(message, 0);
}

void notify_alive(void)
{
    tell("WATCHDOG=1", MSG_DONTWAIT);
}

void notify_reloading(void)
{
    char message[64];

    snprintf(message, sizeof(message), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_mono_us());
    notify(message);
}

uint64_t notify_watchdog_ms(void)
{
    uint64_t pid = 0, us = 0;
    bool another = environment_number("WATCHDOG_PID", &pid) && pid != (uint64_t)getpid();

    return !another && environment_number("WATCHDOG_USEC", &us) ? us / 1000 : adopted_ms;
}

void notify_adopt_watchdog(uint64_t ms)
{
    adopted_ms = ms;
}
