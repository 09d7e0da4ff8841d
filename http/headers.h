/*
 * headers - a list of header fields, in the order received. Pure; memory from an arena.
 *
 * Names and values are spans into bytes that somebody else owns (a received head, a stored record,
 * a literal). Values contain no CR, LF or NUL, and no white space at their ends.
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
    struct arena *arena; /* for growing `at`; spans are not copied */
};

void fields_init(struct http_fields *fields, struct arena *arena, size_t expected);

/* Appends a field; the spans are borrowed. Looks up the id of `name`. */
void fields_add(struct http_fields *fields, struct span name, struct span value);
void fields_add_id(struct http_fields *fields, enum http_field_id id, struct span value);
/* The same with a known id. */
void fields_add_field(struct http_fields *fields, struct http_field field);
/* Removes every line with this id, then appends one. */
void fields_set_id(struct http_fields *fields, enum http_field_id id, struct span value);
void fields_remove_id(struct http_fields *fields, enum http_field_id id);
/* Removes all lines with one of these names. */
void fields_remove_names(struct http_fields *fields, const struct span *names, size_t count);
/* Appends all of `from`; spans are borrowed. */
void fields_append(struct http_fields *fields, const struct http_fields *from);

/* The first line with this id (or name, compared without case); NULL: none. */
const struct http_field *fields_find(const struct http_fields *fields, enum http_field_id id);
const struct http_field *fields_find_name(const struct http_fields *fields, struct span name);
/* Its value; empty, with a NULL pointer, if there is none. */
struct span fields_get(const struct http_fields *fields, enum http_field_id id);
bool fields_has(const struct http_fields *fields, enum http_field_id id);
size_t fields_count(const struct http_fields *fields, enum http_field_id id);

/* The values of all lines with this name, joined by ", " (RFC 9110 5.3). A single line is borrowed,
 * several are copied to `arena`. False: there is none. */
bool fields_joined(const struct http_fields *fields, struct span name, struct arena *arena,
                   struct span *out);

/*
 * Iterates over the members of a comma-separated list in all lines of a field (RFC 9110 5.6.1).
 * Empty members are skipped, white space is trimmed, commas inside quoted strings are kept. A quote
 * without an end is an ordinary character, so that it cannot hide what follows.
 *
 *     struct list_members it = list_members(fields, FIELD_CONNECTION);
 *     while (list_next(&it, &member)) { … }
 */
struct list_members {
    const struct http_fields *fields; /* NULL when iterating one value */
    enum http_field_id id;
    size_t line;
    struct span rest;
    bool plain; /* the rest of the line has a quote without an end */
};

struct list_members list_members(const struct http_fields *fields, enum http_field_id id);
struct list_members list_members_of(struct span value);
bool list_next(struct list_members *it, struct span *member);

/* Is `token` a member, without regard to case? */
bool list_has(struct list_members it, struct span token);
bool fields_list_has(const struct http_fields *fields, enum http_field_id id, struct span token);

#endif
