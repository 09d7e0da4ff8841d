/*
 * dnsclient - asks the configured name servers, through c-ares on the loop. No cache, no hosts
 * file, no search list: a name means the same for every client. Belongs to one loop.
 *
 * c-ares must not be destroyed or cancelled from inside its callbacks. So a callback only records
 * the answer; `settled` is called after each batch of answers, when every call is allowed again. It
 * is never called from inside dnsclient_ask().
 */
#ifndef LARDER_PROXY_ORIGIN_DNSCLIENT_H
#define LARDER_PROXY_ORIGIN_DNSCLIENT_H

#include "proxy/stream/loop.h"
#include "base/prefix.h"

#define DNS_ADDRESSES_MAX 16 /* of one family that are kept */

struct dnsclient;

enum dns_family { DNS_V6, DNS_V4, DNS_FAMILIES };

struct dns_reply {
    int err; /* 0; ERR_NO_ADDRESS: the name has no address of this family; ERR_TIMEOUT; ERR_IO: the
                servers fail */
    const struct ip *addresses; /* valid during the call */
    size_t count;
    uint32_t ttl; /* seconds, the least of all records in the CNAME chain */
};

/* A question. Part of the caller's struct, which must exist until it was answered or the client was
 * freed. */
struct dns_question {
    /* May only record the reply. May be called from inside dnsclient_ask(). */
    void (*answered)(struct dns_question *question, const struct dns_reply *reply);
    struct dnsclient *client;
    enum dns_family family;
};

struct dnsclient_settings {
    const char *const *nameservers; /* "192.0.2.53", "127.0.0.1:5353", "[::1]:53" */
    size_t nameserver_count;        /* 0: the system's, from /etc/resolv.conf */
    uint64_t try_ms; /* timeout of the first try of each server; doubles with each round */
    void (*settled)(void *owner);
    void *owner;
};

/* Returns 0, ERR_SYNTAX for a malformed server address, or ERR_IO. */
int dnsclient_new(struct loop *loop, const struct dnsclient_settings *settings,
                  struct dnsclient **out);
/* Pending questions are dropped without an answer. Not to be called from `answered`. Accepts NULL;
 * sets *client to NULL. */
void dnsclient_free(struct dnsclient **client);

/* `name` is a valid host name, NUL-terminated. */
void dnsclient_ask(struct dnsclient *client, const char *name, enum dns_family family,
                   struct dns_question *question);

#endif
