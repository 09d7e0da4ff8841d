#include "verify.h"

#include "base/mem.h"

#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#define RECORDS_MAX 64

struct found {
    unsigned section;
    struct name owner;
    uint16_t type;
    uint32_t ttl;
    uint8_t data[1024]; /* names in it without pointers */
    size_t len;
};

static struct found *records; /* of the last packet */
static unsigned record_count;

bool verify_bytes(const struct dnssec_key *key, struct span bytes, const uint8_t *signature)
{
    ECDSA_SIG *numbers = ECDSA_SIG_new();
    unsigned char *der = NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    cr_assert_eq(ECDSA_SIG_set0(numbers, BN_bin2bn(signature, 32, NULL),
                                BN_bin2bn(signature + 32, 32, NULL)),
                 1);
    int len = i2d_ECDSA_SIG(numbers, &der);
    cr_assert_gt(len, 0);
    cr_assert_eq(EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key->pkey), 1);
    int good =
        EVP_DigestVerify(context, der, (size_t)len, (const unsigned char *)bytes.at, bytes.len);
    EVP_MD_CTX_free(context);
    ECDSA_SIG_free(numbers);
    CRYPTO_free(der, __FILE__, __LINE__);
    return good == 1;
}

int compare_names(const struct name *a, const struct name *b)
{
    for (unsigned i = 1; i <= a->labels && i <= b->labels; i++) {
        const uint8_t *x = a->at + a->label[a->labels - i];
        const uint8_t *y = b->at + b->label[b->labels - i];
        int order = memcmp(x + 1, y + 1, *x < *y ? *x : *y);
        if (order || *x != *y) {
            return order ? order : *x - *y;
        }
    }
    return a->labels - b->labels;
}

/* ---- reading ---- */

static void put_expanded_name(struct wire_in *in, struct wire_out *out)
{
    struct name name;

    cr_assert_eq(name_read(in, &name), 0);
    wire_put_bytes(out, name.at, name.len);
}

static void read_data(struct wire_in *in, size_t len, struct found *out)
{
    struct wire_out data = wire_out_of(out->data, sizeof(out->data));
    const uint8_t *end = in->at + len;

    switch (out->type) {
    case TYPE_SOA:
        put_expanded_name(in, &data);
        put_expanded_name(in, &data);
        break;
    case TYPE_MX:
        wire_put_u16(&data, wire_get_u16(in));
        put_expanded_name(in, &data);
        break;
    case TYPE_NS:
    case TYPE_CNAME:
    case TYPE_PTR:
        put_expanded_name(in, &data);
        break;
    default:
        break;
    }
    size_t rest = (size_t)(end - in->at);
    wire_put_bytes(&data, wire_get(in, rest), rest);
    cr_assert_not(data.failed);
    out->len = wire_out_len(&data);
}

static void read_packet(const struct dialogue *d)
{
    struct wire_in in = wire_in_of(d->packet, d->packet_len);
    uint16_t counts[4];

    free(records);
    records = xcalloc(RECORDS_MAX, sizeof(*records));
    record_count = 0;
    wire_get_u32(&in);
    for (unsigned i = 0; i < 4; i++) {
        counts[i] = wire_get_u16(&in);
    }
    for (unsigned i = 0; i < counts[0]; i++) {
        name_skip(&in);
        wire_get_u32(&in);
    }
    for (unsigned section = 0; section < 3; section++) {
        for (unsigned i = 0; i < counts[section + 1]; i++) {
            cr_assert_lt(record_count, RECORDS_MAX);
            struct found *to = &records[record_count++];
            to->section = section;
            cr_assert_eq(name_read(&in, &to->owner), 0);
            to->type = wire_get_u16(&in);
            wire_get_u16(&in);
            to->ttl = wire_get_u32(&in);
            uint16_t len = wire_get_u16(&in);
            read_data(&in, len, to);
        }
    }
    cr_assert_not(in.failed);
}

/* ---- verifying ---- */

static bool covers(const struct found *rrsig, const struct found *record)
{
    return rrsig->type == TYPE_RRSIG && rrsig->section == record->section &&
           name_eq(&rrsig->owner, &record->owner) &&
           (rrsig->data[0] << 8 | rrsig->data[1]) == record->type;
}

