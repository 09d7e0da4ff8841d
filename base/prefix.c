#include "base/prefix.h"

#include "base/check.h"
#include "base/err.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

enum { V4_AT = 12, V4_BITS = 96, ALL_BITS = 128 };

static const uint8_t v4_mapped[V4_AT] = {[10] = 0xff, [11] = 0xff};

static struct ip ip_from_v4(const void *four)
{
    struct ip ip;

    memcpy(ip.at, v4_mapped, sizeof(v4_mapped));
    memcpy(ip.at + V4_AT, four, 4);
    return ip;
}

int ip_parse(struct span text, struct ip *out)
{
    char copy[IP_TEXT_MAX];
    struct in_addr v4;

    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.at, '\0', text.len)) {
        return ERR_SYNTAX;
    }
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, &v4) == 1) {
        *out = ip_from_v4(&v4);
        return 0;
    }
    struct in6_addr v6;
    if (inet_pton(AF_INET6, copy, &v6) != 1) {
        return ERR_SYNTAX;
    }
    memcpy(out->at, &v6, sizeof(out->at));
    return 0;
}

bool ip_is_v4(const struct ip *ip)
{
    return memcmp(ip->at, v4_mapped, sizeof(v4_mapped)) == 0;
}

bool ip_eq(const struct ip *a, const struct ip *b)
{
    return memcmp(a->at, b->at, sizeof(a->at)) == 0;
}

bool ip_is_loopback(const struct ip *ip)
{
    static const struct ip loopback = {{[15] = 1}};

    return ip_is_v4(ip) ? ip->at[V4_AT] == 127 : ip_eq(ip, &loopback);
}

/* The bits of byte `i` that belong to the first `bits` bits of an address. */
static uint8_t mask_of(unsigned bits, size_t i)
{
    unsigned covered = bits > i * 8 ? bits - (unsigned)i * 8 : 0;
    return (uint8_t)(covered >= 8 ? 0xffu : 0xff00u >> covered);
}

static bool zero_behind(const struct ip *ip, unsigned bits)
{
    for (size_t i = bits / 8; i < sizeof(ip->at); i++) {
        if (ip->at[i] & ~mask_of(bits, i)) {
            return false;
        }
    }
    return true;
}

int prefix_parse(struct span text, struct prefix *out, const char **what)
{
    struct span length = text;
    struct span address = span_cut(&length, '/');
    bool has_length = address.len < text.len;
    struct ip ip;

    if (ip_parse(address, &ip) != 0) {
        *what = "not an IP address";
        return ERR_SYNTAX;
    }
    /* The notation decides: in "::ffff:0:0/96" the length counts from the first of all 128 bits. */
    bool written_v4 = span_find(address, ':') == address.len;
    uint64_t bits = written_v4 ? ALL_BITS - V4_BITS : ALL_BITS;
    if (has_length && !span_to_u64(length, bits, &bits)) {
        *what =
            written_v4 ? "the prefix length is not 0 to 32" : "the prefix length is not 0 to 128";
        return ERR_SYNTAX;
    }
    bits += written_v4 ? V4_BITS : 0;
    if (!zero_behind(&ip, (unsigned)bits)) {
        *what = "bits are set after the prefix length";
        return ERR_SYNTAX;
    }
    *out = (struct prefix){.ip = ip, .bits = (uint8_t)bits};
    return 0;
}

bool prefix_has(const struct prefix *prefix, const struct ip *ip)
{
    size_t whole = prefix->bits / 8;

    /* "::/0" contains every IPv6 address, but no IPv4 address in its mapped form */
    if (prefix->bits < V4_BITS && ip_is_v4(ip)) {
        return false;
    }
    if (memcmp(prefix->ip.at, ip->at, whole) != 0) {
        return false;
    }
    return whole == sizeof(ip->at) ||
           ((prefix->ip.at[whole] ^ ip->at[whole]) & mask_of(prefix->bits, whole)) == 0;
}

