#include "dnsredir/message/edns.h"

#include "base/err.h"
#include "dnsredir/message/proto.h"

enum {
    OPTION_NSID = 3,
    OPTION_ECS = 8,
    OPTION_COOKIE = 10,
    OPTION_KEEPALIVE = 11,
    OPTION_EDE = 15,
};
enum { ECS_IPV4 = 1, ECS_IPV6 = 2 };

#define DO_BIT 0x8000
#define OPT_FIXED_LEN 11 /* root, type, class, TTL, length */
#define OPT_TYPE_END 3
#define OPTION_HEAD 4   /* code and length */
#define ECS_FIXED_LEN 8 /* option code and length, family, both prefix lengths */

static size_t ecs_octets(const struct ecs *ecs)
{
    return (ecs->source + 7u) / 8u;
}

/* Where the address starts inside the 16 bytes of an ip. */
static size_t ecs_place(const struct ecs *ecs)
{
    return ecs->family == ECS_IPV4 ? 12 : 0;
}

static bool ecs_source_fits(const struct ecs *ecs)
{
    switch (ecs->family) {
    case 0:
        return ecs->source == 0;
    case ECS_IPV4:
        return ecs->source <= 32;
    case ECS_IPV6:
        return ecs->source <= 128;
    }
    return false;
}

static const struct ip v4_zero = {{[10] = 0xff, [11] = 0xff}};
static const struct ip v6_zero;

/* RFC 7871 6: exactly the octets the source length needs, zero behind it, and no scope. */
static int ecs_read(struct span option, struct ecs *out)
{
    struct wire_in in = wire_in_of(option.at, option.len);
    const uint8_t *fixed = wire_get(&in, ECS_FIXED_LEN - OPTION_HEAD);

    if (!fixed || out->present) {
        return ERR_SYNTAX;
    }
    out->family = wire_u16_at(fixed);
    out->source = fixed[2];
    size_t octets = ecs_octets(out);
    if (fixed[3] != 0 || !ecs_source_fits(out) || wire_left(&in) != octets) {
        return ERR_SYNTAX;
    }
    out->ip = out->family == ECS_IPV4 ? v4_zero : v6_zero;
    if (octets) {
        uint8_t *last = out->ip.at + ecs_place(out) + octets - 1;
        memcpy(out->ip.at + ecs_place(out), wire_get(&in, octets), octets);
        if (out->source % 8 && (uint8_t)(*last << (out->source % 8))) {
            return ERR_SYNTAX;
        }
    }
    out->present = true;
    return 0;
}

/* RFC 7873 5.2: the client's half, and 8 to 32 bytes of ours or nothing. Only the first counts. */
static int cookie_read(struct span option, struct edns *out)
{
    if (out->cookie.len) {
        return 0;
    }
    if (option.len != COOKIE_CLIENT_LEN && (option.len < 16 || option.len > 40)) {
        return ERR_SYNTAX;
    }
    out->cookie = option;
    return 0;
}

static int option_read(uint16_t code, struct span value, struct edns *out)
{
    switch (code) {
    case OPTION_ECS:
        return ecs_read(value, &out->ecs);
    case OPTION_COOKIE:
        return cookie_read(value, out);
    case OPTION_NSID:
        out->nsid = true;
        return 0;
    case OPTION_KEEPALIVE:
        out->keepalive = true;
        return 0;
    }
    return 0;
}

static int options_read(struct span options, struct edns *out)
{
    struct wire_in in = wire_in_of(options.at, options.len);

    while (wire_left(&in)) {
        uint16_t code = wire_get_u16(&in);
        struct span value = wire_get_span(&in, wire_get_u16(&in));
        if (in.failed || option_read(code, value, out)) {
            return ERR_SYNTAX;
        }
    }
    return 0;
}

int edns_read(struct wire_in *in, struct edns *out)
{
    const uint8_t *fixed = wire_get(in, OPT_FIXED_LEN - OPT_TYPE_END);
    struct span options = wire_get_span(in, fixed ? wire_u16_at(fixed + 6) : 0u);

    if (in->failed) {
        return ERR_SYNTAX;
    }
    uint16_t payload = wire_u16_at(fixed);
    *out = (struct edns){
        .present = true,
        .dnssec_ok = (wire_u16_at(fixed + 4) & DO_BIT) != 0,
        .version = fixed[3],
        .payload = payload < DNS_UDP_PLAIN ? DNS_UDP_PLAIN : payload,
    };
    return out->version ? 0 : options_read(options, out);
}

size_t edns_len(const struct edns *query, const struct edns_reply *reply)
{
    if (!query->present) {
        return 0;
    }
    size_t len = OPT_FIXED_LEN;
    len += query->ecs.present ? ECS_FIXED_LEN + ecs_octets(&query->ecs) : 0;
    len += reply->cookie ? OPTION_HEAD + COOKIE_CLIENT_LEN + COOKIE_SERVER_LEN : 0;
    len += reply->nsid.len ? OPTION_HEAD + reply->nsid.len : 0;
    len += reply->keepalive ? OPTION_HEAD + 2 : 0;
    len += reply->ede != EDE_NONE ? OPTION_HEAD + 2 : 0;
    return len;
}

static void put_option(struct wire_out *out, uint16_t code, size_t len)
{
    wire_put_u16(out, code);
    wire_put_u16(out, (uint16_t)len);
}

static void put_ecs(struct wire_out *out, const struct ecs *ecs, uint8_t scope)
{
    size_t octets = ecs_octets(ecs);
    uint8_t *at = wire_put(out, ECS_FIXED_LEN + octets);

    if (at) {
        wire_u16_to(at, OPTION_ECS);
        wire_u16_to(at + 2, (uint16_t)(ECS_FIXED_LEN - OPTION_HEAD + octets));
        wire_u16_to(at + 4, ecs->family);
        at[6] = ecs->source;
        at[7] = scope;
        memcpy(at + ECS_FIXED_LEN, ecs->ip.at + ecs_place(ecs), octets);
    }
}

void edns_write(struct wire_out *out, const struct edns *query, const struct edns_reply *reply,
                unsigned rcode)
{
    uint8_t *fixed = wire_put(out, OPT_FIXED_LEN);

    if (query->ecs.present) {
        put_ecs(out, &query->ecs, reply->scope);
    }
    if (reply->cookie) {
        put_option(out, OPTION_COOKIE, COOKIE_CLIENT_LEN + COOKIE_SERVER_LEN);
        wire_put_bytes(out, query->cookie.at, COOKIE_CLIENT_LEN);
        wire_put_bytes(out, reply->cookie, COOKIE_SERVER_LEN);
    }
    if (reply->nsid.len) {
        put_option(out, OPTION_NSID, reply->nsid.len);
        wire_put_bytes(out, reply->nsid.at, reply->nsid.len);
    }
    if (reply->keepalive) {
        put_option(out, OPTION_KEEPALIVE, 2);
        wire_put_u16(out, reply->keepalive);
    }
    if (reply->ede != EDE_NONE) {
        put_option(out, OPTION_EDE, 2);
        wire_put_u16(out, (uint16_t)reply->ede);
    }
    if (fixed) {
        fixed[0] = 0;
        wire_u16_to(fixed + 1, TYPE_OPT);
        wire_u16_to(fixed + 3, DNS_UDP_MAX);
        wire_u16_to(fixed + 5, (uint16_t)(rcode >> 4 << 8));
        wire_u16_to(fixed + 7, query->dnssec_ok ? DO_BIT : 0);
        wire_u16_to(fixed + 9, (uint16_t)(out->at - fixed - OPT_FIXED_LEN));
    }
}
