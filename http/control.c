#include "http/control.h"

#include "base/check.h"
#include "http/structured.h"

#include <stddef.h>

enum argument { FLAG, SECONDS, SECONDS_OR_ANY, NAMES };

/* One row for each directive: the field of struct cache_control, and the kind of value. */
struct directive {
    struct span name;
    enum argument argument;
    size_t at;
    size_t names_at; /* NAMES: the field for the names of the qualified form */
    int64_t invalid; /* SECONDS: the number to assume when the value is not a number */
};

#define AT(member) offsetof(struct cache_control, member)

/* Shorter names first. */
/* clang-format off */
static const struct directive directives[] = {
    {SPAN_INIT("public"),                 FLAG,    AT(is_public),        0, 0},
    {SPAN_INIT("max-age"),                SECONDS, AT(max_age),          0, 0},
    {SPAN_INIT("private"),                NAMES,   AT(is_private),       AT(private_fields), 0},
    {SPAN_INIT("no-store"),               FLAG,    AT(no_store),         0, 0},
    {SPAN_INIT("no-cache"),               NAMES,   AT(no_cache),         AT(no_cache_fields), 0},
    {SPAN_INIT("s-maxage"),               SECONDS, AT(s_maxage),         0, 0},
    {SPAN_INIT("immutable"),              FLAG,    AT(immutable),        0, 0},
    {SPAN_INIT("min-fresh"),              SECONDS, AT(min_fresh),        0, SECONDS_NONE},
    {SPAN_INIT("max-stale"),       SECONDS_OR_ANY, AT(max_stale),        0, SECONDS_NONE},
    {SPAN_INIT("no-transform"),           FLAG,    AT(no_transform),     0, 0},
    {SPAN_INIT("only-if-cached"),         FLAG,    AT(only_if_cached),   0, 0},
    {SPAN_INIT("stale-if-error"),         SECONDS, AT(stale_if_error),   0, SECONDS_NONE},
    {SPAN_INIT("must-revalidate"),        FLAG,    AT(must_revalidate),  0, 0},
    {SPAN_INIT("must-understand"),        FLAG,    AT(must_understand),  0, 0},
    {SPAN_INIT("proxy-revalidate"),       FLAG,    AT(proxy_revalidate), 0, 0},
    {SPAN_INIT("stale-while-revalidate"), SECONDS, AT(stale_while_revalidate), 0, SECONDS_NONE},
};
/* clang-format on */

static const struct cache_control nothing_said = {
    .max_age = SECONDS_NONE,
    .s_maxage = SECONDS_NONE,
    .min_fresh = SECONDS_NONE,
    .max_stale = SECONDS_NONE,
    .stale_while_revalidate = SECONDS_NONE,
    .stale_if_error = SECONDS_NONE,
};

static const struct directive *find_directive(struct span name)
{
    for (size_t i = 0; i < ARRAY_LEN(directives) && directives[i].name.len <= name.len; i++) {
        if (span_ieq(directives[i].name, name)) {
            return &directives[i];
        }
    }
    return NULL;
}

static bool *flag_of(struct cache_control *out, const struct directive *directive)
{
    return (bool *)((char *)out + directive->at);
}

static int64_t *seconds_of(struct cache_control *out, const struct directive *directive)
{
    return (int64_t *)((char *)out + directive->at);
}

static struct span *names_of(struct cache_control *out, const struct directive *directive)
{
    return (struct span *)((char *)out + directive->names_at);
}

int64_t control_seconds(struct span value)
{
    int64_t seconds = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (!ascii_is_digit(value.at[i])) {
            return -1;
        }
        seconds = seconds * 10 + (value.at[i] - '0');
        seconds = seconds < SECONDS_MAX ? seconds : SECONDS_MAX;
    }
    return value.len ? seconds : -1;
}

/* Removes quotes. No directive has a value that needs escapes. */
static struct span unquoted(struct span value)
{
    bool quoted = value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"';

    return quoted ? span_of(value.at + 1, value.len - 2) : value;
}

/* The qualified form limits the directive to the named fields. The directive is not limited if it
 * occurs twice, once without names, or if the value is not a list of field names. */
static void set_names(struct cache_control *out, const struct directive *directive,
                      struct span names)
{
    bool *flag = flag_of(out, directive);
    struct span *limited = names_of(out, directive);
    bool usable = span_find(names, '\\') == names.len && span_find(names, '"') == names.len;

    *limited = *flag || !usable ? SPAN_EMPTY : names;
    *flag = true;
}

/* Of several values the first counts (RFC 9111 4.2.1). False: this value is not a number. */
static bool set_seconds(struct cache_control *out, const struct directive *directive,
                        struct span value)
{
    int64_t *seconds = seconds_of(out, directive);
    int64_t parsed = control_seconds(value);

    if (*seconds == SECONDS_NONE) {
        *seconds = parsed >= 0 ? parsed : directive->invalid;
    }
    return parsed >= 0;
}

/* Of several max-stale directives, with or without a value, the first counts. */
static bool set_max_stale(struct cache_control *out, const struct directive *directive,
                          struct span value, bool has_value)
{
    bool plain = true;

    if (has_value && !out->max_stale_any) {
        plain = set_seconds(out, directive, value);
    }
    out->max_stale_any |= !has_value && out->max_stale == SECONDS_NONE;
    return plain;
}

