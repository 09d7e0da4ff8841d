/*
 * resolve - names to addresses for one loop: literals, the hosts file, a bounded cache kept by
 * TTL, and name servers behind it. Simultaneous lookups of one name are one question.
 *
 * IPv6 addresses are handed out as soon as they are there, IPv4 ones after a short wait for the
 * others (RFC 8305 section 3); what comes later follows as a second answer. When the name servers
 * are away, an answer that has expired serves for an hour more (RFC 8767). Never waits for a name
 * server with the loop standing still, never uses getaddrinfo. Belongs to its loop.
 */
#ifndef LARDER_PROXY_ORIGIN_RESOLVE_H
#define LARDER_PROXY_ORIGIN_RESOLVE_H

#include "proxy/origin/inquiry.h"

struct resolver;

struct resolver_settings {
    uint64_t timeout_ms;            /* until a waiter gets ERR_TIMEOUT */
    const char *const *nameservers; /* with port if it is not 53 */
    size_t nameserver_count;        /* 0: the system's */
    const char *hosts_path;         /* NULL: /etc/hosts */
};

/* 0; ERR_SYNTAX for a malformed name server; ERR_IO. */
int resolver_new(struct loop *loop, const struct resolver_settings *settings,
                 struct resolver **out);
/* When the name servers (or, with the system's, /etc/resolv.conf) have changed, what is known
 * expires and what is pending is asked again. Fails as resolver_new() does, and the settings before
 * stay. */
int resolver_reconfigure(struct resolver *resolver, const struct resolver_settings *settings);
/* Waiters are forgotten. Accepts NULL, sets it to NULL. */
void resolver_free(struct resolver **resolver);

/*
 * `name`: a host name or an address literal, without brackets, any case. True: *answer is filled
 * now (and, if it is partial, waiter->answered comes too). False: waiter->answered comes later;
 * never from inside this call.
 */
bool resolve(struct resolver *resolver, struct span name, struct resolve_waiter *waiter,
             struct resolve_answer *answer);
/* Nothing more is said to the waiter. Harmless when nothing was to come; the waiter must have been
 * through resolve(). */
void resolve_cancel(struct resolve_waiter *waiter);

/* A name that may be asked for: at most 253 bytes of letters, digits, '-' and '_' in labels of 1
 * to 63, a trailing dot allowed, the last label no number: "127.1" and "0x7f.1" are addresses to
 * some programs and no names to anybody (RFC 1123 section 2.1). Pure. */
bool resolve_is_name(struct span name);

struct resolver_stats {
    uint64_t asked;    /* questions to name servers */
    uint64_t failures; /* of them without a usable reply */
    size_t cached;     /* names held */
};
void resolver_stats(const struct resolver *resolver, struct resolver_stats *out);

#endif
