/* Targeted fields (RFC 9213) are dictionaries of Structured Fields (RFC 8941 4.2.2). */
#include "model.h"

#include <stdlib.h>
#include <string.h>

enum kind { TRUTH, INTEGER, OTHER };

struct item {
    enum kind kind;
    int64_t value;
};

struct member {
    char key[64];
    struct item item;
};

/* 3.1.2, 3.3: whatever is not as it should be makes the whole field count for nothing. */
struct reader {
    const char *at;
    bool bad;
};

static bool in(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static void skip(struct reader *r, const char *set)
{
    while (in(*r->at, set)) {
        r->at++;
    }
}

static bool took(struct reader *r, char c)
{
    bool is = *r->at == c;

    r->at += is;
    return is;
}

static void read_key(struct reader *r, char *out)
{
    size_t len = strspn(r->at, LOWER DIGITS "_-.*");

    r->bad |= !in(*r->at, LOWER "*") || len > 63;
    len = len > 63 ? 63 : len;
    memcpy(out, r->at, len);
    out[len] = '\0';
    r->at += len;
}

static void read_number(struct reader *r, struct item *out)
{
    bool negative = took(r, '-');
    size_t len = strspn(r->at, DIGITS);
    size_t fraction = r->at[len] == '.' ? strspn(r->at + len + 1, DIGITS) : 0;
    bool is_decimal = r->at[len] == '.';

    r->bad |= len == 0 || len > (is_decimal ? 12 : 15);
    r->bad |= is_decimal && (fraction == 0 || fraction > 3);
    out->kind = is_decimal ? OTHER : INTEGER;
    out->value = strtoll(r->at, NULL, 10) * (negative ? -1 : 1);
    r->at += len + (is_decimal ? 1 + fraction : 0);
}

static void read_string(struct reader *r)
{
    r->at++;
    while (*r->at && *r->at != '"') {
        if (*r->at == '\\') {
            r->at++;
            r->bad |= !in(*r->at, "\"\\");
        }
        r->bad |= *r->at < ' ' || *r->at > '~';
        r->at += *r->at != '\0';
    }
    r->bad |= !took(r, '"');
}

static void read_item(struct reader *r, struct item *out)
{
    *out = (struct item){OTHER, 0};
    if (in(*r->at, DIGITS "-")) {
        read_number(r, out);
    } else if (*r->at == '"') {
        read_string(r);
    } else if (took(r, '?')) {
        *out = (struct item){TRUTH, *r->at == '1'};
        r->bad |= !in(*r->at, "01");
        r->at += *r->at != '\0';
    } else {
        r->bad |= !in(*r->at, LOWER UPPER "*");
        skip(r, LOWER UPPER DIGITS "!#$%&'*+-.^_`|~:/");
    }
}

static void read_member(struct reader *r, struct member *out)
{
    char ignored[64];
    struct item parameter;

    read_key(r, out->key);
    out->item = (struct item){TRUTH, 1};
    if (took(r, '=')) {
        read_item(r, &out->item);
    }
    while (!r->bad && took(r, ';')) {
        skip(r, " ");
        read_key(r, ignored);
        if (took(r, '=')) {
            read_item(r, &parameter);
        }
    }
}

/* All members in their order; false when it is no dictionary. */
static bool read_dictionary(const char *text, struct member *out, size_t *count)
{
    struct reader r = {.at = text};

    *count = 0;
    skip(&r, " ");
    while (*r.at && !r.bad) {
        read_member(&r, &out[(*count)++]);
        skip(&r, " \t");
        if (*r.at == '\0') {
            break;
        }
        r.bad |= !took(&r, ',');
        skip(&r, " \t");
        r.bad |= *r.at == '\0'; /* a comma must be followed by something */
    }
    return !r.bad;
}

/* Of a key that comes several times the last counts. */
static const struct item *find(const struct member *members, size_t count, const char *key)
{
    const struct item *found = NULL;

    for (size_t i = 0; i < count; i++) {
        found = strcmp(members[i].key, key) == 0 ? &members[i].item : found;
    }
    return found;
}

/* There, and not said to be false. */
static bool holds(const struct member *members, size_t count, const char *key)
{
    const struct item *item = find(members, count, key);

    return item && !(item->kind == TRUTH && item->value == 0);
}

/* -1: not there, -2: no integer. */
static int64_t seconds(const struct member *members, size_t count, const char *key)
{
    const struct item *item = find(members, count, key);

    if (item == NULL) {
        return -1;
    }
    if (item->kind != INTEGER) {
        return -2;
    }
    return item->value < 0 ? 0 : item->value > MODEL_LONG ? MODEL_LONG : item->value;
}

/* RFC 8941 4.2: lines are joined by commas. */
static void join(const struct message *m, const char *name, char *out, size_t size)
{
    const char *value;

    out[0] = '\0';
    for (size_t i = 0; (value = text_line(m, name, i)) != NULL; i++) {
        strncat(out, i ? ", " : "", size - strlen(out) - 1);
        strncat(out, value, size - strlen(out) - 1);
    }
}

bool text_targeted(const struct message *m, const char *name, struct model_control *out)
{
    struct member members[MEMBERS_MAX];
    char joined[4 * VALUE_MAX];
    size_t n;

    join(m, name, joined, sizeof(joined));
    if (!read_dictionary(joined, members, &n) || n == 0) {
        return false;
    }
    *out = (struct model_control){
        .no_store = holds(members, n, "no-store"),
        .no_cache = holds(members, n, "no-cache"),
        .is_private = holds(members, n, "private"),
        .is_public = holds(members, n, "public"),
        .must_revalidate = holds(members, n, "must-revalidate"),
        .proxy_revalidate = holds(members, n, "proxy-revalidate"),
        .must_understand = holds(members, n, "must-understand"),
        .immutable = holds(members, n, "immutable"),
        .max_age = seconds(members, n, "max-age"),
        .s_maxage = seconds(members, n, "s-maxage"),
        .min_fresh = seconds(members, n, "min-fresh"),
        .max_stale = -1,
        .stale_while_revalidate = seconds(members, n, "stale-while-revalidate"),
        .stale_if_error = seconds(members, n, "stale-if-error"),
    };
    return out->max_age != -2 && out->s_maxage != -2 && out->min_fresh != -2 &&
           out->stale_while_revalidate != -2 && out->stale_if_error != -2;
}
