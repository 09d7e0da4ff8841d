#include "dnsredir/bound.h"

#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

struct entry {
    struct map_link link;
    struct name name;
    struct rrset *sets;
    bool has_serial;
    uint32_t serial;
};

struct bound {
    struct arena memory;
    struct map map;
    size_t count;
    unsigned users;
};

/* ---- stored records ---- */

static bool is_name(struct span data)
{
    struct wire_in in = wire_in_of(data.at, data.len);
    struct name name;

    return name_read(&in, &name) == 0 && wire_left(&in) == 0 && name.len == data.len &&
           memcmp(name.at, data.at, data.len) == 0;
}

static bool is_strings(struct span data)
{
    struct wire_in in = wire_in_of(data.at, data.len);

    do {
        wire_get(&in, wire_get_u8(&in));
    } while (!in.failed && wire_left(&in));
    return !in.failed;
}

bool bound_data_is_valid(uint16_t type, struct span data)
{
    switch (type) {
    case TYPE_A:
        return data.len == 4;
    case TYPE_AAAA:
        return data.len == 16;
    case TYPE_CNAME:
        return is_name(data);
    case TYPE_TXT:
        return data.len <= BOUND_DATA_MAX && is_strings(data);
    }
    return false;
}

bool bound_next(struct wire_in *in, struct bound_record *out)
{
    if (in->failed || wire_left(in) == 0) {
        return false;
    }
    out->type = wire_get_u16(in);
    out->ttl = wire_get_u32(in);
    out->data = wire_get_span(in, wire_get_u16(in));
    in->failed = in->failed || out->ttl > INT32_MAX || !bound_data_is_valid(out->type, out->data);
    return !in->failed;
}

void bound_put(struct wire_out *out, const struct bound_record *record)
{
    wire_put_u16(out, record->type);
    wire_put_u32(out, record->ttl);
    wire_put_u16(out, (uint16_t)record->data.len);
    wire_put_bytes(out, record->data.at, record->data.len);
}

/* ---- the table ---- */

struct bound *bound_new(void)
{
    struct bound *bound = xcalloc(1, sizeof(*bound));

    arena_init(&bound->memory, NULL, 0);
    map_init(&bound->map, 64);
    bound->users = 1;
    return bound;
}

struct bound *bound_ref(struct bound *bound)
{
    if (bound) {
        bound->users++;
    }
    return bound;
}

void bound_unref(struct bound **bound)
{
    struct bound *b = *bound;

    *bound = NULL;
    if (b && --b->users == 0) {
        map_fini(&b->map);
        arena_fini(&b->memory);
        free(b);
    }
}

static struct entry *find(const struct bound *bound, const struct name *name)
{
    for (struct map_link *at = map_first(&bound->map, name_hash(name)); at; at = map_next(at)) {
        struct entry *entry = container_of(at, struct entry, link);
        if (name_eq(&entry->name, name)) {
            return entry;
        }
    }
    return NULL;
}

/* NULL: the bytes are no name. */
static struct entry *find_or_add(struct bound *bound, struct span wire)
{
    struct name name;

    if (!is_name(wire)) {
        return NULL;
    }
    name_load(&name, (const uint8_t *)wire.at);
    struct entry *entry = find(bound, &name);
    if (!entry) {
        entry = arena_zalloc(&bound->memory, sizeof(*entry));
        entry->name = name;
        map_insert(&bound->map, &entry->link, name_hash(&name));
    }
    return entry;
}

bool bound_add(struct bound *bound, struct span owner, struct span records)
{
    struct entry *entry = find_or_add(bound, owner);
    struct wire_in in = wire_in_of(records.at, records.len);
    struct bound_record from;

    if (!entry) {
        return false;
    }
    struct record *record = xmalloc(sizeof(*record));
    bool had = entry->sets != NULL;
    while (bound_next(&in, &from)) {
        record->type = from.type;
        record->ttl = from.ttl;
        record->len = (uint16_t)from.data.len;
        if (from.data.len) {
            memcpy(record->data, from.data.at, from.data.len);
        }
        in.failed = rrset_add(&bound->memory, &entry->sets, record) != 0;
    }
    free(record);
    bound->count += !had && entry->sets;
    return !in.failed;
}

bool bound_add_serial(struct bound *bound, struct span apex, uint32_t serial)
{
    struct entry *entry = find_or_add(bound, apex);

    if (entry) {
        entry->has_serial = true;
        entry->serial = serial;
    }
    return entry != NULL;
}

const struct rrset *bound_find(const struct bound *bound, const struct name *name)
{
    const struct entry *entry = bound ? find(bound, name) : NULL;
    return entry ? entry->sets : NULL;
}

bool bound_serial(const struct bound *bound, const struct name *apex, uint32_t *out)
{
    const struct entry *entry = bound ? find(bound, apex) : NULL;

    if (!entry || !entry->has_serial) {
        return false;
    }
    *out = entry->serial;
    return true;
}

size_t bound_count(const struct bound *bound)
{
    return bound ? bound->count : 0;
}

struct visit {
    void (*visit)(void *arg, const struct name *name, const struct rrset *sets);
    void *arg;
};

static void visit_entry(struct map_link *link, void *arg)
{
    const struct visit *visit = arg;
    const struct entry *entry = container_of(link, struct entry, link);

    if (entry->sets) {
        visit->visit(visit->arg, &entry->name, entry->sets);
    }
}

void bound_each(const struct bound *bound,
                void (*visit)(void *arg, const struct name *name, const struct rrset *sets),
                void *arg)
{
    struct visit both = {visit, arg};
    size_t bucket = 0;

    while (bound && map_walk(&bound->map, &bucket, 1024, visit_entry, &both)) {
    }
}