static bool restricts(const struct directive *directive)
{
    return directive->argument == NAMES || directive->at == AT(no_store) ||
           directive->at == AT(must_revalidate) || directive->at == AT(proxy_revalidate);
}

static void restrict_by(struct cache_control *out, struct span word)
{
    struct span name = span_cut(&word, '=');

    for (size_t i = 0; i < ARRAY_LEN(directives); i++) {
        const struct directive *directive = &directives[i];
        if (!restricts(directive) || !span_ieq(directive->name, name)) {
            continue;
        }
        *flag_of(out, directive) = true;
        if (directive->argument == NAMES) {
            *names_of(out, directive) = SPAN_EMPTY; /* unlimited: applies to all fields */
        }
    }
}

/* "no-cache; no-store", or the same without the semicolon: origins that separate directives like
 * this mean all of them. As one list member it would be an unknown directive. Only directives that
 * restrict caching are taken from it. */
static void read_run_together(struct cache_control *out, struct span member)
{
    if (span_find(member, '"') < member.len) {
        return; /* words of a quoted string are not directives */
    }
    while (member.len) {
        struct span words = span_cut(&member, ';');
        while (words.len) {
            restrict_by(out, span_cut(&words, ' '));
        }
    }
}

static bool has_separator(struct span value)
{
    return span_find(value, ';') < value.len || span_find(value, ' ') < value.len;
}

/* Sets the directive. True: the member is without doubt a single directive. */
static bool set_directive(struct cache_control *out, const struct directive *directive,
                          struct span value, bool has_value)
{
    switch (directive->argument) {
    case FLAG:
        *flag_of(out, directive) = true;
        return !has_value;
    case NAMES:
        set_names(out, directive, value);
        return !has_value || (value.len && !has_separator(value));
    case SECONDS_OR_ANY:
        return set_max_stale(out, directive, value, has_value);
    case SECONDS:
        return set_seconds(out, directive, value);
    }
    return true;
}

/* White space around "=" violates the grammar: the directive counts, its value does not. */
static void read_directive(struct cache_control *out, struct span member)
{
    size_t equals = span_find(member, '=');
    bool has_value = equals < member.len;
    struct span before = span_take(member, equals);
    struct span name = span_trim(before);
    const struct directive *directive = find_directive(name);
    struct span value =
        name.len == before.len ? unquoted(span_skip(member, equals + 1)) : SPAN_EMPTY;

    if (directive == NULL || !set_directive(out, directive, value, has_value)) {
        read_run_together(out, member);
    }
}

void control_parse(const struct http_fields *fields, struct cache_control *out)
{
    struct list_members it = list_members(fields, FIELD_CACHE_CONTROL);
    struct span member;

    *out = nothing_said;
    out->present = fields_has(fields, FIELD_CACHE_CONTROL);
    while (list_next(&it, &member)) {
        read_directive(out, member);
    }
}

/* A targeted field had a value that is not an integer; a later value of the same key replaces
 * it. */
#define NOT_SECONDS (-2)

static int64_t member_seconds(const struct sf_member *member)
{
    if (member->type != SF_INTEGER) {
        return NOT_SECONDS;
    }
    return member->integer < 0 ? 0 : member->integer < SECONDS_MAX ? member->integer : SECONDS_MAX;
}

/* In a dictionary the last value of a key counts (RFC 8941 3.2). */
static void read_member(struct cache_control *out, const struct sf_member *member)
{
    const struct directive *directive = find_directive(member->key);
    bool is_false = member->type == SF_BOOLEAN && member->integer == 0;

    if (directive == NULL) {
        return;
    }
    switch (directive->argument) {
    case FLAG:
        *flag_of(out, directive) = !is_false;
        break;
    case NAMES:
        *flag_of(out, directive) = false;
        set_names(out, directive, member->type == SF_STRING ? member->text : SPAN_EMPTY);
        *flag_of(out, directive) = !is_false;
        break;
    case SECONDS_OR_ANY: /* a directive of requests only */
        break;
    case SECONDS:
        *seconds_of(out, directive) = member_seconds(member);
        break;
    }
}

/* Reads one line of the field. False: it is malformed. */
static bool read_line(struct cache_control *out, struct span line)
{
    struct sf_dictionary dictionary = sf_dictionary(line);
    struct sf_member member;

    while (sf_dictionary_next(&dictionary, &member)) {
        out->present = true;
        read_member(out, &member);
    }
    return !dictionary.bad;
}

static bool has_bad_seconds(struct cache_control *control)
{
    for (size_t i = 0; i < ARRAY_LEN(directives); i++) {
        if (directives[i].argument == SECONDS &&
            *seconds_of(control, &directives[i]) == NOT_SECONDS) {
            return true;
        }
    }
    return false;
}

bool control_parse_targeted(const struct http_fields *fields, struct span name,
                            struct cache_control *out)
{
    enum http_field_id id = http_field_id(name);
    bool good = true;

    *out = nothing_said;
    for (size_t i = 0; i < fields->count && good; i++) {
        const struct http_field *field = &fields->at[i];
        if (field->id == id && (id != FIELD_OTHER || span_ieq(field->name, name))) {
            good = read_line(out, field->value);
        }
    }
    if (!good || !out->present || has_bad_seconds(out)) {
        *out = nothing_said;
        return false;
    }
    return true;
}
