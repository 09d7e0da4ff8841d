#include "dnsredir/message/tsig.h"

#include "base/check.h"
#include "base/err.h"
#include "dnsredir/message/base64.h"
#include "dnsredir/message/proto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>

#define SECRET_MIN 16
#define FIXED_LEN 10u /* bytes of a record's type, class, TTL and length */
#define DATA_LEN 16u  /* bytes of TSIG data besides algorithm, MAC and other data */
#define OTHER_LEN 6   /* the server's time, with BADTIME */
#define ARCOUNT_AT 10
/* RFC 8945 5.2.2.1: shorter MACs are malformed, whatever the algorithm. */
#define MAC_MIN 10

const char *const tsig_words[TSIG_ALGORITHMS + 1] = {
    [TSIG_SHA256] = "hmac-sha256",
    [TSIG_SHA384] = "hmac-sha384",
    [TSIG_SHA512] = "hmac-sha512",
};

/* clang-format off */
static const struct {
    char digest[8];
    size_t len;
    const char *wire; /* the name of the algorithm, without the root's 0 */
} algorithms[TSIG_ALGORITHMS] = {
    [TSIG_SHA256] = {"SHA256", 32, "\13hmac-sha256"},
    [TSIG_SHA384] = {"SHA384", 48, "\13hmac-sha384"},
    [TSIG_SHA512] = {"SHA512", 64, "\13hmac-sha512"},
};
/* clang-format on */

/* ---- secrets ---- */

int tsig_secret_parse(struct span text, struct tsig_secret *out, const char **what)
{
    memset(out, 0, sizeof(*out));
    if (base64_read(text, out->at, sizeof(out->at), &out->len)) {
        *what = "not base64, or more than 128 bytes of it";
        return ERR_SYNTAX;
    }
    if (out->len < SECRET_MIN) {
        *what = "too short to be a secret; expected at least 16 bytes";
        return ERR_SYNTAX;
    }
    return 0;
}

static struct span without_blanks(struct span text)
{
    while (text.len && memchr(" \t\r\n", text.at[0], 4)) {
        text = span_skip(text, 1);
    }
    while (text.len && memchr(" \t\r\n", text.at[text.len - 1], 4)) {
        text.len--;
    }
    return text;
}

int tsig_secret_parse_file(struct span text, struct tsig_secret *out, const char **what)
{
    const char *word = text.len ? memmem(text.at, text.len, "secret", 6) : NULL;

    if (!word) {
        return tsig_secret_parse(without_blanks(text), out, what);
    }
    struct span rest = without_blanks(span_skip(text, (size_t)(word - text.at) + 6));
    if (!span_starts(rest, SPAN("\""))) {
        *what = "no quotation mark behind \"secret\"";
        return ERR_SYNTAX;
    }
    rest = span_skip(rest, 1);
    return tsig_secret_parse(span_cut(&rest, '"'), out, what);
}

const struct tsig_key *tsig_key_find(const struct tsig_keys *keys, const struct name *name)
{
    for (size_t i = 0; keys && i < keys->count; i++) {
        if (name_eq(&keys->list[i].name, name)) {
            return &keys->list[i];
        }
    }
    return NULL;
}

/* ---- MACs ---- */

static pthread_once_t hmac_once = PTHREAD_ONCE_INIT;
static EVP_MAC *hmac;

static void hmac_fetch(void)
{
    hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    CHECK(hmac != NULL);
}

static EVP_MAC_CTX *mac_begin(const struct tsig_key *key)
{
    char digest[sizeof(algorithms[0].digest)];

    memcpy(digest, algorithms[key->algorithm].digest, sizeof(digest));
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string("digest", digest, 0),
                                 OSSL_PARAM_construct_end()};
    CHECK(pthread_once(&hmac_once, hmac_fetch) == 0);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);
    CHECK(ctx != NULL && EVP_MAC_init(ctx, key->secret.at, key->secret.len, params) == 1);
    return ctx;
}

