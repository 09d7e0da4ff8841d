#include "dnsredir/message/cookie.h"

#include "base/err.h"
#include "base/wire.h"

#define VERSION 1
/* RFC 9018 4.3: older is refused, newer by more than the clocks of a set may differ, too; and when
 * half of the time is over the client gets a new one. */
#define AGE_MAX 3600
#define AHEAD_MAX 300
#define AGE_RENEW 1800

#define HASH_AT 8 /* version, three reserved bytes, the time */

int cookie_secret_parse(struct span text, struct sip_key *out)
{
    uint8_t bytes[16] = {0};

    if (text.len != 2 * sizeof(bytes)) {
        return ERR_SYNTAX;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.at[i]);
        bool letter = c >= 'a' && c <= 'f';
        if (!letter && !ascii_is_digit(c)) {
            return ERR_SYNTAX;
        }
        bytes[i / 2] = (uint8_t)(bytes[i / 2] << 4 | (letter ? c - 'a' + 10 : c - '0'));
    }
    memcpy(&out->k0, bytes, 8);
    memcpy(&out->k1, bytes + 8, 8);
    return 0;
}

/* The hash of a cookie whose first HASH_AT bytes are there (RFC 9018 4.4). */
static uint64_t cookie_hash(const struct sip_key *key, const void *client_half, const uint8_t *half,
                            const struct ip *client)
{
    uint8_t input[COOKIE_CLIENT_LEN + HASH_AT + 16];
    bool v4 = ip_is_v4(client);
    size_t ip_len = v4 ? 4 : 16;

    memcpy(input, client_half, COOKIE_CLIENT_LEN);
    memcpy(input + COOKIE_CLIENT_LEN, half, HASH_AT);
    memcpy(input + COOKIE_CLIENT_LEN + HASH_AT, client->at + (v4 ? 12 : 0), ip_len);
    return sip24_hash64(key, span_of(input, COOKIE_CLIENT_LEN + HASH_AT + ip_len));
}

static void cookie_make(const struct sip_key *key, const void *client_half, const struct ip *client,
                        uint32_t now, uint8_t out[COOKIE_SERVER_LEN])
{
    const uint8_t start[HASH_AT] = {
        VERSION,     0, 0, 0, (uint8_t)(now >> 24), (uint8_t)(now >> 16), (uint8_t)(now >> 8),
        (uint8_t)now};

    memcpy(out, start, HASH_AT);
    uint64_t hash = cookie_hash(key, client_half, out, client);
    memcpy(out + HASH_AT, &hash, sizeof(hash)); /* little endian, as the hash is defined */
}

/* Which secret the half was made with; secrets->count: none. The reserved bytes may be anything
 * (RFC 9018 4.2). The hash is compared in one operation, so that time tells nothing about it. */
static unsigned cookie_maker(const struct cookie_secrets *secrets, const void *client_half,
                             const uint8_t *half, const struct ip *client)
{
    uint64_t hash;

    memcpy(&hash, half + HASH_AT, sizeof(hash));
    for (unsigned i = 0; i < secrets->count; i++) {
        if ((cookie_hash(&secrets->keys[i], client_half, half, client) ^ hash) == 0) {
            return i;
        }
    }
    return secrets->count;
}

enum cookie_state cookie_check(const struct cookie_secrets *secrets, struct span option,
                               const struct ip *client, uint32_t now,
                               uint8_t reply[COOKIE_SERVER_LEN])
{
    enum cookie_state state = option.len > COOKIE_CLIENT_LEN ? COOKIE_BAD : COOKIE_CLIENT;

    if (option.len == 0 || secrets->count == 0) {
        return COOKIE_NONE;
    }
    if (option.len == COOKIE_CLIENT_LEN + COOKIE_SERVER_LEN) {
        struct wire_in in = wire_in_of(option.at + COOKIE_CLIENT_LEN, COOKIE_SERVER_LEN);
        const uint8_t *half = in.at;
        bool known = wire_get_u32(&in) >> 24 == VERSION;
        uint32_t age = now - wire_get_u32(&in); /* serial arithmetic (RFC 1982) */
        if (known && (age <= AGE_MAX || 0 - age <= AHEAD_MAX)) {
            unsigned maker = cookie_maker(secrets, option.at, half, client);
            state = maker < secrets->count ? COOKIE_GOOD : COOKIE_BAD;
            if (maker == 0 && age <= AGE_RENEW) {
                memcpy(reply, half, COOKIE_SERVER_LEN);
                return state;
            }
        }
    }
    cookie_make(&secrets->keys[0], option.at, client, now, reply);
    return state;
}
