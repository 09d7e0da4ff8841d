#include "dnsredir/message/rrset.h"

#include "base/err.h"

const struct rrset *rrset_find(const struct rrset *sets, uint16_t type)
{
    while (sets && sets->type != type) {
        sets = sets->next;
    }
    return sets;
}

static struct rrset *find_or_add(struct arena *arena, struct rrset **sets,
                                 const struct record *record)
{
    struct rrset **link = sets;

    while (*link && (*link)->type != record->type) {
        link = &(*link)->next;
    }
    if (!*link) {
        *link = arena_zalloc(arena, sizeof(**link));
        (*link)->type = record->type;
        (*link)->ttl = record->ttl;
    }
    return *link;
}

/* Gives every record of the set the TTL of the set. */
static void write_ttls(struct rrset *set)
{
    for (uint8_t *at = set->wire; at < set->wire + set->len;) {
        struct wire_out ttl = wire_out_of(at + 6, 4);
        wire_put_u32(&ttl, set->ttl);
        at += RR_FIXED_LEN + (at[10] << 8 | at[11]);
    }
}

static bool has_record(const struct rrset *set, const struct record *record)
{
    for (const uint8_t *at = set->wire; at < set->wire + set->len;) {
        size_t len = (size_t)(at[10] << 8 | at[11]);
        if (len == record->len && memcmp(at + RR_FIXED_LEN, record->data, len) == 0) {
            return true;
        }
        at += RR_FIXED_LEN + len;
    }
    return false;
}

int rrset_add(struct arena *arena, struct rrset **sets, const struct record *record)
{
    struct rrset *set = find_or_add(arena, sets, record);
    size_t len = set->len + RR_FIXED_LEN + record->len;

    set->ttl = record->ttl < set->ttl ? record->ttl : set->ttl;
    if (has_record(set, record)) {
        write_ttls(set);
        return 0;
    }
    if (len > RRSET_LEN_MAX) {
        return ERR_TOO_LARGE;
    }
    if (len > set->cap) {
        set->cap = (uint32_t)(set->len ? 2 * len : len); /* most have one record */
        uint8_t *wider = arena_alloc(arena, set->cap);
        if (set->len) {
            memcpy(wider, set->wire, set->len);
        }
        set->wire = wider;
    }
    struct wire_out out = wire_out_of(set->wire + set->len, len - set->len);
    wire_put_u16(&out, RR_OWNER);
    wire_put_u16(&out, record->type);
    wire_put_u16(&out, CLASS_IN);
    wire_put_u32(&out, set->ttl);
    wire_put_u16(&out, record->len);
    wire_put_bytes(&out, record->data, record->len);
    set->len = (uint32_t)len;
    set->count++;
    write_ttls(set);
    return 0;
}