static void mac_put(EVP_MAC_CTX *ctx, const void *bytes, size_t len)
{
    CHECK(EVP_MAC_update(ctx, (const unsigned char *)bytes, len) == 1);
}

static void mac_end(EVP_MAC_CTX *ctx, uint8_t out[TSIG_MAC_MAX])
{
    size_t len = 0;

    CHECK(EVP_MAC_final(ctx, out, &len, TSIG_MAC_MAX) == 1);
    EVP_MAC_CTX_free(ctx);
}

/* The variables of the TSIG record that are signed together with the message (RFC 8945 4.3.3). */
struct variables {
    const struct name *key, *algorithm;
    uint64_t time;
    uint16_t fudge, error;
    struct span other;
};

static void put_time(struct wire_out *out, uint64_t time)
{
    wire_put_u16(out, (uint16_t)(time >> 32));
    wire_put_u32(out, (uint32_t)time);
}

static void mac_put_variables(EVP_MAC_CTX *ctx, const struct variables *v)
{
    uint8_t room[2 * NAME_MAX_LEN + 32];
    struct wire_out out = wire_out_of(room, sizeof(room));

    wire_put_bytes(&out, v->key->at, v->key->len);
    wire_put_u16(&out, CLASS_ANY);
    wire_put_u32(&out, 0);
    wire_put_bytes(&out, v->algorithm->at, v->algorithm->len);
    put_time(&out, v->time);
    wire_put_u16(&out, v->fudge);
    wire_put_u16(&out, v->error);
    wire_put_u16(&out, (uint16_t)v->other.len);
    CHECK(!out.failed);
    mac_put(ctx, room, wire_out_len(&out));
    mac_put(ctx, v->other.at, v->other.len);
}

/* The MAC of the MAC before it (of an answer: the query's; else empty), of a message without its
 * record, and of what the record says. */
static void mac_of(const struct tsig_key *key, struct span before, struct span message,
                   uint16_t original_id, bool had_record, const struct variables *v,
                   uint8_t out[TSIG_MAC_MAX])
{
    EVP_MAC_CTX *ctx = mac_begin(key);
    uint8_t header[DNS_HEADER_LEN];

    if (before.len) {
        const uint8_t len[2] = {(uint8_t)(before.len >> 8), (uint8_t)before.len};
        mac_put(ctx, len, sizeof(len));
        mac_put(ctx, before.at, before.len);
    }
    memcpy(header, message.at, sizeof(header));
    header[0] = (uint8_t)(original_id >> 8);
    header[1] = (uint8_t)original_id;
    if (had_record) {
        unsigned count = (unsigned)(header[ARCOUNT_AT] << 8 | header[ARCOUNT_AT + 1]) - 1;
        header[ARCOUNT_AT] = (uint8_t)(count >> 8);
        header[ARCOUNT_AT + 1] = (uint8_t)count;
    }
    mac_put(ctx, header, sizeof(header));
    mac_put(ctx, message.at + sizeof(header), message.len - sizeof(header));
    mac_put_variables(ctx, v);
    mac_end(ctx, out);
}

/* ---- messages in ---- */

static uint64_t get_time(struct wire_in *in)
{
    uint64_t high = wire_get_u16(in);
    return high << 32 | wire_get_u32(in);
}

int tsig_read(struct span message, size_t at, struct tsig *out)
{
    struct wire_in in = wire_in_of(message.at, message.len);

    if (at < DNS_HEADER_LEN || !wire_get(&in, at) || name_read(&in, &out->key)) {
        return ERR_SYNTAX;
    }
    out->at = at;
    bool is_tsig =
        wire_get_u16(&in) == TYPE_TSIG && wire_get_u16(&in) == CLASS_ANY && wire_get_u32(&in) == 0;
    size_t len = wire_get_u16(&in);
    if (!is_tsig || in.failed || len != wire_left(&in) || name_read(&in, &out->algorithm)) {
        return ERR_SYNTAX;
    }
    out->time = get_time(&in);
    out->fudge = wire_get_u16(&in);
    out->mac = wire_get_span(&in, wire_get_u16(&in));
    out->original_id = wire_get_u16(&in);
    out->error = wire_get_u16(&in);
    out->other = wire_get_span(&in, wire_get_u16(&in));
    return in.failed || wire_left(&in) ? ERR_SYNTAX : 0;
}

