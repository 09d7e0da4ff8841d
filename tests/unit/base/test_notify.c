#include "base/notify.h"

#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* What the manager reads. `name` is the socket as NOTIFY_SOCKET has it. */
static const char *heard(const char *name, void (*speak)(void))
{
    static char text[256];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    memcpy(address.sun_path, name, len);
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&address, size), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    speak();
    unsetenv("NOTIFY_SOCKET");
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    close(fd);
    return text;
}

static void say_ready(void)
{
    notify("READY=1");
}

Test(notify, reaches_the_manager)
{
    char path[64];

    snprintf(path, sizeof(path), "/tmp/larder-notify-%d", (int)getpid());
    cr_expect_str_eq(heard(path, say_ready), "READY=1");
    unlink(path);
    snprintf(path, sizeof(path), "@larder-notify-%d", (int)getpid());
    cr_expect_str_eq(heard(path, say_ready), "READY=1", "an abstract socket");
}

Test(notify, a_reload_says_when_it_began)
{
    char path[64];
    unsigned long long since = 0;

    snprintf(path, sizeof(path), "@larder-notify-%d", (int)getpid());
    const char *text = heard(path, notify_reloading);
    cr_expect_eq(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%llu", &since), 1, "%s", text);
    cr_expect_gt(since, 0);
}

Test(notify, without_a_manager_nothing_happens)
{
    static const char *const names[] = {"", "relative", "/nonexistent/socket"};
    char longer[200];

    unsetenv("NOTIFY_SOCKET");
    say_ready();
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        setenv("NOTIFY_SOCKET", names[i], 1);
        say_ready();
    }
    memset(longer, '/', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    setenv("NOTIFY_SOCKET", longer, 1);
    say_ready();
    cr_assert(1);
}

/* The kernel keeps some of them, and then has who sends wait for who reads. */
Test(notify, a_manager_that_reads_nothing_holds_nobody_up)
{
    enum { ENOUGH = 1000 };
    char name[64];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    char text[64];
    int count = 0;

    snprintf(name, sizeof(name), "@larder-notify-%d", (int)getpid());
    memcpy(address.sun_path + 1, name + 1, strlen(name) - 1);
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    cr_assert_eq(bind(fd, (const struct sockaddr *)&address, size), 0);
    setenv("NOTIFY_SOCKET", name, 1);
    for (int i = 0; i < ENOUGH; i++) {
        notify_alive();
    }
    notify("STOPPING=1"); /* waits a little, and comes back */
    unsetenv("NOTIFY_SOCKET");
    for (ssize_t n; (n = recv(fd, text, sizeof(text) - 1, 0)) > 0;) {
        text[n] = '\0';
        count += strcmp(text, "WATCHDOG=1") == 0;
    }
    cr_expect(count > 0);
    close(fd);
}

Test(notify, the_watchdog_is_kept_for_us_alone)
{
    char pid[32];

    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    cr_expect_eq(notify_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "30000000", 1);
    cr_expect_eq(notify_watchdog_ms(), 30000);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    cr_expect_eq(notify_watchdog_ms(), 30000);
    setenv("WATCHDOG_PID", "1", 1);
    cr_expect_eq(notify_watchdog_ms(), 0, "it is another's");
    notify_adopt_watchdog(20000);
    cr_expect_eq(notify_watchdog_ms(), 20000, "it is our predecessor's");
    notify_adopt_watchdog(0);
    unsetenv("WATCHDOG_PID");
    setenv("WATCHDOG_USEC", "soon", 1);
    cr_expect_eq(notify_watchdog_ms(), 0);
}