/* Sorts IPv4 before IPv6, because an IPv6 prefix never contains an IPv4 address. */
static int ip_order(const struct ip *a, bool a_is_v4, const struct ip *b, bool b_is_v4)
{
    return a_is_v4 != b_is_v4 ? (a_is_v4 ? -1 : 1) : memcmp(a->at, b->at, sizeof(a->at));
}

static bool prefix_is_v4(const struct prefix *prefix)
{
    return prefix->bits >= V4_BITS && ip_is_v4(&prefix->ip);
}

/* A prefix sorts before the prefixes inside it. */
static int prefix_order(const void *one, const void *other)
{
    const struct prefix *a = one, *b = other;
    int order = ip_order(&a->ip, prefix_is_v4(a), &b->ip, prefix_is_v4(b));

    return order != 0 ? order : (int)a->bits - (int)b->bits;
}

size_t prefixes_settle(struct prefix *list, size_t count)
{
    size_t kept = 0;

    if (count > 1) {
        qsort(list, count, sizeof(*list), prefix_order);
    }
    for (size_t i = 0; i < count; i++) {
        bool same_kind = kept && prefix_is_v4(&list[kept - 1]) == prefix_is_v4(&list[i]);
        if (!same_kind || !prefix_has(&list[kept - 1], &list[i].ip)) {
            list[kept++] = list[i];
        }
    }
    return kept;
}

bool prefixes_have(const struct prefix *list, size_t count, const struct ip *ip)
{
    bool is_v4 = ip_is_v4(ip);
    /* the last prefix that does not sort after the address lies in between */
    size_t first = 0, behind = count;

    while (first < behind) {
        size_t middle = first + (behind - first) / 2;
        if (ip_order(&list[middle].ip, prefix_is_v4(&list[middle]), ip, is_v4) <= 0) {
            first = middle + 1;
        } else {
            behind = middle;
        }
    }
    return first > 0 && prefix_has(&list[first - 1], ip);
}

struct ip ip_of_sockaddr(const struct sockaddr *address)
{
    struct ip ip = {{0}};

    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        return ip_from_v4(&v4.sin_addr);
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        memcpy(ip.at, &v6.sin6_addr, sizeof(ip.at));
    }
    return ip;
}

uint16_t port_of_sockaddr(const struct sockaddr *address)
{
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;

    if (address->sa_family == AF_INET6) {
        return ntohs(v6->sin6_port);
    }
    return address->sa_family == AF_INET ? ntohs(v4->sin_port) : 0;
}

socklen_t ip_to_sockaddr(const struct ip *ip, uint16_t port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (ip_is_v4(ip)) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&v4.sin_addr, ip->at + V4_AT, 4);
        memcpy(out, &v4, sizeof(v4));
        return sizeof(v4);
    }
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&v6.sin6_addr, ip->at, sizeof(ip->at));
    memcpy(out, &v6, sizeof(v6));
    return sizeof(v6);
}

static char *put_octet(char *at, unsigned octet)
{
    if (octet >= 100) {
        *at++ = (char)('0' + octet / 100);
    }
    if (octet >= 10) {
        *at++ = (char)('0' + octet / 10 % 10);
    }
    *at++ = (char)('0' + octet % 10);
    return at;
}

char *ip_put(char *at, const struct ip *ip)
{
    if (!ip_is_v4(ip)) {
        CHECK(inet_ntop(AF_INET6, ip->at, at, IP_TEXT_MAX) != NULL);
        return at + strlen(at);
    }
    /* Without inet_ntop(), which uses printf: each request writes an address to the log or to the
     * origin. */
    for (size_t i = V4_AT; i < sizeof(ip->at); i++) {
        at = put_octet(at, ip->at[i]);
        *at++ = '.';
    }
    return at - 1;
}

const char *ip_text(const struct ip *ip, char *out)
{
    *ip_put(out, ip) = '\0';
    return out;
}

