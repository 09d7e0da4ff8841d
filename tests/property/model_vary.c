/* Matching the fields that Vary names (RFC 9111 4.1). */
#include "model.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* All lines joined by a comma; NULL when there is none. */
static char *joined(const struct message *m, const char *name)
{
    char *out = NULL;
    const char *value;

    for (size_t i = 0; (value = text_line(m, name, i)) != NULL; i++) {
        char *longer = malloc((out ? strlen(out) : 0) + strlen(value) + 2);
        sprintf(longer, "%s%s%s", out ? out : "", out ? "," : "", value);
        free(out);
        out = longer;
    }
    return out;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* What stands beside position `at` when one looks past white space: a comma, an end, or else. */
static bool has_comma_beside(const char *text, size_t at, int direction)
{
    size_t len = strlen(text);

    while (at < len && is_space(text[at])) {
        if (at == 0 && direction < 0) {
            return true;
        }
        at += (size_t)direction;
    }
    return at >= len || text[at] == ',';
}

/* Which characters are inside quoted strings. A string that is not closed goes to the end. */
static void mark_quoted(const char *text, bool *quoted)
{
    bool inside = false;

    for (size_t i = 0; text[i]; i++) {
        quoted[i] = inside;
        if (inside && text[i] == '\\' && text[i + 1]) {
            quoted[++i] = true;
        } else if (text[i] == '"') {
            inside = !inside;
        }
    }
}

/* Without white space around commas, but for quoted strings. */
static char *compact(const char *text)
{
    size_t len = strlen(text);
    bool *quoted = calloc(len + 1, sizeof(*quoted));
    char *out = calloc(len + 1, 1);
    size_t at = 0;

    mark_quoted(text, quoted);
    for (size_t i = 0; i < len; i++) {
        bool drop = is_space(text[i]) && !quoted[i] &&
                    (has_comma_beside(text, i, 1) || has_comma_beside(text, i, -1));
        if (!drop) {
            out[at++] = text[i];
        }
    }
    free(quoted);
    return out;
}

/* ---- Accept-Language, RFC 9110 12.5.4 ---- */

struct language {
    char tag[VALUE_MAX];
    int weight; /* thousandths */
};

/* RFC 9110 12.4.2: one digit, a point, up to three more. */
static bool read_weight(const char *text, int *out)
{
    size_t len = strlen(text);
    double value;

    if (len == 0 || len > 5 || strspn(text, "0123456789.") != len || text[0] > '1' ||
        text[0] == '.' || (len > 1 && text[1] != '.') || (len > 2 && strchr(text + 2, '.'))) {
        return false;
    }
    value = strtod(text, NULL);
    *out = (int)(value * 1000 + 0.5);
    return value <= 1;
}

static bool read_language(const char *member, struct language *out)
{
    char before[VALUE_MAX];
    char behind[VALUE_MAX];
    const char *semicolon = strchr(member, ';');
    struct members trimmed = {0};

    out->weight = 1000;
    if (semicolon == NULL) {
        strcpy(out->tag, member);
        return true;
    }
    snprintf(before, sizeof(before), "%.*s", (int)(semicolon - member), member);
    text_split(before, &trimmed);
    text_split(semicolon + 1, &trimmed);
    if (trimmed.count != 2) {
        return false;
    }
    strcpy(out->tag, trimmed.at[0]);
    strcpy(behind, trimmed.at[1]);
    return tolower((unsigned char)behind[0]) == 'q' && behind[1] == '=' &&
           read_weight(behind + 2, &out->weight);
}

static int by_weight(const void *a, const void *b)
{
    const struct language *x = a;
    const struct language *y = b;

    return x->weight != y->weight ? y->weight - x->weight : strcasecmp(x->tag, y->tag);
}

/* False: it is no list of languages. */
static bool read_languages(const char *value, struct language *out, size_t *count)
{
    struct members members = {0};

    text_split(value, &members);
    for (size_t i = 0; i < members.count; i++) {
        if (!read_language(members.at[i], &out[i])) {
            return false;
        }
    }
    *count = members.count;
    qsort(out, *count, sizeof(*out), by_weight);
    return true;
}

static bool same_languages(const struct language *a, const struct language *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (by_weight(&a[i], &b[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* ---- values ---- */

static bool same_compact(const char *a, const char *b)
{
    char *x = compact(a);
    char *y = compact(b);
    bool same = strcmp(x, y) == 0;

    free(x);
    free(y);
    return same;
}

static bool same_text(const char *name, const char *a, const char *b)
{
    static struct language x[MEMBERS_MAX];
    static struct language y[MEMBERS_MAX];
    size_t count_x, count_y;

    if (strcasecmp(name, "Accept-Language") == 0) {
        bool is_x = read_languages(a, x, &count_x);
        bool is_y = read_languages(b, y, &count_y);
        if (is_x || is_y) {
            return is_x && is_y && count_x == count_y && same_languages(x, y, count_x);
        }
    }
    return same_compact(a, b);
}

/* Absent matches only absent. */
static bool same_field(const struct policy_case *c, const char *name)
{
    char *a = joined(&c->storing, name);
    char *b = joined(&c->asking, name);
    bool same = a && b ? same_text(name, a, b) : a == b;

    free(a);
    free(b);
    return same;
}

enum model_vary model_match(const struct policy_case *c)
{
    struct members names;
    bool same = true;

    text_members(&c->response, "Vary", &names);
    for (size_t i = 0; i < names.count; i++) {
        if (strcmp(names.at[i], "*") == 0 || !text_is_token(names.at[i])) {
            return VARY_NEVER;
        }
        same = same && same_field(c, names.at[i]);
    }
    return same ? VARY_MATCHES : VARY_DIFFERS;
}