static bool is_algorithm(const struct name *name, enum tsig_algorithm algorithm)
{
    const char *wire = algorithms[algorithm].wire;
    return name->len == strlen(wire) + 1 && memcmp(name->at, wire, name->len) == 0;
}

static uint16_t fudge_of(const struct tsig *tsig)
{
    return tsig->fudge < TSIG_FUDGE ? tsig->fudge : TSIG_FUDGE;
}

static bool mac_is_good(const struct tsig_key *key, struct span before, struct span message,
                        const struct tsig *tsig)
{
    const struct variables v = {&tsig->key,  &tsig->algorithm, tsig->time,
                                tsig->fudge, tsig->error,      tsig->other};
    uint8_t mac[TSIG_MAC_MAX];

    mac_of(key, before, span_take(message, tsig->at), tsig->original_id, true, &v, mac);
    return CRYPTO_memcmp(mac, tsig->mac.at, tsig->mac.len) == 0;
}

static unsigned fail(struct tsig_reply *reply, enum tsig_error error, bool is_signed)
{
    reply->error = (uint16_t)error;
    reply->len = reply->key_name.len + FIXED_LEN + reply->algorithm.len + DATA_LEN;
    reply->len += is_signed ? algorithms[reply->key->algorithm].len : 0;
    reply->len += error == TSIG_BADTIME ? OTHER_LEN : 0;
    reply->key = is_signed ? reply->key : NULL;
    return RCODE_NOTAUTH;
}

void tsig_reply_fit(struct tsig_reply *reply, size_t room)
{
    if (reply->len > room) {
        reply->len = 0;
    }
}

void tsig_reply_late(struct tsig_reply *reply)
{
    reply->good = false;
    fail(reply, TSIG_BADTIME, true);
}

static void reply_begin(const struct tsig *tsig, struct tsig_reply *out)
{
    out->len = 0;
    out->good = false;
    out->key = NULL;
    out->error = 0;
    out->original_id = tsig->original_id;
    out->fudge = tsig->fudge;
    out->time = tsig->time;
    out->mac_len = 0;
    out->key_name = tsig->key;
    out->algorithm = tsig->algorithm;
}

unsigned tsig_check(const struct tsig_keys *keys, struct span message, size_t at, uint64_t now,
                    struct tsig_reply *out)
{
    struct tsig tsig;

    out->len = 0;
    out->good = false;
    out->key = NULL;
    if (tsig_read(message, at, &tsig)) {
        return RCODE_FORMERR;
    }
    reply_begin(&tsig, out);
    out->key = tsig_key_find(keys, &tsig.key);
    if (!out->key || !is_algorithm(&tsig.algorithm, out->key->algorithm)) {
        return fail(out, TSIG_BADKEY, false);
    }
    size_t whole = algorithms[out->key->algorithm].len;
    if (tsig.mac.len > whole || tsig.mac.len < MAC_MIN || tsig.mac.len < whole / 2) {
        out->key = NULL;
        return RCODE_FORMERR;
    }
    if (!mac_is_good(out->key, SPAN_EMPTY, message, &tsig)) {
        return fail(out, TSIG_BADSIG, false);
    }
    out->mac_len = (uint8_t)tsig.mac.len;
    memcpy(out->mac, tsig.mac.at, tsig.mac.len);
    uint64_t apart = now > tsig.time ? now - tsig.time : tsig.time - now;
    if (apart > fudge_of(&tsig)) {
        return fail(out, TSIG_BADTIME, true);
    }
    out->good = true;
    out->len = out->key_name.len + FIXED_LEN + out->algorithm.len + DATA_LEN + whole;
    return RCODE_NOERROR;
}

bool tsig_is_answer(const struct tsig_key *key, struct span message, size_t at,
                    struct span query_mac)
{
    struct tsig tsig;

