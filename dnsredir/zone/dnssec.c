#include "dnsredir/zone/dnssec.h"

#include "base/check.h"
#include "base/mem.h"

#define RRSIG_FIXED_LEN 18 /* length of RRSIG data before the signer's name */
#define DIGEST_SHA256 2
/* The jitter is up to this part of the validity. */
#define JITTER_PART 8

static bool is_wildcard(const struct name *name)
{
    return name->labels && name->at[0] == 1 && name->at[1] == '*';
}

void dnssec_id(const struct signable *what, uint8_t id[DNSSEC_ID_LEN])
{
    uint8_t bytes[2 * NAME_MAX_LEN + DNSSEC_ID_LEN];
    const struct name *owner = what->owner;
    const struct name *apex = &what->zone->apex;
    struct wire_out out = wire_out_of(bytes, sizeof(bytes));

    sip_hash128(&what->key->hash, span_of(what->set->wire, what->set->len), id);
    wire_put_bytes(&out, id, DNSSEC_ID_LEN);
    wire_put_bytes(&out, owner->at, owner->len);
    wire_put_bytes(&out, apex->at, apex->len); /* a name may be in two zones: DS, and its denial */
    CHECK(!out.failed);
    sip_hash128(&what->key->hash, span_of(bytes, wire_out_len(&out)), id);
}

/* ---- the canonical form ---- */

static int compare_data(const void *left, const void *right)
{
    const struct span *a = left;
    const struct span *b = right;
    int order = memcmp(a->at, b->at, a->len < b->len ? a->len : b->len);

    return order ? order : (a->len > b->len) - (a->len < b->len);
}

/* The data of all records in canonical order (RFC 4034 6.3), each once, and their bytes. To be
 * freed by the caller. Names in it are in lower case already (6.2). */
static struct span *sort_data(const struct rrset *set, unsigned *count, size_t *bytes)
{
    struct span *data = xcalloc(set->count, sizeof(*data));
    struct wire_in in = wire_in_of(set->wire, set->len);
    unsigned kept = 0;

    for (unsigned i = 0; i < set->count; i++) {
        wire_get(&in, RR_FIXED_LEN - 2);
        data[i] = wire_get_span(&in, wire_get_u16(&in));
    }
    CHECK(!in.failed && wire_left(&in) == 0);
    qsort(data, set->count, sizeof(*data), compare_data);
    *bytes = 0;
    for (unsigned i = 0; i < set->count; i++) {
        if (kept == 0 || compare_data(&data[kept - 1], &data[i]) != 0) {
            *bytes += data[i].len;
            data[kept++] = data[i];
        }
    }
    *count = kept;
    return data;
}

static uint32_t ttl_of(const struct rrset *set)
{
    struct wire_in in = wire_in_of(set->wire + 6, 4);

    return wire_get_u32(&in);
}

/* The data of the RRSIG record up to the signature (RFC 4034 3.1). */
static void put_head(struct wire_out *out, const struct signable *what,
                     const struct signature *dates)
{
    const struct name *apex = &what->zone->apex;

    wire_put_u16(out, what->set->type);
    wire_put_u8(out, DNSSEC_ALGORITHM);
    wire_put_u8(out, (uint8_t)(what->owner->labels - is_wildcard(what->owner)));
    wire_put_u32(out, ttl_of(what->set));
    wire_put_u32(out, dates->expiration);
    wire_put_u32(out, dates->inception);
    wire_put_u16(out, what->key->tag);
    wire_put_bytes(out, apex->at, apex->len);
}

uint8_t *dnssec_canonical(const struct signable *what, const struct signature *dates, size_t *len)
{
    const struct name *owner = what->owner;
    unsigned count;
    size_t bytes;
    struct span *data = sort_data(what->set, &count, &bytes);

    *len = RRSIG_FIXED_LEN + what->zone->apex.len + count * (owner->len + 10u) + bytes;
    uint8_t *room = xmalloc(*len);
    struct wire_out out = wire_out_of(room, *len);
    put_head(&out, what, dates);
    for (unsigned i = 0; i < count; i++) {
        wire_put_bytes(&out, owner->at, owner->len);
        wire_put_u16(&out, what->set->type);
        wire_put_u16(&out, CLASS_IN);
        wire_put_u32(&out, ttl_of(what->set));
        wire_put_u16(&out, (uint16_t)data[i].len);
        wire_put_bytes(&out, data[i].at, data[i].len);
    }
    CHECK(!out.failed && wire_room(&out) == 0);
    free(data);
    return room;
}

