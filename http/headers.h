/*
 * headers - a list of header fields, in the order they came. Pure; memory from an arena.
 *
 * Names and values are spans into bytes somebody else owns (a received head, a stored record, a
 * literal). Values carry no CR, LF or NUL and no white space at their ends.
 */
#ifndef LARDER_HTTP_HEADERS_H
#define LARDER_HTTP_HEADERS_H

#include "base/arena.h"
#include "http/names.h"

struct http_field {
    struct span name; /* as received */
    struct span value;
    enum http_field_id id;
};

struct http_fields {
    struct http_field *at;
    size_t count;
    size_t cap;
    struct arena *arena; /* grows `at`; spans are not copied */
};

void fields_init(struct http_fields *fields, struct arena *arena, size_t expected);

/* Appends; spans are borrowed. `name` gets its id looked up. */
void fields_add(struct http_fields *fields, struct span name, struct span value);
void fields_add_id(struct http_fields *fields, enum http_field_id id, struct span value);
/* The same with the id that its name has. */
void fields_add_field(struct http_fields *fields, struct http_field field);
/* Removes every line with this id, then appends one. */
void fields_set_id(struct http_fields *fields, enum http_field_id id, struct span value);
void fields_remove_id(struct http_fields *fields, enum http_field_id id);
/* All lines with one of these names. */
void fields_remove_names(struct http_fields *fields, const struct span *names, size_t count);
/* Appends all of `from`; spans are borrowed. */
void fields_append(struct http_fields *fields, const struct http_fields *from);

/* The first line with this id (or name, compared without case); NULL when there is none. */
const struct http_field *fields_find(const struct http_fields *fields, enum http_field_id id);
const struct http_field *fields_find_name(const struct http_fields *fields, struct span name);
/* Its value, or an empty span with a NULL pointer. */
struct span fields_get(const struct http_fields *fields, enum http_field_id id);
bool fields_has(const struct http_fields *fields, enum http_field_id id);
size_t fields_count(const struct http_fields *fields, enum http_field_id id);

/* All lines with this name joined by ", " (RFC 9110 5.3). One line is returned as it is, several
 * are copied to `arena`. False when there is none. */
bool fields_joined(const struct http_fields *fields, struct span name, struct arena *arena,
                   struct span *out);

/*
 * The members of a comma-separated list over all lines of one field (RFC 9110 5.6.1): empty members
 * skipped, white space trimmed, commas inside quoted strings kept. A quote that is never closed is
 * an ordinary character: it hides nothing behind it.
 *
 *     struct list_members it = list_members(fields, FIELD_CONNECTION);
 *     while (list_next(&it, &member)) { … }
 */
struct list_members {
    const struct http_fields *fields; /* NULL when iterating one value */
    enum http_field_id id;
    size_t line;
    struct span rest;
    bool plain; /* the rest of this line has an unclosed quote: quotes count for nothing */
};

struct list_members list_members(const struct http_fields *fields, enum http_field_id id);
struct list_members list_members_of(struct span value);
bool list_next(struct list_members *it, struct span *member);

/* A member equals `token`, without case. */
bool fields_list_has(const struct http_fields *fields, enum http_field_id id, struct span token);

#endif
