#include "dnsredir/zone/dynamic.h"

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

struct dynamic_records {
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

bool dynamic_data_is_valid(uint16_t type, struct span data)
{
    switch (type) {
    case TYPE_A:
        return data.len == 4;
    case TYPE_AAAA:
        return data.len == 16;
    case TYPE_CNAME:
        return is_name(data);
    case TYPE_TXT:
        return data.len <= DYNAMIC_DATA_MAX && is_strings(data);
    }
    return false;
}

bool dynamic_next(struct wire_in *in, struct dynamic_record *out)
{
    if (in->failed || wire_left(in) == 0) {
        return false;
    }
    out->type = wire_get_u16(in);
    out->ttl = wire_get_u32(in);
    out->data = wire_get_span(in, wire_get_u16(in));
    in->failed = in->failed || out->ttl > INT32_MAX || !dynamic_data_is_valid(out->type, out->data);
    return !in->failed;
}

void dynamic_put(struct wire_out *out, const struct dynamic_record *record)
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

static struct entry *find(const struct dynamic_records *dynamic, const struct name *name)
{
    uint64_t hash = name_hash(name);
    const struct part *part = dynamic->parts[part_number(hash)];

    for (struct map_link *at = part ? map_first(&part->map, hash) : NULL; at; at = map_next(at)) {
        struct entry *entry = container_of(at, struct entry, link);
        if (name_eq(&entry->name, name)) {
            return entry;
        }
    }
    return NULL;
}

/* ---- the table ---- */

struct dynamic_records *dynamic_new(void)
{
    struct dynamic_records *dynamic = xcalloc(1, sizeof(*dynamic));

    dynamic->users = 1;
    return dynamic;
}

struct dynamic_records *dynamic_ref(struct dynamic_records *dynamic)
{
    if (dynamic) {
        dynamic->users++;
    }
    return dynamic;
}

void dynamic_unref(struct dynamic_records **dynamic)
{
    struct dynamic_records *b = *dynamic;

    *dynamic = NULL;
    if (b && --b->users == 0) {
        for (size_t i = 0; i < PARTS; i++) {
            part_unref(b->parts[i]);
        }
        part_unref(b->old);
        free(b);
    }
}

struct dynamic_records *dynamic_copy(const struct dynamic_records *dynamic)
{
    struct dynamic_records *copy = dynamic_new();

    copy->damaged = dynamic->damaged;
    for (size_t i = 0; i < PARTS; i++) {
        copy->parts[i] = dynamic->parts[i];
        if (copy->parts[i]) {
            atomic_fetch_add_explicit(&copy->parts[i]->users, 1, memory_order_relaxed);
        }
    }
    return copy;
}

struct renewal {
    struct dynamic_records *dynamic;
    void (*add)(void *arg, struct dynamic_records *dynamic, const struct name *name);
    void *arg;
};

static void renew_entry(struct map_link *link, void *arg)
{
    const struct renewal *renewal = arg;
    const struct entry *entry = container_of(link, struct entry, link);

    renewal->add(renewal->arg, renewal->dynamic, &entry->name);
}

void dynamic_renew(struct dynamic_records *dynamic, const struct name *name,
                   void (*add)(void *arg, struct dynamic_records *dynamic, const struct name *name),
                   void *arg)
{
    struct renewal renewal = {dynamic, add, arg};
    size_t number = part_number(name_hash(name));

    if (!dynamic->renewed[number]) {
        dynamic->renewed[number] = true;
        dynamic->old = dynamic->parts[number];
        dynamic->parts[number] = NULL;
        if (dynamic->old) {
            map_each(&dynamic->old->map, renew_entry, &renewal);
        }
        part_unref(dynamic->old);
        dynamic->old = NULL;
    }
    if (!find(dynamic, name)) {
        add(arg, dynamic, name);
    }
}

/* Where the name is, or is added. NULL: the bytes are no name. */
static struct entry *find_or_add(struct dynamic_records *dynamic, struct span wire,
                                 struct part **part)
{
    struct name name;

    if (!is_name(wire)) {
        return NULL;
    }
    name_load(&name, (const uint8_t *)wire.at);
    uint64_t hash = name_hash(&name);
    struct part **at = &dynamic->parts[part_number(hash)];
    *at = *at ? *at : part_new();
    *part = *at;
    struct entry *entry = find(dynamic, &name);
    if (!entry) {
        entry = arena_zalloc(&(*at)->memory, sizeof(*entry));
        entry->name = name;
        map_insert(&(*at)->map, &entry->link, hash);
    }
    return entry;
}

bool dynamic_add(struct dynamic_records *dynamic, struct span owner, struct span records)
{
    struct part *part;
    struct entry *entry = find_or_add(dynamic, owner, &part);
    struct wire_in in = wire_in_of(records.at, records.len);
    struct dynamic_record from;

    if (!entry) {
        return false;
    }
    struct record *record = xmalloc(sizeof(*record));
    size_t had = entry->sets != NULL;
    while (dynamic_next(&in, &from)) {
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
        entry->sets = NULL; /* a part of its records would be a wrong answer */
    }
    part->count = part->count - had + (entry->sets != NULL);
    return !in.failed;
}

bool dynamic_add_serial(struct dynamic_records *dynamic, struct span apex, uint32_t serial)
{
    struct part *part;
    struct entry *entry = find_or_add(dynamic, apex, &part);

    if (entry) {
        entry->has_serial = true;
        entry->serial = serial;
    }
    return entry != NULL;
}

void dynamic_set_damaged(struct dynamic_records *dynamic)
{
    dynamic->damaged = true;
}

bool dynamic_is_damaged(const struct dynamic_records *dynamic)
{
    return dynamic && dynamic->damaged;
}

bool dynamic_is_unknown(const struct dynamic_records *dynamic, const struct name *name)
{
    const struct entry *entry = dynamic ? find(dynamic, name) : NULL;
    return dynamic &&
           ((entry && entry->too_large) || (dynamic->damaged && !(entry && entry->sets)));
}

const struct rrset *dynamic_find(const struct dynamic_records *dynamic, const struct name *name)
{
    const struct entry *entry = dynamic ? find(dynamic, name) : NULL;
    return entry ? entry->sets : NULL;
}

bool dynamic_serial(const struct dynamic_records *dynamic, const struct name *apex, uint32_t *out)
{
    const struct entry *entry = dynamic ? find(dynamic, apex) : NULL;

    if (!entry || !entry->has_serial) {
        return false;
    }
    *out = entry->serial;
    return true;
}

size_t dynamic_count(const struct dynamic_records *dynamic)
{
    size_t count = 0;

    for (size_t i = 0; dynamic && i < PARTS; i++) {
        count += dynamic->parts[i] ? dynamic->parts[i]->count : 0;
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

void dynamic_each(const struct dynamic_records *dynamic,
                  void (*visit)(void *arg, const struct name *name, const struct rrset *sets),
                  void *arg)
{
    struct visit both = {visit, arg};

    for (size_t i = 0; dynamic && i < PARTS; i++) {
        if (dynamic->parts[i]) {
            map_each(&dynamic->parts[i]->map, visit_entry, &both);
        }
    }
}
