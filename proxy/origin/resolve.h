/*
 * resolve - resolves names to addresses for one loop: address literals, the hosts file, a bounded
 * cache by TTL, and name servers. Simultaneous lookups of a name are one question.
 *
 * IPv6 addresses are given out as soon as they are known, IPv4 ones after a short wait for the
 * others (RFC 8305 section 3); what comes later follows as a second answer. While no name server
 * answers, expired addresses are used for one more hour (RFC 8767). Never blocks the loop, never
 * calls getaddrinfo(). Belongs to its loop.
 */
#ifndef LARDER_PROXY_ORIGIN_RESOLVE_H
#define LARDER_PROXY_ORIGIN_RESOLVE_H

#include "proxy/origin/inquiry.h"

struct resolver;

struct resolver_settings {
    uint64_t timeout_ms;            /* after which a waiter gets ERR_TIMEOUT */
    const char *const *nameservers; /* with a port unless that is 53 */
    size_t nameserver_count;        /* 0: the system's */
    const char *hosts_path;         /* NULL: /etc/hosts */
};

/* Returns 0, ERR_SYNTAX for a malformed name server, or ERR_IO. */
int resolver_new(struct loop *loop, const struct resolver_settings *settings,
                 struct resolver **out);
/* If the name servers (or, when those of the system are used, /etc/resolv.conf) have changed,
 * cached names expire and pending questions are sent again. Fails like resolver_new(), and keeps
 * the old settings then. */
int resolver_reconfigure(struct resolver *resolver, const struct resolver_settings *settings);
/* Waiters are not called any more. Accepts NULL; sets *resolver to NULL. */
void resolver_free(struct resolver **resolver);

/*
 * Resolves a host name or an address literal without brackets, in any case. True: *answer is filled
 * in, and if it is partial, waiter->answered is called later. False: waiter->answered is called
 * later. It is never called from inside this call.
 */
bool resolve(struct resolver *resolver, struct span name, struct resolve_waiter *waiter,
             struct resolve_answer *answer);
/* Nothing more is said to the waiter. Harmless when nothing was to come; the waiter must have been
 * through resolve(). */
void resolve_cancel(struct resolve_waiter *waiter);

/* Can this be a host name? At most 253 bytes of letters, digits, '-' and '_', in labels of 1 to 63
 * bytes; a trailing dot is allowed. The last label must not be a number: some programs read "127.1"
 * and "0x7f.1" as addresses (RFC 1123 section 2.1). Pure. */
bool resolve_is_name(struct span name);

struct resolver_stats {
    uint64_t asked;    /* questions sent to name servers */
    uint64_t failures; /* questions without a usable reply */
    size_t cached;     /* names in the cache */
};
void resolver_stats(const struct resolver *resolver, struct resolver_stats *out);

#endif
