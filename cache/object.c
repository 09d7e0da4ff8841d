#include "cache/object.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/memory.h"
#include "cache/partial.h"

/*
 * A stored head:
 *
 *   u16 format (1)   u16 status   u16 reason length   u16 number of fields   reason
 *   then each field: u16 name length   u32 value length   name   value
 *
 * Little endian, unaligned. Read as untrusted input, because a disk may return anything.
 */
enum { HEAD_FORMAT = 1 };

/* ---- making ---- */

struct copy {
    char *at;
};

static struct span copy_span(struct copy *copy, struct span bytes)
{
    char *at = copy->at;

    if (bytes.len) {
        memcpy(at, bytes.at, bytes.len);
    }
    copy->at += bytes.len;
    return span_of(at, bytes.len);
}

static size_t text_size(const struct cache_key *key, struct span reason,
                        const struct http_fields *fields)
{
    size_t size = key->text.len + reason.len;

    for (size_t i = 0; i < fields->count; i++) {
        size += fields->at[i].name.len + fields->at[i].value.len;
    }
    return size;
}

/* One allocation for the struct, the fields and all text. */
static struct object *object_alloc(const struct cache_key *key, struct span reason,
                                   const struct http_fields *fields)
{
    size_t table = fields->count * sizeof(struct http_field);
    size_t size = sizeof(struct object) + table + text_size(key, reason, fields);
    struct object *object = xmalloc(size);

    memset(object, 0, sizeof(*object));
    atomic_init(&object->refs, 1);
    object->size = size;
    memory_take(MEMORY_HEADS, size);
    object->kind = OBJECT_RESPONSE;
    object->body_len = -1;
    object->fields.at = (struct http_field *)(object + 1);
    object->fields.count = fields->count;
    object->fields.cap = fields->count;
    struct copy copy = {(char *)(object + 1) + table};
    memcpy(object->key.hash, key->hash, sizeof(key->hash));
    object->key.text = copy_span(&copy, key->text);
    object->reason = copy_span(&copy, reason);
    for (size_t i = 0; i < fields->count; i++) {
        const struct http_field *field = &fields->at[i];
        object->fields.at[i] = (struct http_field){
            .name = copy_span(&copy, field->name),
            .value = copy_span(&copy, field->value),
            .id = field->id,
        };
    }
    return object;
}

struct object *object_new(const struct cache_key *key, const struct http_head *head,
                          const struct http_fields *fields, const struct freshness *freshness,
                          struct spool *spool)
{
    struct object *object = object_alloc(key, head->reason, fields);

    object->status = head->status;
    object->framing = head->framing;
    object->received = head->version;
    object->body_len = head->framing == BODY_NONE ? -1 : head->content_length;
    object->freshness = *freshness;
    object->spool = spool;
    return object;
}

struct object *object_updated(struct object *old, const struct http_fields *fields,
                              const struct freshness *freshness)
{
    struct object *object = object_alloc(&old->key, old->reason, fields);

    object->status = old->status;
    object->framing = old->framing;
    object->received = old->received;
    object->body_len = old->body_len;
    object->freshness = *freshness;
    object->updated = true;
    object->kind = old->kind;
    object->body_of = object_ref(old->body_of ? old->body_of : old);
    return object;
}

struct object *object_new_partial(const struct cache_key *key, const struct http_head *head,
                                  const struct http_fields *fields,
                                  const struct freshness *freshness, struct partial *parts)
{
    struct object *object = object_new(key, head, fields, freshness, NULL);

    object->kind = OBJECT_PARTIAL;
    object->parts = parts;
    object->framing = BODY_LENGTH;
    object->body_len = (int64_t)partial_length(parts);
    return object;
}

struct object *object_new_vary(const struct cache_key *key, const struct http_fields *lines)
{
    struct object *object = object_alloc(key, SPAN_EMPTY, lines);

    object->kind = OBJECT_VARY;
    object->body_len = 0;
    return object;
}

struct object *object_ref(struct object *object)
{
    atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
    return object;
}

