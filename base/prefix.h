/*
 * prefix - IP addresses and prefixes, IPv4 and IPv6 in one form. Pure.
 *
 * An IPv4 address is kept as its IPv4-mapped IPv6 form (::ffff:a.b.c.d), so one comparison serves
 * both; `bits` counts from the front of the 128 (an IPv4 /8 has 104).
 */
#ifndef LARDER_BASE_PREFIX_H
#define LARDER_BASE_PREFIX_H

#include "base/span.h"

#include <sys/socket.h>

struct ip {
    uint8_t at[16];
};

struct prefix {
    struct ip ip; /* bits behind `bits` are 0 */
    uint8_t bits; /* 0..128 */
};

/* "192.0.2.1" or "2001:db8::1". 0 or ERR_SYNTAX. */
int ip_parse(struct span text, struct ip *out);
/* "10.0.0.0/8", "2001:db8::/32", or an address alone. ERR_SYNTAX also for bits set behind the
 * length. *what is set on errors: what is wrong, for people. */
int prefix_parse(struct span text, struct prefix *out, const char **what);

bool ip_is_v4(const struct ip *ip);
/* An IPv6 prefix never has an IPv4 address, not even "::/0". */
bool prefix_has(const struct prefix *prefix, const struct ip *ip);
/* Sorts a list and drops what lies inside another of it; returns how many are left. */
size_t prefixes_settle(struct prefix *list, size_t count);
/* Whether any has it, of a list that was settled: by halves, so that long lists cost little. */
bool prefixes_have(const struct prefix *list, size_t count, const struct ip *ip);
bool ip_eq(const struct ip *a, const struct ip *b);
/* 127.0.0.0/8 and ::1: this machine, and nobody else reaches it there. */
bool ip_is_loopback(const struct ip *ip);

/* AF_INET and AF_INET6; any other family becomes "::". IPv4-mapped IPv6 is IPv4. */
struct ip ip_of_sockaddr(const struct sockaddr *address);
/* Of any other family: 0. */
uint16_t port_of_sockaddr(const struct sockaddr *address);
/* Fills *out (AF_INET for IPv4); returns its length. */
socklen_t ip_to_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *out);

/* NUL-terminated text; `out` has IP_TEXT_MAX bytes. Returns out. */
#define IP_TEXT_MAX 46
const char *ip_text(const struct ip *ip, char *out);
/* The same text at `at`, where IP_TEXT_MAX bytes are free; returns the place behind it. */
char *ip_put(char *at, const struct ip *ip);
/* "10.0.0.0/8": `out` has PREFIX_TEXT_MAX bytes. */
#define PREFIX_TEXT_MAX (IP_TEXT_MAX + 4)
const char *prefix_text(const struct prefix *prefix, char *out);

/* Loopback, unspecified, link-local, multicast or reserved (0/8, 240/4, ::/96), or one of the
 * addresses where clouds tell a machine its secrets: no target of a proxy unless allowed. */
bool ip_is_special(const struct ip *ip);

/* Of a network that others cannot reach: RFC 1918, RFC 6598 (100.64/10) and fc00::/7. */
bool ip_is_private(const struct ip *ip);

/* "127.0.0.1:3128", "[::1]:3128"; ":3128" and "3128" are "::", which a listener binds for IPv4
 * too. Without a port `default_port` is taken unless it is 0. Port 0 lets the kernel choose.
 * 0 or ERR_SYNTAX. */
int endpoint_parse(struct span text, uint16_t default_port, struct sockaddr_storage *out,
                   socklen_t *len);

#endif