    return tsig_read(message, at, &tsig) == 0 && is_algorithm(&tsig.algorithm, key->algorithm) &&
           tsig.mac.len == algorithms[key->algorithm].len &&
           mac_is_good(key, query_mac, message, &tsig);
}

/* ---- messages out ---- */

static void put_record(struct wire_out *out, const struct variables *v, struct span mac,
                       uint16_t original_id)
{
    wire_put_bytes(out, v->key->at, v->key->len);
    wire_put_u16(out, TYPE_TSIG);
    wire_put_u16(out, CLASS_ANY);
    wire_put_u32(out, 0);
    wire_put_u16(out, (uint16_t)(v->algorithm->len + DATA_LEN + mac.len + v->other.len));
    wire_put_bytes(out, v->algorithm->at, v->algorithm->len);
    put_time(out, v->time);
    wire_put_u16(out, v->fudge);
    wire_put_u16(out, (uint16_t)mac.len);
    wire_put_bytes(out, mac.at, mac.len);
    wire_put_u16(out, original_id);
    wire_put_u16(out, v->error);
    wire_put_u16(out, (uint16_t)v->other.len);
    wire_put_bytes(out, v->other.at, v->other.len);
}

/* Appends the record, and counts it in the header. Returns the new length. */
static size_t append(uint8_t *message, size_t len, const struct variables *v, struct span mac,
                     uint16_t original_id)
{
    struct wire_out out = wire_out_of(message + len, DNS_MESSAGE_MAX - len);
    unsigned count = (unsigned)(message[ARCOUNT_AT] << 8 | message[ARCOUNT_AT + 1]) + 1;

    put_record(&out, v, mac, original_id);
    CHECK(!out.failed);
    message[ARCOUNT_AT] = (uint8_t)(count >> 8);
    message[ARCOUNT_AT + 1] = (uint8_t)count;
    return len + wire_out_len(&out);
}

size_t tsig_sign(const struct tsig_reply *reply, void *message, size_t len, uint64_t now)
{
    bool late = reply->error == TSIG_BADTIME;
    uint8_t other[OTHER_LEN];
    uint8_t mac[TSIG_MAC_MAX];
    struct wire_out time = wire_out_of(other, sizeof(other));
    bool echoes = reply->error != 0; /* the client could not believe another time */
    const struct variables v = {
        .key = &reply->key_name,
        .algorithm = &reply->algorithm,
        .time = echoes ? reply->time : now,
        .fudge = echoes ? reply->fudge : TSIG_FUDGE,
        .error = reply->error,
        .other = late ? span_of(other, sizeof(other)) : SPAN_EMPTY,
    };

    if (reply->len == 0) {
        return len;
    }
    put_time(&time, now);
    size_t mac_len = 0;
    if (reply->key) {
        mac_of(reply->key, span_of(reply->mac, reply->mac_len), span_of(message, len),
               reply->original_id, false, &v, mac);
        mac_len = algorithms[reply->key->algorithm].len;
    }
    size_t whole = append(message, len, &v, span_of(mac, mac_len), reply->original_id);
    CHECK(whole == len + reply->len);
    return whole;
}

size_t tsig_sign_query(const struct tsig_key *key, void *message, size_t len, uint64_t now,
                       uint16_t fudge, uint8_t mac[TSIG_MAC_MAX], size_t *mac_len)
{
    uint8_t own[TSIG_MAC_MAX];
    struct name algorithm;
    const uint8_t *id = message;
    uint16_t original_id = (uint16_t)(id[0] << 8 | id[1]);

    name_load(&algorithm, (const uint8_t *)algorithms[key->algorithm].wire);
    const struct variables v = {
        .key = &key->name, .algorithm = &algorithm, .time = now, .fudge = fudge};
    mac_of(key, SPAN_EMPTY, span_of(message, len), original_id, false, &v, own);
    size_t whole = algorithms[key->algorithm].len;
    if (mac) {
        memcpy(mac, own, whole);
        *mac_len = whole;
    }
    return append(message, len, &v, span_of(own, whole), original_id);
}
