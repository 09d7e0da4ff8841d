/*
 * prefix - IP addresses and prefixes, IPv4 and IPv6 in one form. Pure. An IPv4 address is stored as
 * an IPv4-mapped IPv6 address (::ffff:a.b.c.d), so that one comparison works for both; `bits`
 * counts from the first of 128 (an IPv4 /8 has 104).
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

/* How much of an address counts where the addresses of a network count as one. */
struct prefix_lengths {
    uint8_t v4; /* 0..32 */
    uint8_t v6; /* 0..128 */
};

/* Parses "192.0.2.1" or "2001:db8::1". 0 or ERR_SYNTAX. */
int ip_parse(struct span text, struct ip *out);
/* Parses "10.0.0.0/8", "2001:db8::/32", or an address. ERR_SYNTAX also if bits behind the length
 * are set. On errors *what says for people what is wrong. */
int prefix_parse(struct span text, struct prefix *out, const char **what);

bool ip_is_v4(const struct ip *ip);
/* An IPv6 prefix never contains an IPv4 address, not even "::/0". */
bool prefix_has(const struct prefix *prefix, const struct ip *ip);
/* Sorts a list and removes prefixes inside others. Returns how many are left. */
size_t prefixes_settle(struct prefix *list, size_t count);
/* Does any prefix of a list from prefixes_settle() contain the address? Binary search. */
bool prefixes_have(const struct prefix *list, size_t count, const struct ip *ip);
bool ip_eq(const struct ip *a, const struct ip *b);
/* 127.0.0.0/8 and ::1, which only this machine can reach. */
bool ip_is_loopback(const struct ip *ip);

/* Of AF_INET and AF_INET6, where IPv4-mapped addresses are IPv4; "::" for other families. */
struct ip ip_of_sockaddr(const struct sockaddr *address);
/* 0 for other families. */
uint16_t port_of_sockaddr(const struct sockaddr *address);
/* Fills in *out (AF_INET for IPv4) and returns its length. */
socklen_t ip_to_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *out);

/* Writes NUL-terminated text; `out` has IP_TEXT_MAX bytes. Returns `out`. */
#define IP_TEXT_MAX 46
const char *ip_text(const struct ip *ip, char *out);
/* Writes the same text without NUL at `at`, which has IP_TEXT_MAX bytes; returns its end. */
char *ip_put(char *at, const struct ip *ip);
/* "10.0.0.0/8": `out` has PREFIX_TEXT_MAX bytes. */
#define PREFIX_TEXT_MAX (IP_TEXT_MAX + 4)
const char *prefix_text(const struct prefix *prefix, char *out);

/* Loopback, unspecified, link-local, multicast and reserved addresses (0/8, 240/4, ::/96), and
 * those at which clouds give a machine its secrets: the proxy connects to them only if that is
 * allowed. */
bool ip_is_special(const struct ip *ip);

/* Addresses of private networks: RFC 1918, RFC 6598 (100.64/10) and fc00::/7. */
bool ip_is_private(const struct ip *ip);

/* Parses "127.0.0.1:3128" or "[::1]:3128"; ":3128" and "3128" mean "::", where a listener accepts
 * IPv4, too. Without a port `default_port` is used unless it is 0. Port 0 lets the kernel choose.
 * Returns 0 or ERR_SYNTAX. */
int endpoint_parse(struct span text, uint16_t default_port, struct sockaddr_storage *out,
                   socklen_t *len);

#endif
