#include "dnsredir/zone/bound.h"

#include "base/check.h"
#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "base/mem.h"

#include <stdatomic.h>

/* Names by a part of their hash. A commit makes anew only the parts that it changed. */
#define PARTS 256

struct entry {
    struct map_link link;
    struct name name;
    struct rrset *sets;
    bool too_large; /* and without sets for that */
    bool has_serial;
    uint32_t serial;
};

/* Immutable once it is shared. */
struct part {
    atomic_uint users; /* references from any thread */
    struct arena memory;
    struct map map;
    size_t count; /* names with records */
};

struct bound {
    struct part *parts[PARTS]; /* NULL: empty */
    bool renewed[PARTS];       /* since it was copied */
    struct part *old;          /* while one is renewed, which may be left by a jump */
    bool damaged;
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

/* ---- parts ---- */

static struct part *part_new(void)
{
    struct part *part = xcalloc(1, sizeof(*part));

    atomic_init(&part->users, 1);
    arena_init(&part->memory, NULL, 0);
    map_init(&part->map, 1);
    return part;
}

static void part_unref(struct part *part)
{
    if (part && atomic_fetch_sub_explicit(&part->users, 1, memory_order_acq_rel) == 1) {
        map_fini(&part->map);
        arena_fini(&part->memory);
        free(part);
    }
}

/* Other bits than the map in the part goes by. */
static size_t part_number(uint64_t hash)
{
    return (size_t)(hash * UINT64_C(0x9e3779b97f4a7c15) >> 56) % PARTS;
}

static struct entry *find(const struct bound *bound, const struct name *name)
{
    uint64_t hash = name_hash(name);
    const struct part *part = bound->parts[part_number(hash)];

    for (struct map_link *at = part ? map_first(&part->map, hash) : NULL; at; at = map_next(at)) {
        struct entry *entry = container_of(at, struct entry, link);
        if (name_eq(&entry->name, name)) {
            return entry;
        }
    }
    return NULL;
}

/* ---- the table ---- */

struct bound *bound_new(void)
{
    struct bound *bound = xcalloc(1, sizeof(*bound));

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
        for (size_t i = 0; i < PARTS; i++) {
            part_unref(b->parts[i]);
        }
        part_unref(b->old);
        free(b);
    }
}

struct bound *bound_copy(const struct bound *bound)
{
    struct bound *copy = bound_new();

    copy->damaged = bound->damaged;
    for (size_t i = 0; i < PARTS; i++) {
        copy->parts[i] = bound->parts[i];
        if (copy->parts[i]) {
            atomic_fetch_add_explicit(&copy->parts[i]->users, 1, memory_order_relaxed);
        }
    }
    return copy;
}

struct renewal {
    struct bound *bound;
    void (*add)(void *arg, struct bound *bound, const struct name *name);
    void *arg;
};

static void renew_entry(struct map_link *link, void *arg)
{
    const struct renewal *renewal = arg;
    const struct entry *entry = container_of(link, struct entry, link);

    renewal->add(renewal->arg, renewal->bound, &entry->name);
}

void bound_renew(struct bound *bound, const struct name *name,
                 void (*add)(void *arg, struct bound *bound, const struct name *name), void *arg)
{
    struct renewal renewal = {bound, add, arg};
    size_t number = part_number(name_hash(name));

    if (!bound->renewed[number]) {
        bound->renewed[number] = true;
        bound->old = bound->parts[number];
        bound->parts[number] = NULL;
        if (bound->old) {
            map_each(&bound->old->map, renew_entry, &renewal);
        }
        part_unref(bound->old);
        bound->old = NULL;
    }
    if (!find(bound, name)) {
        add(arg, bound, name);
    }
}

/* Where the name is, or is added. NULL: the bytes are no name. */
static struct entry *find_or_add(struct bound *bound, struct span wire, struct part **part)
{
    struct name name;

    if (!is_name(wire)) {
        return NULL;
    }
    name_load(&name, (const uint8_t *)wire.at);
    uint64_t hash = name_hash(&name);
    struct part **at = &bound->parts[part_number(hash)];
    *at = *at ? *at : part_new();
    *part = *at;
    struct entry *entry = find(bound, &name);
    if (!entry) {
        entry = arena_zalloc(&(*at)->memory, sizeof(*entry));
        entry->name = name;
        map_insert(&(*at)->map, &entry->link, hash);
    }
    return entry;
}

bool bound_add(struct bound *bound, struct span owner, struct span records)
{
    struct part *part;
    struct entry *entry = find_or_add(bound, owner, &part);
    struct wire_in in = wire_in_of(records.at, records.len);
    struct bound_record from;

    if (!entry) {
        return false;
    }
    struct record *record = xmalloc(sizeof(*record));
    size_t had = entry->sets != NULL;
    while (bound_next(&in, &from)) {
        record->type = from.type;
        record->ttl = from.ttl;
        record->len = (uint16_t)from.data.len;
        if (from.data.len) {
            memcpy(record->data, from.data.at, from.data.len);
        }
        if (rrset_add(&part->memory, &entry->sets, record)) {
            entry->too_large = true; /* the others are looked at all the same */
        }
    }
    free(record);
    if (entry->too_large) {
        entry->sets = NULL; /* a part of what is bound would be a wrong answer */
    }
    part->count = part->count - had + (entry->sets != NULL);
    return !in.failed;
}

bool bound_add_serial(struct bound *bound, struct span apex, uint32_t serial)
{
    struct part *part;
    struct entry *entry = find_or_add(bound, apex, &part);

    if (entry) {
        entry->has_serial = true;
        entry->serial = serial;
    }
    return entry != NULL;
}

void bound_set_damaged(struct bound *bound)
{
    bound->damaged = true;
}

bool bound_is_damaged(const struct bound *bound)
{
    return bound && bound->damaged;
}

bool bound_is_unknown(const struct bound *bound, const struct name *name)
{
    const struct entry *entry = bound ? find(bound, name) : NULL;
    return bound && ((entry && entry->too_large) || (bound->damaged && !(entry && entry->sets)));
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
    size_t count = 0;

    for (size_t i = 0; bound && i < PARTS; i++) {
        count += bound->parts[i] ? bound->parts[i]->count : 0;
    }
    return count;
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

    for (size_t i = 0; bound && i < PARTS; i++) {
        if (bound->parts[i]) {
            map_each(&bound->parts[i]->map, visit_entry, &both);
        }
    }
}