const char *prefix_text(const struct prefix *prefix, char *out)
{
    bool v4 = ip_is_v4(&prefix->ip) && prefix->bits >= V4_BITS;
    char address[IP_TEXT_MAX];

    ip_text(&prefix->ip, address);
    snprintf(out, PREFIX_TEXT_MAX, "%s/%u", address, prefix->bits - (v4 ? V4_BITS : 0u));
    return out;
}

/* Addresses of metadata services, which give cloud machines their credentials, besides
 * 169.254.169.254: those of Alibaba, of Oracle, and of Amazon for IPv6. They are in ranges that
 * others use for ordinary hosts, so they are listed one by one. */
static bool is_metadata_service(const struct ip *ip)
{
    static const struct ip at[] = {
        {{[10] = 0xff, 0xff, 100, 100, 100, 200}},
        {{[10] = 0xff, 0xff, 192, 0, 0, 192}},
        {{0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, 0x54}},
    };

    for (size_t i = 0; i < ARRAY_LEN(at); i++) {
        if (ip_eq(&at[i], ip)) {
            return true;
        }
    }
    return false;
}

static bool v4_is_special(const uint8_t *at)
{
    return at[0] == 0 || at[0] == 127 || (at[0] == 169 && at[1] == 254) || at[0] >= 224;
}

bool ip_is_special(const struct ip *ip)
{
    static const struct ip loopback = {{[15] = 1}};
    static const uint8_t zero[V4_AT];

    if (is_metadata_service(ip)) {
        return true;
    }
    if (ip_is_v4(ip)) {
        return v4_is_special(ip->at + V4_AT);
    }
    /* ::/96 also holds the deprecated IPv4-compatible form, which some kernels still route. */
    return ip_eq(ip, &loopback) || memcmp(ip->at, zero, sizeof(zero)) == 0 || ip->at[0] == 0xff ||
           (ip->at[0] == 0xfe && (ip->at[1] & 0xc0) == 0x80);
}

bool ip_is_private(const struct ip *ip)
{
    const uint8_t *v4 = ip->at + V4_AT;

    if (!ip_is_v4(ip)) {
        return (ip->at[0] & 0xfe) == 0xfc;
    }
    return v4[0] == 10 || (v4[0] == 172 && (v4[1] & 0xf0) == 16) ||
           (v4[0] == 192 && v4[1] == 168) || (v4[0] == 100 && (v4[1] & 0xc0) == 64);
}

/* Parses the part before ":port": "[v6]", "v4" or nothing. */
static int endpoint_host(struct span host, struct ip *out)
{
    if (host.len == 0) {
        *out = (struct ip){{0}};
        return 0;
    }
    bool bracketed = host.len >= 2 && host.at[0] == '[' && host.at[host.len - 1] == ']';
    if (bracketed) {
        host = span_of(host.at + 1, host.len - 2);
    }
    bool v6 = span_find(host, ':') < host.len;
    return v6 == bracketed ? ip_parse(host, out) : ERR_SYNTAX;
}

/* The index of the last colon outside brackets, where the host ends; text.len if there is none. */
static size_t endpoint_colon(struct span text)
{
    for (size_t i = text.len; i > 0 && text.at[i - 1] != ']'; i--) {
        if (text.at[i - 1] == ':') {
            return i - 1;
        }
    }
    return text.len;
}

int endpoint_parse(struct span text, uint16_t default_port, struct sockaddr_storage *out,
                   socklen_t *len)
{
    size_t colon = endpoint_colon(text);
    struct span host = span_take(text, colon);
    struct span digits = span_skip(text, colon + 1);
    uint64_t port = default_port;
    struct ip ip;

    if (colon == text.len && span_to_u64(text, UINT16_MAX, &port)) {
        host = SPAN_EMPTY;
    } else if (colon < text.len ? !span_to_u64(digits, UINT16_MAX, &port)
                                : default_port == 0 || text.len == 0) {
        return ERR_SYNTAX;
    }
    if (endpoint_host(host, &ip) != 0) {
        return ERR_SYNTAX;
    }
    *len = ip_to_sockaddr(&ip, (uint16_t)port, out);
    return 0;
}
