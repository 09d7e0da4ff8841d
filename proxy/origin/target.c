#include "proxy/origin/target.h"

#include "base/check.h"
#include "proxy/mirror/mirror.h"

/* ---- addresses ---- */

/* A kind of IPv6 address that embeds an IPv4 address: its prefix, and the offset of the address. */
struct embedding {
    uint8_t len; /* bytes compared */
    uint8_t prefix[12];
    uint8_t at;
    uint8_t mask; /* 0xff where the address is stored inverted */
};

/* clang-format off */
static const struct embedding embeddings[] = {
    {2,  {0x20, 0x02},                                       2, 0},    /* 6to4, RFC 3056 */
    {12, {0x00, 0x64, 0xff, 0x9b},                          12, 0},    /* NAT64, RFC 6052 */
    {12, {0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff},              12, 0},    /* SIIT, RFC 2765 */
    {4,  {0x20, 0x01, 0x00, 0x00},                           4, 0},    /* Teredo server, RFC 4380 */
    {4,  {0x20, 0x01, 0x00, 0x00},                          12, 0xff}, /* Teredo client */
};
/* clang-format on */

static struct ip ip_from_v4(const uint8_t *four, uint8_t mask)
{
    struct ip ip = {{[10] = 0xff, [11] = 0xff}};

    for (size_t i = 0; i < 4; i++) {
        ip.at[12 + i] = four[i] ^ mask;
    }
    return ip;
}

static bool is_forbidden(const struct target_check *check, const struct ip *ip)
{
    return ip_is_special(ip) || own_addrs_has(check->own_addrs, ip);
}

static bool is_inside(const struct target_check *check, const struct ip *ip)
{
    return check->settings->private_targets == PRIVATE_DENY && ip_is_private(ip);
}

/* ISATAP (RFC 5214) embeds the address under any prefix: only the interface identifier shows it. */
static bool is_isatap(const struct ip *ip)
{
    return (ip->at[8] & ~0x02) == 0 && ip->at[9] == 0 && ip->at[10] == 0x5e && ip->at[11] == 0xfe;
}

/* Prefixes of a local translator (RFC 8215) embed the address at a place that only its operator
 * knows. */
static bool is_local_nat64(const struct ip *ip)
{
    static const uint8_t prefix[6] = {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01};

    return memcmp(ip->at, prefix, sizeof(prefix)) == 0;
}

/* Why an address, or the IPv4 address embedded in it, is refused. */
typedef bool refusal(const struct target_check *check, const struct ip *ip);

static bool hides(const struct target_check *check, const struct ip *ip, refusal *refuses)
{
    struct ip hidden = ip_from_v4(ip->at + 12, 0);

    if (is_local_nat64(ip) || (is_isatap(ip) && refuses(check, &hidden))) {
        return true;
    }
    for (size_t i = 0; i < ARRAY_LEN(embeddings); i++) {
        const struct embedding *embedding = &embeddings[i];
        hidden = ip_from_v4(ip->at + embedding->at, embedding->mask);
        if (memcmp(ip->at, embedding->prefix, embedding->len) == 0 && refuses(check, &hidden)) {
            return true;
        }
    }
    return false;
}

static bool leads_to(const struct target_check *check, const struct ip *ip, refusal *refuses)
{
    return refuses(check, ip) || (!ip_is_v4(ip) && hides(check, ip, refuses));
}

static bool is_listener_of_dns(const struct target_check *check, const struct ip *ip, uint16_t port)
{
    const struct endpoint *at = &check->settings->admin_dns;
    const struct sockaddr *address = (const struct sockaddr *)&at->address;

    if (at->len == 0) {
        return false;
    }
    struct own_listener listener = {ip_of_sockaddr(address), port_of_sockaddr(address)};
    return own_addrs_leads_to(check->own_addrs, &listener, ip, port);
}

bool target_allowed(void *arg, const struct ip *ip, uint16_t port)
{
    struct target_check *check = arg;

    if (port == 0) {
        return false;
    }
    if (check->configured) {
        return true;
    }
    if (own_addrs_has_listener(check->own_addrs, ip, port) || is_listener_of_dns(check, ip, port)) {
        check->why = REASON_TARGET_OWN;
        return false;
    }
    for (size_t i = 0; i < check->settings->allow_target_count; i++) {
        if (prefix_has(&check->settings->allow_targets[i], ip)) {
            return true;
        }
    }
    if (leads_to(check, ip, is_forbidden)) {
        check->why = REASON_NONE;
        return false;
    }
    if (leads_to(check, ip, is_inside)) {
        check->why = REASON_TARGET_PRIVATE;
        return false;
    }
    return true;
}

struct failure target_failure(const struct target_check *check,
                              const struct upstream_result *result)
{
    struct failure failure = upstream_failure(result);

    if (failure.reason == REASON_TARGET_ADDRESS && check->why != REASON_NONE) {
        failure.reason = check->why;
    } else if (failure.reason == REASON_CONNECT && check->why == REASON_TARGET_OWN) {
        /* a name, such as localhost, has an address of ours, and the others do not answer */
        failure = (struct failure){403, REASON_TARGET_OWN};
    }
    return failure;
}

/* ---- ports ---- */

bool target_port_allowed(const struct settings *settings, uint16_t port, bool connect)
{
    if (!connect) {
        return port == 80 || port == 443 || port >= 1024;
    }
    for (size_t i = 0; i < settings->connect_port_count; i++) {
        const struct port_range *range = &settings->connect_ports[i];
        if (port != 0 && port >= range->first && port <= range->last) {
            return true;
        }
    }
    return false;
}

/* ---- rules ---- */

static struct span per_client(const struct settings *settings)
{
    switch (settings->forwarded) {
    case FORWARDED_OFF:
        return SPAN_EMPTY;
    case FORWARDED_X:
        return SPAN("X-Forwarded-For");
    case FORWARDED_RFC7239:
        return SPAN("Forwarded");
    }
    UNREACHABLE();
}

struct policy_settings target_policy(const struct settings *settings, const struct site *site)
{
    struct policy_settings rules = policy_defaults;

    rules.heuristic_percent = (int)settings->cache.heuristic_percent;
    rules.heuristic_max = (int64_t)settings->cache.heuristic_max;
    rules.ignore_client_control = !settings->cache.clients_may_bypass;
    rules.per_client = per_client(settings);
    if (site) {
        rules.targeted = site->targeted;
        rules.targeted_count = site->targeted_count;
        rules.refuse_set_cookie = !site->store_set_cookie;
    }
    return rules;
}

struct policy_settings target_rules(const struct settings *settings, const struct site *site,
                                    struct span path)
{
    struct policy_settings rules = target_policy(settings, site);

    if (site && site->mirror) {
        rules.known = &mirror_class(site, path)->known;
        rules.ignore_client_control |= rules.known->at_least > 0;
    }
    return rules;
}

struct span target_zone(const struct site *site)
{
    return site == NULL ? SPAN("forward") : site->mirror ? site->mirror->zone : SPAN("site");
}
