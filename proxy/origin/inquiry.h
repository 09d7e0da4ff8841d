/*
 * inquiry - one name that the name servers are being asked for, and who waits for it. Both address
 * families are asked at once (RFC 8305 section 3). The answer goes to the name's cache entry.
 * Belongs to one loop.
 */
#ifndef LARDER_PROXY_ORIGIN_INQUIRY_H
#define LARDER_PROXY_ORIGIN_INQUIRY_H

#include "proxy/stream/loop.h"
#include "proxy/origin/dnsclient.h"
#include "proxy/origin/namecache.h"

/* Part of the waiting struct. */
struct resolve_waiter {
    struct list link;
    bool is_configured; /* for an origin of the configuration: has precedence, and its answer stays
                           cached */
    struct ip client;   /* whose share of questions it counts for; zero: nobody's */
    /* Called once, or twice when the first answer is partial. May call anything but
     * resolver_free(). */
    void (*answered)(struct resolve_waiter *waiter, const struct resolve_answer *answer);
};

/* All inquiries of a loop, and the name servers. */
struct inquiries {
    struct loop *loop;
    struct dnsclient *client;
    struct list all;
    struct list settled; /* those with new answers */
    uint64_t timeout_ms;
    uint64_t asked, failures; /* questions sent; those without a usable reply */
};

void inquiries_init(struct inquiries *inquiries, struct loop *loop);
/* Waiters are not called any more. */
void inquiries_fini(struct inquiries *inquiries);
/* Uses these servers from now on; pending questions are sent again. `settings` needs no callback.
 * Returns what dnsclient_new() does; on errors nothing changes. */
int inquiries_set_servers(struct inquiries *inquiries, struct dnsclient_settings settings);

/* How many inquiries this client (an IPv4 address, or an IPv6 /64) has started. Walks the list. */
size_t inquiries_of(const struct inquiries *inquiries, const struct ip *client);

/* Joins the inquiry for the entry's name, or starts one. True: *answer is filled in. If that is
 * partial, or this returns false, waiter->answered is called later, never from inside this call. */
bool inquiry_join(struct inquiries *inquiries, struct name_entry *entry,
                  struct resolve_waiter *waiter, struct resolve_answer *answer);

#endif
