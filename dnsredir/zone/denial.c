#include "dnsredir/zone/denial.h"

#include "base/check.h"
#include "dnsredir/steering/policy.h"

#define BYTE_MAX 0xff
#define WINDOW_MAX 34 /* a number, a length, 32 bytes */

void denial_add(struct denial_types *types, uint16_t type)
{
    unsigned at = types->count;

    while (at > 0 && types->at[at - 1] > type) {
        at--;
    }
    if (types->count == DENIAL_TYPES_MAX || (at > 0 && types->at[at - 1] == type)) {
        return;
    }
    memmove(types->at + at + 1, types->at + at, (types->count - at) * sizeof(types->at[0]));
    types->at[at] = type;
    types->count++;
}

void denial_types_of(const struct node *node, struct denial_types *out)
{
    out->count = 0;
    denial_add(out, TYPE_RRSIG);
    denial_add(out, TYPE_NSEC);
    for (const struct rrset *set = node->sets; set; set = set->next) {
        if (!node->cut || set->type == TYPE_NS || set->type == TYPE_DS) { /* RFC 4035 2.3 */
            denial_add(out, set->type);
        }
    }
    if (node->policy && node->policy->targets) {
        denial_add(out, TYPE_CNAME);
    } else if (node->policy) {
        if (policy_has(node->policy, false)) {
            denial_add(out, TYPE_A);
        }
        if (policy_has(node->policy, true)) {
            denial_add(out, TYPE_AAAA);
        }
    }
}

/* RFC 4034 4.1.2: of every 256 types that have one a number, a length, and bits up to the last.
 * Returns the length of the map, at most WINDOW_MAX for each type. */
static size_t write_types(const struct denial_types *types, uint8_t *map)
{
    size_t at = 0;
    unsigned i = 0;

    while (i < types->count) {
        uint8_t *window = map + at;
        window[0] = (uint8_t)(types->at[i] >> 8);
        memset(window + 1, 0, WINDOW_MAX - 1);
        for (; i < types->count && types->at[i] >> 8 == window[0]; i++) {
            unsigned low = types->at[i] & 0xff;
            window[2 + low / 8] |= (uint8_t)(0x80 >> (low % 8));
            window[1] = (uint8_t)(low / 8 + 1);
        }
        at += 2u + window[1];
    }
    return at;
}

void denial_nsec(const struct name *next, const struct denial_types *types, uint32_t ttl,
                 uint8_t *room, struct rrset *out)
{
    uint8_t *map = room + RR_FIXED_LEN + next->len;
    size_t data = next->len + write_types(types, map);
    uint8_t head[RR_FIXED_LEN];
    struct wire_out wire = wire_out_of(head, sizeof(head));

    wire_put_u16(&wire, RR_OWNER);
    wire_put_u16(&wire, TYPE_NSEC);
    wire_put_u16(&wire, CLASS_IN);
    wire_put_u32(&wire, ttl);
    wire_put_u16(&wire, (uint16_t)data);
    memcpy(room, head, sizeof(head));
    memcpy(room + RR_FIXED_LEN, next->at, next->len);
    *out = (struct rrset){.type = TYPE_NSEC,
                          .count = 1,
                          .ttl = ttl,
                          .len = (uint32_t)(RR_FIXED_LEN + data),
                          .wire = room};
}

/* ---- names beside names (RFC 4471 3) ---- */

/* The name with its first label replaced. */
static void with_label(const struct name *name, const uint8_t *label, size_t len, struct name *out)
{
    uint8_t wire[NAME_MAX_LEN + 1];
    size_t skip = name->at[0] + 1u;
    struct wire_out to = wire_out_of(wire, sizeof(wire));

    wire_put_u8(&to, (uint8_t)len);
    wire_put_bytes(&to, label, len);
    wire_put_bytes(&to, name->at + skip, name->len - skip);
    CHECK(!to.failed && wire_out_len(&to) <= NAME_MAX_LEN);
    name_load(out, wire);
}

/* Upper case is no place of its own. */
static uint8_t byte_after(uint8_t byte)
{
    return byte == 'A' - 1 ? 'Z' + 1 : (uint8_t)(byte + 1);
}

static uint8_t byte_before(uint8_t byte)
{
    return byte == 'Z' + 1 ? 'A' - 1 : (uint8_t)(byte - 1);
}

/* The first name behind `name` and everything below it. */
static void after_subtree(const struct name *name, const struct name *apex, struct name *out)
{
    struct name at = *name;

    while (at.labels > apex->labels) {
        uint8_t label[NAME_MAX_LABEL + 1];
        size_t len = at.at[0];
        memcpy(label, at.at + 1, len);
        if (len < NAME_MAX_LABEL && at.len < NAME_MAX_LEN) {
            label[len++] = 0;
            with_label(&at, label, len, out);
            return;
        }
        while (len > 0 && label[len - 1] == BYTE_MAX) {
            len--;
        }
        if (len > 0) {
            label[len - 1] = byte_after(label[len - 1]);
            with_label(&at, label, len, out);
            return;
        }
        struct name above;
        name_suffix(&at, 1, &above);
        at = above;
    }
    *out = *apex;
}

void denial_next(const struct name *name, const struct name *apex, struct name *out)
{
    uint8_t wire[NAME_MAX_LEN + 2] = {1, 0};

    if (name->len + 2 <= NAME_MAX_LEN) {
        memcpy(wire + 2, name->at, name->len);
        name_load(out, wire);
        return;
    }
    after_subtree(name, apex, out);
}

/* The last name below `name` that there could be: labels of nothing but 255, as long as can be. */
static void last_below(const struct name *name, struct name *out)
{
    uint8_t wire[NAME_MAX_LEN];
    size_t start = NAME_MAX_LEN - name->len;

    memcpy(wire + start, name->at, name->len);
    while (start >= 2) {
        size_t len = start - 1 < NAME_MAX_LABEL ? start - 1 : NAME_MAX_LABEL;
        memset(wire + start - len, BYTE_MAX, len);
        wire[start - len - 1] = (uint8_t)len;
        start -= len + 1;
    }
    name_load(out, wire + start);
}

/* The last label before the first one of `name`, with nothing below it. */
static bool before_name(const struct name *name, struct name *out)
{
    uint8_t label[NAME_MAX_LABEL + 1];
    size_t len = name->at[0];
    size_t most = NAME_MAX_LEN - (name->len - len); /* for this label */

    memcpy(label, name->at + 1, len);
    if (label[len - 1] == 0) {
        if (len == 1) {
            name_suffix(name, 1, out);
            return true;
        }
        struct name shorter;
        with_label(name, label, len - 1, &shorter);
        last_below(&shorter, out);
        return false;
    }
    label[len - 1] = byte_before(label[len - 1]);
    most = most < NAME_MAX_LABEL ? most : NAME_MAX_LABEL;
    memset(label + len, BYTE_MAX, most - len);
    with_label(name, label, most, out);
    return false;
}

bool denial_cover(const struct name *name, const struct name *apex, struct name *before,
                  struct name *after)
{
    CHECK(name->labels > apex->labels);
    after_subtree(name, apex, after);
    return before_name(name, before);
}

bool denial_allows(const struct name *name)
{
    for (unsigned i = 0; i < name->labels; i++) {
        const uint8_t *label = name->at + name->label[i];
        if (memchr(label + 1, BYTE_MAX, *label)) {
            return false;
        }
    }
    return true;
}
