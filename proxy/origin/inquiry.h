/*
 * inquiry - one name being asked for at the name servers, and those who wait for it. Both
 * families are asked at once (RFC 8305 section 3); the outcome goes into the name's cache entry.
 * Belongs to one loop.
 */
#ifndef LARDER_PROXY_ORIGIN_INQUIRY_H
#define LARDER_PROXY_ORIGIN_INQUIRY_H

#include "proxy/stream/loop.h"
#include "proxy/origin/dnsclient.h"
#include "proxy/origin/namecache.h"

/* Embedded in whoever waits. */
struct resolve_waiter {
    struct list link;
    bool is_configured; /* for an origin of the configuration: asked for, and kept, before others */
    struct ip client;   /* who is to have the share that the question takes; zero: nobody's */
    /* Once, or twice when the first answer is partial. May call anything but resolver_free(). */
    void (*answered)(struct resolve_waiter *waiter, const struct resolve_answer *answer);
};

/* All inquiries of a loop, and whom they ask. */
struct inquiries {
    struct loop *loop;
    struct dnsclient *client;
    struct list all;
    struct list settled; /* those for which something came in */
    uint64_t timeout_ms;
    uint64_t asked, failures; /* questions; those without a usable reply */
};

void inquiries_init(struct inquiries *inquiries, struct loop *loop);
/* Waiters are forgotten. */
void inquiries_fini(struct inquiries *inquiries);
/* Asks these servers from now on; what is pending is asked again. `settings` needs no callback. As
 * dnsclient_new(), and when it fails nothing changes. */
int inquiries_set_servers(struct inquiries *inquiries, struct dnsclient_settings settings);

/* How many of them this client began: an IPv4 address or an IPv6 /64. Looks at each. */
size_t inquiries_of(const struct inquiries *inquiries, const struct ip *client);

/* Joins the inquiry of the entry's name, or starts it. True: *answer is filled now; if it is
 * partial, or when the return value is false, waiter->answered comes too, and never from inside
 * this call. */
bool inquiry_join(struct inquiries *inquiries, struct name_entry *entry,
                  struct resolve_waiter *waiter, struct resolve_answer *answer);

#endif
