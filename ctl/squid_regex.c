/*
 * Patterns about hosts, where they say no more than a list of names can: both ends are tied, and
 * between them stand letters, digits, "-", "\.", and choices such as (a|b) and (www\.)?.
 *
 *   ^www\.example\.net$          =www.example.net    the name alone
 *   \.example\.net$              *.example.net       what is below
 *   (^|\.)example\.(net|org)$    example.net, ...    the name, and what is below
 *
 * Of URLs, those of a whole host: ^https?://www\.example\.net/
 */
#include "ctl/squid.h"

enum { NAMES_MAX = 256 };

/* Which hosts a pattern matches: the name, names below it, or both. */
enum front { ALONE, BELOW, BOTH };

struct prefix_form {
    const char *text;
    enum front front;
};

/* Longer forms come first. */
static const struct prefix_form name_fronts[] = {
    {"(^|.*\\.)", BOTH},    {"^(.*\\.)?", BOTH}, {"^(.+\\.)?", BOTH}, {"(.*\\.|^)", BOTH},
    {"(^|\\.)", BOTH},      {"(\\.|^)", BOTH},   {"^.*\\.", BELOW},   {"^.+\\.", BELOW},
    {"([^.]+\\.)+", BELOW}, {".*\\.", BELOW},    {".+\\.", BELOW},    {"\\.", BELOW},
    {"^", ALONE},
};

static const char *const schemes[] = {"^https?://",       "^http://",     "^https://",
                                      "^(http|https)://", "^http(s|)://", "^http(s)?://"};

static const struct prefix_form url_fronts[] = {
    {"([^/]*\\.)?", BOTH}, {"([^/]+\\.)?", BOTH}, {"(.*\\.)?", BOTH}, {"([a-z0-9-]+\\.)?", BOTH},
    {"[^/]*\\.", BELOW},   {"[^/]+\\.", BELOW},   {"", ALONE},
};

static const char *const url_ends[] = {"/.*$", "/.*", "/", "(/|$)", "(:|/)", "(/|:)", "(:|/|$)"};

static bool take(struct span *text, const char *prefix)
{
    if (!span_starts(*text, span_str(prefix))) {
        return false;
    }
    *text = span_skip(*text, strlen(prefix));
    return true;
}

static bool drop_end(struct span *text, const char *suffix)
{
    struct span end = span_str(suffix);

    if (!span_ends(*text, end)) {
        return false;
    }
    text->len -= end.len;
    return true;
}

static const struct prefix_form *take_front(struct span *text, const struct prefix_form *forms,
                                            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (take(text, forms[i].text)) {
            return &forms[i];
        }
    }
    return NULL;
}

/* ---- names ---- */

/* All names that a pattern matches, each ended by NUL. */
struct names {
    struct buf list;
    size_t count;
    const char *why;
};

/* Reads a literal up to one of `ends`, and advances *text behind it. */
static bool read_literal(struct span *text, const char *ends, struct buf *out, const char **why)
{
    while (text->len && !strchr(ends, text->at[0])) {
        char c = text->at[0];
        size_t used = 1;
        if (c == '\\' && text->len > 1 && (text->at[1] == '.' || text->at[1] == '-')) {
            c = text->at[1];
            used = 2;
        } else if (c == '.') {
            *why = "\".\" stands for any character in it (\"\\.\" is a dot)";
            return false;
        } else if (!((c >= 'a' && c <= 'z') || ascii_is_digit(c) || c == '-' || c == '_')) {
            *why = "it cannot be written as a list of names";
            return false;
        }
        buf_append(out, span_of(&c, 1));
        *text = span_skip(*text, used);
    }
    return true;
}

/* Reads the choices of "(a|b\.)" or "(a)?", each ended by NUL. */
static bool read_choices(struct span *text, struct buf *out, const char **why)
{
    bool more = true;

    *text = span_skip(*text, 1);
    take(text, "?:");
    while (more) {
        if (!read_literal(text, "|)(", out, why)) {
            return false;
        }
        more = take(text, "|");
        buf_append(out, SPAN("\0"));
    }
    if (!take(text, ")")) {
        *why = "its brackets are nested too deeply";
        return false;
    }
    if (take(text, "?")) {
        buf_append(out, SPAN("\0")); /* "?": the empty choice */
    }
    return true;
}