void object_unref(struct object **slot)
{
    struct object *object = *slot;

    *slot = NULL;
    while (object && atomic_fetch_sub_explicit(&object->refs, 1, memory_order_acq_rel) == 1) {
        struct object *body_of = object->body_of;
        spool_unref(&object->spool);
        partial_unref(&object->parts);
        if (object->from_store) {
            store_object_done(object->store, &object->stored);
        }
        memory_give(MEMORY_HEADS, object->size);
        free(object);
        object = body_of;
    }
}

/* ---- to and from the store ---- */

static void put_u16(struct buf *out, size_t value)
{
    uint16_t raw = (uint16_t)value;

    buf_append(out, span_of(&raw, sizeof(raw)));
}

static void put_u32(struct buf *out, size_t value)
{
    uint32_t raw = (uint32_t)value;

    buf_append(out, span_of(&raw, sizeof(raw)));
}

/* Does the format have room for it? The origin chooses these numbers; a response that does not fit
 * is refused, not cut. */
static bool is_encodable(const struct object *object)
{
    if (object->reason.len > UINT16_MAX || object->fields.count > UINT16_MAX) {
        return false;
    }
    for (size_t i = 0; i < object->fields.count; i++) {
        const struct http_field *field = &object->fields.at[i];
        if (field->name.len > UINT16_MAX || field->value.len > UINT32_MAX) {
            return false;
        }
    }
    return true;
}

_Static_assert((HTTP_1_0 ^ HTTP_1_1) < 32 && (HTTP_2 ^ HTTP_1_1) < 32, "beside three bits of kind");

/* Kind and version in one byte; in older records there is no version, which means HTTP/1.1. */
static uint8_t pack_origin(enum object_kind kind, enum http_version received)
{
    return (uint8_t)(kind | (received ^ HTTP_1_1) << 3);
}

static enum object_kind unpack_origin(uint8_t packed, enum http_version *received)
{
    *received = (enum http_version)(packed >> 3 ^ HTTP_1_1);
    return (enum object_kind)(packed & 7);
}

int object_encode(const struct object *object, struct buf *head, struct object_meta *meta)
{
    if (!is_encodable(object)) {
        return ERR_TOO_LARGE;
    }
    put_u16(head, HEAD_FORMAT);
    put_u16(head, (size_t)object->status);
    put_u16(head, object->reason.len);
    put_u16(head, object->fields.count);
    buf_append(head, object->reason);
    for (size_t i = 0; i < object->fields.count; i++) {
        const struct http_field *field = &object->fields.at[i];
        put_u16(head, field->name.len);
        put_u32(head, field->value.len);
        buf_append(head, field->name);
        buf_append(head, field->value);
    }
    meta->freshness = object->freshness;
    meta->freshness.reserved[0] = pack_origin(object->kind, object->received);
    return 0;
}

static bool take(struct span *rest, size_t n, struct span *out)
{
    if (rest->len < n) {
        return false;
    }
    *out = span_take(*rest, n);
    *rest = span_skip(*rest, n);
    return true;
}

static bool take_int(struct span *rest, size_t n, uint32_t *out)
{
    struct span raw;

    *out = 0;
    if (!take(rest, n, &raw)) {
        return false;
    }
    memcpy(out, raw.at, n);
    return true;
}

static bool decode_field(struct span *rest, struct http_fields *fields)
{
    uint32_t name_len, value_len;
    struct span name, value;

    if (!take_int(rest, 2, &name_len) || !take_int(rest, 4, &value_len) ||
        !take(rest, name_len, &name) || !take(rest, value_len, &value)) {
        return false;
    }
    fields_add(fields, name, value);
    return true;
}

static bool decode_head(struct span text, uint32_t *status, struct span *reason,
                        struct http_fields *fields)
{
    uint32_t format, reason_len, count;

    if (!take_int(&text, 2, &format) || format != HEAD_FORMAT || !take_int(&text, 2, status) ||
        !take_int(&text, 2, &reason_len) || !take_int(&text, 2, &count) ||
        !take(&text, reason_len, reason)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!decode_field(&text, fields)) {
            return false;
        }
    }
    return text.len == 0;
}

static struct spool *spool_of_bytes(struct span body)
{
    struct spool *spool = spool_new(&(struct spool_options){
        .expected = (int64_t)body.len,
        .limit = body.len,
        .room_certain = true,
    });

    spool_keep(spool, body.len);
    spool_append(spool, body);
    spool_end(spool, 0);
    return spool;
}

