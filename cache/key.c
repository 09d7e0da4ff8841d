#include "cache/key.h"

#include "http/put.h"

#include <stdlib.h>

/* Limits for fields in Vary and for ranked languages; no honest response has more. */
#define SPEC_NAMES_MAX 64
#define LANGUAGES_MAX 64

/* ---- primary key ---- */

void key_of_text(struct span text, const struct sip_key *secret, struct cache_key *out)
{
    out->text = text;
    sip_hash128(secret, text, out->hash);
}

void key_primary(const struct uri *uri, struct span zone, const struct sip_key *secret,
                 struct arena *arena, struct cache_key *out)
{
    size_t frame = sizeof(" https://[]:65535");
    char *start = arena_alloc(arena, zone.len + frame + uri->host.len + uri->path.len);
    char *at = put_span(start, zone);

    at = put_span(at, uri->https ? SPAN(" https://") : SPAN(" http://"));
    at = put_span(at, uri->is_ipv6 ? SPAN("[") : SPAN_EMPTY);
    at = put_span(at, uri->host);
    at = put_span(at, uri->is_ipv6 ? SPAN("]:") : SPAN(":"));
    at = put_number(at, uri->port);
    at = put_span(at, uri->path);
    key_of_text(span_from_to(start, at), secret, out);
}

void key_add_salt(struct cache_key *key, uint64_t salt)
{
    uint64_t word;

    memcpy(&word, key->hash, sizeof(word));
    word ^= salt;
    memcpy(key->hash, &word, sizeof(word));
}

/* ---- Vary ---- */

static int by_bytes(const void *a, const void *b)
{
    return span_cmp(*(const struct span *)a, *(const struct span *)b);
}

static struct span lowered(struct span text, struct arena *arena)
{
    char *out = arena_alloc(arena, text.len);

    for (size_t i = 0; i < text.len; i++) {
        out[i] = ascii_lower(text.at[i]);
    }
    return span_of(out, text.len);
}

static struct span joined_names(const struct span *names, size_t count, struct arena *arena)
{
    size_t size = count;
    char *start, *at;

    for (size_t i = 0; i < count; i++) {
        size += names[i].len;
    }
    start = arena_alloc(arena, size);
    at = start;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && span_eq(names[i], names[i - 1])) {
            continue;
        }
        at = put_span(at, i > 0 ? SPAN(",") : SPAN_EMPTY);
        at = put_span(at, names[i]);
    }
    return span_from_to(start, at);
}

bool key_vary_spec(const struct http_fields *response, struct arena *arena, struct span *spec)
{
    struct list_members it = list_members(response, FIELD_VARY);
    struct span names[SPEC_NAMES_MAX];
    struct span name;
    size_t count = 0;

    *spec = SPAN_EMPTY;
    while (list_next(&it, &name)) {
        if (count == SPEC_NAMES_MAX || !http_is_token(name) || span_eq(name, SPAN("*"))) {
            return false;
        }
        names[count++] = lowered(name, arena);
    }
    if (count) {
        qsort(names, count, sizeof(names[0]), by_bytes);
        *spec = joined_names(names, count, arena);
    }
    return true;
}

bool key_same_vary(const struct http_fields *a, const struct http_fields *b, struct arena *arena)
{
    struct span spec_a, spec_b;

    return key_vary_spec(a, arena, &spec_a) && key_vary_spec(b, arena, &spec_b) &&
           span_eq(spec_a, spec_b);
}

/* ---- selecting values ---- */

static bool is_ows(char c)
{
    return c == ' ' || c == '\t';
}

/* The index behind the white space at `i`. */
static size_t behind_ows(struct span value, size_t i)
{
    while (i < value.len && is_ows(value.at[i])) {
        i++;
    }
    return i;
}

/* Copies `value` without the white space around its commas; quoted strings stay unchanged. Linear
 * in the length. */
static char *put_compact(char *at, struct span value)
{
    bool quoted = false;
    bool after_comma = true;

    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i];
        if (!quoted && is_ows(c)) {
            size_t end = behind_ows(value, i);
            bool is_kept = !after_comma && end < value.len && value.at[end] != ',';
            at = is_kept ? put_span(at, span_of(value.at + i, end - i)) : at;
            i = end - 1;
            continue;
        }
        if (quoted && c == '\\' && i + 1 < value.len) {
            *at++ = c;
            c = value.at[++i];
        } else if (c == '"') {
            quoted = !quoted;
        }
        after_comma = c == ',' && !quoted;
        *at++ = c;
    }
    return at;
}

/* ---- Accept-Language ---- */

struct language {
    struct span tag; /* lower case */
    unsigned weight; /* thousandths */
};

