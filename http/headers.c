#include "http/headers.h"

#include "base/check.h"
#include "http/put.h"

void fields_init(struct http_fields *fields, struct arena *arena, size_t expected)
{
    *fields = (struct http_fields){.arena = arena, .cap = expected};
    if (expected) {
        fields->at = arena_alloc(arena, expected * sizeof(*fields->at));
    }
}

static void grow(struct http_fields *fields)
{
    size_t cap = fields->cap < 8 ? 16 : fields->cap * 2;
    struct http_field *at = arena_alloc(fields->arena, cap * sizeof(*at));

    if (fields->count) {
        memcpy(at, fields->at, fields->count * sizeof(*at));
    }
    fields->at = at;
    fields->cap = cap;
}

static void append(struct http_fields *fields, struct http_field field)
{
    if (fields->count == fields->cap) {
        grow(fields);
    }
    fields->at[fields->count++] = field;
}

void fields_add(struct http_fields *fields, struct span name, struct span value)
{
    append(fields, (struct http_field){name, value, http_field_id(name)});
}

void fields_add_id(struct http_fields *fields, enum http_field_id id, struct span value)
{
    append(fields, (struct http_field){http_field_name(id), value, id});
}

void fields_add_field(struct http_fields *fields, struct http_field field)
{
    append(fields, field);
}

void fields_set_id(struct http_fields *fields, enum http_field_id id, struct span value)
{
    fields_remove_id(fields, id);
    fields_add_id(fields, id, value);
}

void fields_remove_id(struct http_fields *fields, enum http_field_id id)
{
    size_t kept = 0;

    for (size_t i = 0; i < fields->count; i++) {
        if (fields->at[i].id != id) {
            fields->at[kept++] = fields->at[i];
        }
    }
    fields->count = kept;
}

static bool is_one_of(struct span name, const struct span *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_ieq(name, names[i])) {
            return true;
        }
    }
    return false;
}

void fields_remove_names(struct http_fields *fields, const struct span *names, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < fields->count; i++) {
        if (!is_one_of(fields->at[i].name, names, count)) {
            fields->at[kept++] = fields->at[i];
        }
    }
    fields->count = kept;
}

void fields_append(struct http_fields *fields, const struct http_fields *from)
{
    for (size_t i = 0; i < from->count; i++) {
        append(fields, from->at[i]);
    }
}

/* The index of the first field at or after `start` with this id; fields->count if there is none. */
static size_t find_from(const struct http_fields *fields, enum http_field_id id, size_t start)
{
    size_t i = start;

    while (i < fields->count && fields->at[i].id != id) {
        i++;
    }
    return i;
}

const struct http_field *fields_find(const struct http_fields *fields, enum http_field_id id)
{
    size_t i = find_from(fields, id, 0);

    return i < fields->count ? &fields->at[i] : NULL;
}

/* `id` is the id of `name`. Only unknown names have to be compared as text. */
static bool is_named(const struct http_field *field, enum http_field_id id, struct span name)
{
    return field->id == id && (id != FIELD_OTHER || span_ieq(field->name, name));
}

const struct http_field *fields_find_name(const struct http_fields *fields, struct span name)
{
    enum http_field_id id = http_field_id(name);

    for (size_t i = 0; i < fields->count; i++) {
        if (is_named(&fields->at[i], id, name)) {
            return &fields->at[i];
        }
    }
    return NULL;
}

struct span fields_get(const struct http_fields *fields, enum http_field_id id)
{
    const struct http_field *field = fields_find(fields, id);

    return field ? field->value : SPAN_EMPTY;
}

bool fields_has(const struct http_fields *fields, enum http_field_id id)
{
    return fields_find(fields, id) != NULL;
}

size_t fields_count(const struct http_fields *fields, enum http_field_id id)
{
    size_t count = 0;

    for (size_t i = 0; i < fields->count; i++) {
        count += fields->at[i].id == id;
    }
    return count;
}

static struct span join(const struct http_fields *fields, enum http_field_id id, struct span name,
                        size_t len, struct arena *arena)
{
    char *text = arena_alloc(arena, len);
    char *at = text;
    struct span separator = SPAN_EMPTY;

    for (size_t i = 0; i < fields->count; i++) {
        const struct http_field *field = &fields->at[i];
        if (is_named(field, id, name)) {
            at = put_span(put_span(at, separator), field->value);
            separator = SPAN(", ");
        }
    }
    return span_from_to(text, at);
}

bool fields_joined(const struct http_fields *fields, struct span name, struct arena *arena,
                   struct span *out)
{
    enum http_field_id id = http_field_id(name);
    size_t lines = 0;
    size_t len = 0;

    for (size_t i = 0; i < fields->count; i++) {
        if (is_named(&fields->at[i], id, name)) {
            *out = fields->at[i].value;
            len += out->len + 2;
            lines++;
        }
    }
    if (lines > 1) {
        *out = join(fields, id, name, len, arena);
    }
    return lines > 0;
}

struct list_members list_members(const struct http_fields *fields, enum http_field_id id)
{
    return (struct list_members){.fields = fields, .id = id};
}

struct list_members list_members_of(struct span value)
{
    return (struct list_members){.rest = value};
}

/* The position of the quote that closes the one at `open`; text.len if there is none. */
static size_t closing_quote(struct span text, size_t open)
{
    size_t i = open + 1;

    while (i < text.len && text.at[i] != '"') {
        i += text.at[i] == '\\' ? 2 : 1;
    }
    return i < text.len ? i : text.len;
}

/* Length of the member up to the next comma outside quoted strings. */
static size_t member_len(struct list_members *it)
{
    struct span text = it->rest;
    size_t comma = span_find(text, ',');
    size_t i = it->plain ? comma : span_find(span_take(text, comma), '"');

    if (i == comma) {
        return comma;
    }
    while (i < text.len && text.at[i] != ',') {
        size_t close = text.at[i] == '"' && !it->plain ? closing_quote(text, i) : i;
        it->plain |= close == text.len;
        i = it->plain ? i + 1 : close + 1;
    }
    return i;
}

/* Continues with the next line of the field when the current one is used up. */
static bool refill(struct list_members *it)
{
    while (it->rest.len == 0) {
        size_t line = it->fields ? find_from(it->fields, it->id, it->line) : 0;
        if (it->fields == NULL || line == it->fields->count) {
            return false;
        }
        it->rest = it->fields->at[line].value;
        it->line = line + 1;
        it->plain = false;
    }
    return true;
}

bool list_next(struct list_members *it, struct span *member)
{
    while (refill(it)) {
        size_t len = member_len(it);
        struct span found = span_trim(span_take(it->rest, len));
        it->rest = span_skip(it->rest, len + 1);
        if (found.len) {
            *member = found;
            return true;
        }
    }
    return false;
}

bool list_has(struct list_members it, struct span token)
{
    struct span member;

    while (list_next(&it, &member)) {
        if (span_ieq(member, token)) {
            return true;
        }
    }
    return false;
}

bool fields_list_has(const struct http_fields *fields, enum http_field_id id, struct span token)
{
    return list_has(list_members(fields, id), token);
}