static bool is_plausible(uint32_t status, enum object_kind kind)
{
    switch (kind) {
    case OBJECT_VARY:
        return status == 0;
    case OBJECT_PARTIAL:
        return status == 200;
    default:
        return kind == OBJECT_RESPONSE && status >= 100 && status <= 999;
    }
}

struct object *object_decode(const struct cache_key *key, struct span head, struct span meta_bytes,
                             uint64_t body_len)
{
    _Alignas(16) char first[4096];
    struct arena arena;
    struct http_fields fields;
    struct span reason;
    uint32_t status;
    struct object_meta meta;
    struct object *object = NULL;
    enum http_version received;

    if (meta_bytes.len != sizeof(meta) || body_len > INT64_MAX) {
        return NULL;
    }
    memcpy(&meta, meta_bytes.at, sizeof(meta));
    arena_init(&arena, first, sizeof(first));
    fields_init(&fields, &arena, 24);
    enum object_kind kind = unpack_origin(meta.freshness.reserved[0], &received);
    if (decode_head(head, &status, &reason, &fields) && is_plausible(status, kind)) {
        object = object_alloc(key, reason, &fields);
        object->status = (int)status;
        object->kind = kind;
        object->received = received;
        object->freshness = meta.freshness;
        object->freshness.reserved[0] = 0;
        object->body_len = (int64_t)body_len;
        object->framing = BODY_LENGTH;
    }
    arena_fini(&arena);
    return object;
}

/* The body of the record is the table of its pieces. */
static bool adopt_parts(struct object *object, struct shelf shelf, struct store_object *record)
{
    if (store_readable(shelf.store, record->body) != 0) {
        return false;
    }
    object->parts = partial_decode(
        &(struct partial_options){
            .stores = shelf.stores,
            .key = &object->key,
            .secret = stores_secret(shelf.stores),
        },
        record->body);
    if (object->parts == NULL) {
        return false;
    }
    object->body_len = (int64_t)partial_length(object->parts);
    store_object_done(shelf.store, record);
    return true;
}

static bool adopt_body(struct object *object, struct store *store, size_t copy_max,
                       struct store_object *record)
{
    if (record->chunk_count == 0 && record->body_len <= copy_max) {
        if (store_readable(store, record->body) != 0) {
            return false;
        }
        object->spool = spool_of_bytes(record->body);
        store_object_done(store, record);
    } else {
        object->store = store;
        object->stored = *record;
        object->from_store = true;
    }
    return true;
}

int object_load(struct shelf shelf, const struct cache_key *key, enum object_use use,
                size_t copy_max, struct cold *cold, struct object **out)
{
    struct store *store = shelf.store;
    struct store_object record;

    *out = NULL;
    int err = cold ? cold_find(cold, shelf, key, &record)
                   : shelf_find(shelf, key->hash, key->text, &record);
    if (err) {
        return err;
    }
    if (use == OBJECT_USED) {
        store_used(store, &record);
    }
    uint32_t segment = record.segment, number = record.number;
    struct object *object =
        object_decode(key, record.head, span_of(record.meta, record.meta_len), record.body_len);
    bool adopted =
        object && (object->kind == OBJECT_PARTIAL ? adopt_parts(object, shelf, &record)
                                                  : adopt_body(object, store, copy_max, &record));
    if (!adopted) {
        object_unref(&object);
        store_object_done(store, &record);
        shelf_drop(shelf, key->hash, NULL, NULL);
        return ERR_CORRUPT;
    }
    object->segment = segment;
    object->number = number;
    object->saved = object->freshness.response_time;
    *out = object;
    return 0;
}

/* ---- where the body is ---- */

bool object_same_body(const struct object *a, const struct object *b)
{
    a = object_owner(a);
    b = object_owner(b);
    return a == b || (a->segment != 0 && a->segment == b->segment && a->number == b->number);
}

bool object_in_memory(const struct object *object)
{
    const struct object *owner = object_owner(object);

    return owner->spool && spool_is_kept(owner->spool);
}

bool object_whole(const struct object *object, struct span *body)
{
    const struct object *owner = object_owner(object);

    if (owner->spool) {
        return spool_whole(owner->spool, body);
    }
    *body = SPAN_EMPTY;
    return owner->body_len == 0;
}