/* Appends each of the choices to each of the names so far. */
static bool multiply(struct names *names, struct span choices)
{
    struct buf out = BUF_INIT;
    size_t count = 0;

    for (struct span left = buf_span(&names->list); left.len;) {
        struct span name = span_cut(&left, '\0');
        for (struct span right = choices; right.len && count <= NAMES_MAX; count++) {
            struct span choice = span_cut(&right, '\0');
            buf_append(&out, name);
            buf_append(&out, choice);
            buf_append(&out, SPAN("\0"));
        }
    }
    buf_fini(&names->list);
    names->list = out;
    names->count = count;
    names->why = count > NAMES_MAX ? "it matches too many names" : names->why;
    return count <= NAMES_MAX;
}

static bool expand(struct span body, struct names *names)
{
    bool good = true;

    buf_append(&names->list, SPAN("\0")); /* begins with one empty name */
    names->count = 1;
    while (good && body.len) {
        struct buf piece = BUF_INIT;
        if (body.at[0] == '(') {
            good = read_choices(&body, &piece, &names->why);
        } else {
            good = read_literal(&body, "(", &piece, &names->why);
            buf_append(&piece, SPAN("\0"));
        }
        good = good && multiply(names, buf_span(&piece));
        buf_fini(&piece);
    }
    return good;
}

static const char *put_names(struct span body, enum front front, struct buf *items)
{
    static const char *const marks[] = {[ALONE] = "=", [BELOW] = "*.", [BOTH] = ""};
    struct names names = {.list = BUF_INIT};
    struct buf out = BUF_INIT;
    bool good = expand(body, &names);

    for (struct span rest = buf_span(&names.list); good && rest.len;) {
        struct span name = span_cut(&rest, '\0');
        good = squid_is_host(name);
        buf_printf(&out, "%s%.*s", marks[front], SPAN_ARGS(name));
        buf_append(&out, SPAN("\0"));
    }
    if (good) {
        buf_append(items, buf_span(&out));
    }
    buf_fini(&out);
    buf_fini(&names.list);
    return good ? NULL : names.why ? names.why : "what it ends in is not a host name";
}

/* ---- patterns ---- */

static bool has_capitals(struct span pattern)
{
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.at[i] >= 'A' && pattern.at[i] <= 'Z') {
            return true;
        }
    }
    return false;
}

static const char *host_pattern(struct span pattern, struct buf *items)
{
    if (!drop_end(&pattern, "$") || span_ends(pattern, SPAN("\\"))) {
        return "it matches any part of a name (its end is not anchored: \"$\")";
    }
    const struct prefix_form *front = take_front(&pattern, name_fronts, ARRAY_LEN(name_fronts));
    if (!front) {
        return "it is about the end of a name, also of one such as \"notexample.net\" "
               "(\"(^|\\.)\" in front ties it)";
    }
    return put_names(pattern, front->front, items);
}

static const char *url_pattern(struct span pattern, struct buf *items)
{
    bool tied = false, ended = false;

    for (size_t i = 0; i < ARRAY_LEN(schemes) && !tied; i++) {
        tied = take(&pattern, schemes[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(url_ends) && !ended; i++) {
        ended = drop_end(&pattern, url_ends[i]);
    }
    const struct prefix_form *front = take_front(&pattern, url_fronts, ARRAY_LEN(url_fronts));
    if (!tied) {
        return "rules know hosts, ports and methods, and no other part of a URL";
    }
    if (!ended || span_find(pattern, '/') < pattern.len) {
        return "it is about a part of a URL that is no whole host; rules do not know paths";
    }
    return put_names(pattern, front->front, items);
}

const char *squid_regex_hosts(struct span pattern, bool ignore_case, bool is_url, struct buf *items,
                              bool *wider)
{
    char lower[512];

    if (pattern.len == 0 || pattern.len > sizeof(lower)) {
        return "it is empty or too long";
    }
    if (has_capitals(pattern) && !ignore_case) {
        return "it has capitals, and hosts have none (-i is missing)";
    }
    for (size_t i = 0; i < pattern.len; i++) {
        lower[i] = ascii_lower(pattern.at[i]);
    }
    struct span text = span_of(lower, pattern.len);
    const char *why = is_url ? url_pattern(text, items) : host_pattern(text, items);
    /* the hosts' tunnels and other ports match, too, which they do not in Squid */
    *wider |= is_url && !why;
    return why;
}
