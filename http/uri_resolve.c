/*
 * uri_resolve - references resolved against a base (RFC 3986 5.2).
 */
#include "base/err.h"
#include "http/uri_parts.h"

/* The path before "?". */
static struct span without_query(struct span path)
{
    return span_take(path, span_find(path, '?'));
}

/* Length of the text without its last segment and the slash before that. */
static size_t parent_len(const char *text, size_t len)
{
    while (len && text[len - 1] != '/') {
        len--;
    }
    return len ? len - 1 : 0;
}

/* remove_dot_segments (RFC 3986 5.2.4) for a path that starts with "/". */
static struct span remove_dot_segments(struct span path, struct arena *arena)
{
    char *text = arena_alloc(arena, path.len + 1);
    size_t used = 0;
    bool dots = false;

    while (path.len) {
        size_t len = 1 + span_find(span_skip(path, 1), '/');
        struct span segment = span_take(path, len);
        bool up = span_eq(segment, SPAN("/.."));
        dots = up || span_eq(segment, SPAN("/."));
        path = span_skip(path, len);
        if (up) {
            used = parent_len(text, used);
        } else if (!dots) {
            memcpy(text + used, segment.at, len);
            used += len;
        }
    }
    if (dots) {
        text[used++] = '/'; /* "." and ".." at the end stand for a folder */
    }
    return span_of(text, used);
}

/* Path and query of a relative reference, merged with the path of the base (5.2.2, 5.2.3). */
static struct span merge_path(struct span base, struct span reference, struct arena *arena)
{
    if (reference.len == 0) {
        return base;
    }
    struct span base_path = span_eq(base, SPAN("*")) ? SPAN("/") : without_query(base);
    if (reference.at[0] == '?') {
        return arena_printf(arena, "%.*s%.*s", SPAN_ARGS(base_path), SPAN_ARGS(reference));
    }
    struct span path = without_query(reference);
    struct span query = span_skip(reference, path.len);
    if (path.at[0] != '/') {
        while (base_path.len && base_path.at[base_path.len - 1] != '/') {
            base_path.len--;
        }
        path = arena_printf(arena, "%.*s%.*s", SPAN_ARGS(base_path), SPAN_ARGS(path));
    }
    path = remove_dot_segments(path, arena);
    return arena_printf(arena, "%.*s%.*s", SPAN_ARGS(path), SPAN_ARGS(query));
}

/* Has the reference a scheme? A colon in the first segment ends one (4.1, 4.2). */
static bool has_scheme(struct span reference)
{
    size_t i = 0;

    while (i < reference.len && reference.at[i] != '/' && reference.at[i] != '?') {
        if (reference.at[i++] == ':') {
            return true;
        }
    }
    return false;
}

int uri_resolve(const struct uri *base, struct span reference, struct arena *arena, struct uri *out)
{
    reference = span_take(reference, span_find(reference, '#'));
    if (has_scheme(reference)) {
        return uri_parse(reference, arena, out);
    }
    if (span_starts(reference, SPAN("//"))) {
        return uri_parse(
            arena_printf(arena, "%s:%.*s", base->https ? "https" : "http", SPAN_ARGS(reference)),
            arena, out);
    }
    if (!uri_path_is_valid(reference)) {
        return ERR_SYNTAX;
    }
    *out = *base;
    out->path = merge_path(base->path, reference, arena);
    return 0;
}