void dnssec_gather(const uint8_t *const *records, unsigned count, size_t record_len, uint8_t *room,
                   struct rrset *out)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < count; i++) {
        unsigned at = kept;
        int order = 1;
        while (at > 0 &&
               (order = memcmp(records[i], room + (at - 1) * record_len, record_len)) < 0) {
            at--;
        }
        if (at > 0 && order == 0) {
            continue;
        }
        memmove(room + (at + 1) * record_len, room + at * record_len, (kept - at) * record_len);
        memcpy(room + at * record_len, records[i], record_len);
        kept++;
    }
    *out = (struct rrset){
        .type = (uint16_t)(room[2] << 8 | room[3]),
        .count = (uint16_t)kept,
        .len = (uint32_t)(kept * record_len),
        .wire = room,
    };
    out->ttl = ttl_of(out);
}

/* ---- signatures ---- */

/* From inception to expiration: the same for a set whenever it is signed. */
static uint32_t lifetime(const struct signable *what)
{
    uint32_t validity = what->zone->validity;
    uint8_t id[DNSSEC_ID_LEN];
    uint32_t jitter;

    dnssec_id(what, id);
    memcpy(&jitter, id, sizeof(jitter));
    return DNSSEC_SKEW + validity - jitter % (validity / JITTER_PART + 1);
}

bool dnssec_is_dated(const struct signable *what, const struct signature *signature)
{
    return signature->expiration - signature->inception == lifetime(what);
}

int dnssec_sign(const struct signable *what, uint32_t now, struct signature *out)
{
    size_t len;

    out->inception = now - DNSSEC_SKEW;
    out->expiration = out->inception + lifetime(what);
    uint8_t *bytes = dnssec_canonical(what, out, &len);
    int err = dnssec_key_sign(what->key, span_of(bytes, len), out->bytes);
    free(bytes);
    return err;
}

uint32_t dnssec_left(const struct signature *signature, uint32_t now)
{
    bool begun = (int32_t)(now - signature->inception) >= 0;
    int32_t left = (int32_t)(signature->expiration - now);

    return begun && left > 0 ? (uint32_t)left : 0;
}

size_t dnssec_rrsig(const struct signable *what, const struct signature *signature, uint8_t *room)
{
    struct wire_out out = wire_out_of(room, RRSIG_MAX);

    wire_put_u16(&out, RR_OWNER);
    wire_put_u16(&out, TYPE_RRSIG);
    wire_put_u16(&out, CLASS_IN);
    wire_put_u32(&out, ttl_of(what->set)); /* RFC 4034 3 */
    wire_put_u16(&out, (uint16_t)(RRSIG_FIXED_LEN + what->zone->apex.len + DNSSEC_SIGNATURE_LEN));
    put_head(&out, what, signature);
    wire_put_bytes(&out, signature->bytes, sizeof(signature->bytes));
    CHECK(!out.failed);
    return wire_out_len(&out);
}

void dnssec_ds(const struct name *apex, const struct dnssec_key *key, uint8_t *out)
{
    uint8_t bytes[NAME_MAX_LEN + DNSKEY_DATA_LEN];
    struct wire_out wire = wire_out_of(bytes, sizeof(bytes));

    wire_put_bytes(&wire, apex->at, apex->len);
    wire_put_bytes(&wire, key->dnskey, sizeof(key->dnskey));
    out[0] = (uint8_t)(key->tag >> 8);
    out[1] = (uint8_t)key->tag;
    out[2] = DNSSEC_ALGORITHM;
    out[3] = DIGEST_SHA256;
    dnssec_digest(span_of(bytes, wire_out_len(&wire)), out + 4);
}