/* Parses a qvalue (RFC 9110 12.4.2) into thousandths. False: it is malformed. */
static bool parse_weight(struct span text, unsigned *out)
{
    unsigned weight;
    unsigned unit = 100;

    if (text.len == 0 || text.len > 5 || (text.at[0] != '0' && text.at[0] != '1') ||
        (text.len > 1 && text.at[1] != '.')) {
        return false;
    }
    weight = text.at[0] == '1' ? 1000 : 0;
    for (size_t i = 2; i < text.len; i++, unit /= 10) {
        if (!ascii_is_digit(text.at[i])) {
            return false;
        }
        weight += (unsigned)(text.at[i] - '0') * unit;
    }
    *out = weight;
    return weight <= 1000;
}

static bool parse_language(struct span member, struct arena *arena, struct language *out)
{
    struct span parameter = member;
    struct span tag = span_trim(span_cut(&parameter, ';'));

    out->tag = lowered(tag, arena);
    out->weight = 1000;
    parameter = span_trim(parameter);
    if (tag.len == member.len) {
        return tag.len > 0;
    }
    return tag.len > 0 && parameter.len > 2 && ascii_lower(parameter.at[0]) == 'q' &&
           parameter.at[1] == '=' && parse_weight(span_skip(parameter, 2), &out->weight);
}

/* Highest weight first; equal weights in a fixed order, as their order has no meaning. */
static int by_weight(const void *a, const void *b)
{
    const struct language *x = a;
    const struct language *y = b;

    if (x->weight != y->weight) {
        return x->weight > y->weight ? -1 : 1;
    }
    return span_cmp(x->tag, y->tag);
}

/* NULL, with nothing written: the value is not a list of weighted languages. */
static char *put_languages(char *at, struct span value, struct arena *arena)
{
    struct list_members it = list_members_of(value);
    struct language languages[LANGUAGES_MAX];
    struct span member;
    size_t count = 0;

    while (list_next(&it, &member)) {
        if (count == LANGUAGES_MAX || !parse_language(member, arena, &languages[count++])) {
            return NULL;
        }
    }
    qsort(languages, count, sizeof(languages[0]), by_weight);
    for (size_t i = 0; i < count; i++) {
        at = put_span(at, i > 0 ? SPAN(",") : SPAN("~"));
        at = put_span(at, languages[i].tag);
        *at++ = ';';
        at = put_number(at, languages[i].weight);
    }
    return at;
}

/* ---- variant key ---- */

/* One selecting value: "-" when the field is absent, "~" and ranked languages, or "=" and its lines
 * joined by commas. */
static struct span selecting_value(const struct http_fields *request, struct span name,
                                   struct arena *arena)
{
    struct span value;
    char *start, *end;

    if (!fields_joined(request, name, arena, &value)) {
        return SPAN("-");
    }
    start = arena_alloc(arena, 1 + value.len + LANGUAGES_MAX * sizeof(";1000"));
    end = span_eq(name, SPAN("accept-language")) ? put_languages(start, value, arena) : NULL;
    if (!end) {
        *start = '=';
        end = put_compact(start + 1, value);
    }
    return span_from_to(start, end);
}

void key_variant(const struct cache_key *primary, struct span spec,
                 const struct http_fields *request, const struct sip_key *secret,
                 struct arena *arena, struct cache_key *out)
{
    struct span values[SPEC_NAMES_MAX];
    struct span names = spec;
    size_t count = 0;
    size_t size = primary->text.len + 1 + spec.len;
    char *start, *at;

    while (names.len && count < SPEC_NAMES_MAX) {
        values[count] = selecting_value(request, span_cut(&names, ','), arena);
        size += 1 + values[count++].len;
    }
    start = arena_alloc(arena, size);
    at = put_span(start, primary->text);
    *at++ = '\n';
    at = put_span(at, spec);
    for (size_t i = 0; i < count; i++) {
        *at++ = '\n';
        at = put_span(at, values[i]);
    }
    key_of_text(span_from_to(start, at), secret, out);
}

/* ---- pieces ---- */

void key_piece(const struct cache_key *whole, uint64_t version, uint64_t from,
               const struct sip_key *secret, struct arena *arena, struct cache_key *out)
{
    char *start = arena_alloc(arena, whole->text.len + sizeof("\n@ ") + 2 * (size_t)PUT_NUMBER_MAX);
    char *at = put_span(put_span(start, whole->text), SPAN("\n@"));

    at = put_number(at, version);
    at = put_number(put_span(at, SPAN(" ")), from);
    key_of_text(span_from_to(start, at), secret, out);
}