/* RFC 4035 5.3.2: the name that was signed. */
static void put_signed_owner(struct wire_out *out, const struct found *rrsig)
{
    unsigned labels = rrsig->data[3];
    struct name suffix;

    cr_assert_leq(labels, rrsig->owner.labels);
    name_suffix(&rrsig->owner, rrsig->owner.labels - labels, &suffix);
    if (labels < rrsig->owner.labels &&
        !(rrsig->owner.labels == labels + 1 && memcmp(rrsig->owner.at, "\1*", 2) == 0)) {
        wire_put_bytes(out, "\1*", 2);
        wire_put_bytes(out, suffix.at, suffix.len);
    } else {
        wire_put_bytes(out, rrsig->owner.at, rrsig->owner.len);
    }
}

static int compare_found(const void *left, const void *right)
{
    const struct found *a = *(const struct found *const *)left;
    const struct found *b = *(const struct found *const *)right;
    int order = memcmp(a->data, b->data, a->len < b->len ? a->len : b->len);

    return order ? order : (int)a->len - (int)b->len;
}

static const struct dnssec_key *find_key(const struct dialogue *d, const struct name *apex,
                                         unsigned tag)
{
    for (const struct signing *s = d->settings->signings; s; s = s->next) {
        for (unsigned i = 0; name_eq(&s->apex, apex) && i < s->key_count; i++) {
            if (s->keys[i]->tag == tag) {
                return s->keys[i];
            }
        }
    }
    return NULL;
}

static void verify_one(const struct dialogue *d, const struct found *rrsig)
{
    static uint8_t room[65536];
    const struct found *set[RECORDS_MAX];
    struct wire_out out = wire_out_of(room, sizeof(room));
    struct wire_in in = wire_in_of(rrsig->data, rrsig->len);
    unsigned count = 0;
    struct name signer;

    for (unsigned i = 0; i < record_count; i++) {
        if (covers(rrsig, &records[i])) {
            set[count++] = &records[i];
        }
    }
    wire_get(&in, 4);
    uint32_t ttl = wire_get_u32(&in);
    int32_t until = (int32_t)(wire_get_u32(&in) - d->client.now);
    int32_t since = (int32_t)(d->client.now - wire_get_u32(&in));
    unsigned tag = wire_get_u16(&in);
    cr_assert(until > 0 && since > 0, "it is good now");
    cr_assert_eq(name_read(&in, &signer), 0);
    cr_assert(name_is_below(&rrsig->owner, &signer));
    wire_put_bytes(&out, rrsig->data, rrsig->len - 64);
    qsort(set, count, sizeof(set[0]), compare_found);
    for (unsigned i = 0; i < count; i++) {
        cr_assert_eq(set[i]->ttl, rrsig->ttl, "RFC 4034 3");
        cr_assert_eq(ttl, rrsig->ttl, "the original TTL");
        if (i > 0 && compare_found(&set[i - 1], &set[i]) == 0) {
            continue;
        }
        put_signed_owner(&out, rrsig);
        wire_put_u16(&out, set[i]->type);
        wire_put_u16(&out, CLASS_IN);
        wire_put_u32(&out, ttl);
        wire_put_u16(&out, (uint16_t)set[i]->len);
        wire_put_bytes(&out, set[i]->data, set[i]->len);
    }
    const struct dnssec_key *key = find_key(d, &signer, tag);
    cr_assert_not_null(key, "a key of the signer");
    if (count) { /* else RRSIG itself was asked for */
        cr_assert(
            verify_bytes(key, span_of(room, wire_out_len(&out)), rrsig->data + rrsig->len - 64),
            "the signature of type %u", rrsig->data[0] << 8 | rrsig->data[1]);
    }
}

unsigned verify_answer(const struct dialogue *d)
{
    unsigned count = 0;

    read_packet(d);
    for (unsigned i = 0; i < record_count; i++) {
        const struct found *record = &records[i];
        bool found = record->type == TYPE_RRSIG || record->section == 2 ||
                     (record->section == 1 && record->type == TYPE_NS);
        for (unsigned n = 0; n < record_count; n++) {
            found = found || covers(&records[n], record);
        }
        cr_assert(found, "type %u has no signature", record->type);
        if (record->type == TYPE_RRSIG) {
            verify_one(d, record);
            count++;
        }
    }
    return count;
}

bool has_cover(const struct dialogue *d, const char *text)
{
    struct name name, next;

    cr_assert_eq(name_parse_absolute(span_str(text), &name), 0);
    read_packet(d);
    for (unsigned i = 0; i < record_count; i++) {
        if (records[i].type == TYPE_NSEC) {
            name_load(&next, records[i].data);
            if (compare_names(&records[i].owner, &name) < 0 && compare_names(&name, &next) < 0) {
                return true;
            }
        }
    }
    return false;
}
