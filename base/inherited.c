#include "base/inherited.h"

#include "base/environment.h"
#include "base/log.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST = 3 };

struct inherited {
    struct sockaddr_storage address;
    int fd;
    int type; /* SOCK_STREAM …; 0: the descriptor is not a socket */
    bool listens;
    bool ours; /* received from the process before us, and not shared with the service manager */
    atomic_bool taken;
};

static struct inherited all[INHERITED_MAX];
static int count;
static int offers[INHERITED_MAX];
static size_t offer_count;

static int option(int fd, int name)
{
    int value = 0;
    socklen_t len = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : 0;
}

/* A descriptor that is not a socket keeps type 0, so it is never found. */
static void look(int fd, struct inherited *out)
{
    socklen_t len = sizeof(out->address);

    if (getsockname(fd, (struct sockaddr *)&out->address, &len) == 0) {
        out->type = option(fd, SO_TYPE);
        out->listens = out->type != SOCK_STREAM || option(fd, SO_ACCEPTCONN);
    }
}

static void say_too_many(void)
{
    log_warn("inherited_too_many", "most=%d what=%s", INHERITED_MAX,
             "sockets beyond that are closed, or are not given to who takes our place");
}

void inherited_begin(void)
{
    uint64_t pid = 0, given = 0;

    if (!environment_number("LISTEN_PID", &pid) || pid != (uint64_t)getpid() ||
        !environment_number("LISTEN_FDS", &given) || given > 4096) {
        given = 0;
    }
    for (int i = 0; i < (int)given; i++) {
        fcntl(FIRST + i, F_SETFD, FD_CLOEXEC);
        if (count < INHERITED_MAX) {
            all[count].fd = FIRST + i;
            look(FIRST + i, &all[count++]);
        } else {
            say_too_many();
            close(FIRST + i);
        }
    }
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
}

void inherited_add(int fd)
{
    if (count == INHERITED_MAX) {
        say_too_many();
        close(fd);
        return;
    }
    all[count].fd = fd;
    all[count].ours = true;
    look(fd, &all[count++]);
}

/* Compares the addresses and not the structs, as padding and flow labels may differ. */
static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family) {
        return false;
    }
    switch (a->sa_family) {
    case AF_INET: {
        const struct sockaddr_in *x = (const struct sockaddr_in *)(const void *)a;
        const struct sockaddr_in *y = (const struct sockaddr_in *)(const void *)b;
        return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
    }
    case AF_INET6: {
        const struct sockaddr_in6 *x = (const struct sockaddr_in6 *)(const void *)a;
        const struct sockaddr_in6 *y = (const struct sockaddr_in6 *)(const void *)b;
        return x->sin6_port == y->sin6_port && x->sin6_scope_id == y->sin6_scope_id &&
               memcmp(&x->sin6_addr, &y->sin6_addr, sizeof(x->sin6_addr)) == 0;
    }
    case AF_UNIX: {
        const struct sockaddr_un *x = (const struct sockaddr_un *)(const void *)a;
        const struct sockaddr_un *y = (const struct sockaddr_un *)(const void *)b;
        return x->sun_path[0] && strncmp(x->sun_path, y->sun_path, sizeof(x->sun_path)) == 0;
    }
    }
    return false;
}

static bool fits(const struct inherited *one, const struct sockaddr *address, int type)
{
    return one->type == type && one->listens &&
           same_address((const struct sockaddr *)&one->address, address);
}

int inherited_socket(const struct sockaddr *address, int type)
{
    const struct inherited *shared = NULL;

    for (int i = 0; i < count; i++) {
        struct inherited *one = &all[i];
        if (!fits(one, address, type)) {
            continue;
        }
        if (!atomic_exchange_explicit(&one->taken, true, memory_order_relaxed)) {
            return one->ours ? one->fd : fcntl(one->fd, F_DUPFD_CLOEXEC, 0);
        }
        shared = one;
    }
    return shared ? fcntl(shared->fd, F_DUPFD_CLOEXEC, 0) : -1;
}

bool inherited_has(const struct sockaddr *address, int type)
{
    bool found = false;

    for (int i = 0; i < count && !found; i++) {
        found = fits(&all[i], address, type);
    }
    return found;
}

static void warn(int i)
{
    const struct sockaddr *address = (const struct sockaddr *)&all[i].address;
    char host[64] = "?", port[8] = "";

    if (address->sa_family == AF_INET || address->sa_family == AF_INET6) {
        getnameinfo(address, sizeof(all[i].address), host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV);
    }
    log_warn("inherited_unused", "descriptor=%d address=%s port=%s why=%s", all[i].fd, host, port,
             "nothing in the configuration listens just there");
}

void inherited_warn(void)
{
    for (int i = 0; i < count; i++) {
        if (!atomic_load_explicit(&all[i].taken, memory_order_relaxed)) {
            warn(i);
            if (all[i].ours) {
                close(all[i].fd);
            }
        }
    }
}

void inherited_offer(int fd)
{
    if (offer_count == INHERITED_MAX) {
        say_too_many();
        return;
    }
    offers[offer_count++] = fd;
}

void inherited_withdraw(void)
{
    offer_count = 0;
}

const int *inherited_offers(size_t *out)
{
    *out = offer_count;
    return offers;
}
