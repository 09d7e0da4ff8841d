#include "proxy/admin/url_routes.h"

#include <netinet/in.h>

static uint16_t port_of(const struct endpoint *endpoint)
{
    const struct sockaddr *address = (const struct sockaddr *)&endpoint->address;

    switch (address->sa_family) {
    case AF_INET:
        return ntohs(((const struct sockaddr_in *)&endpoint->address)->sin_port);
    case AF_INET6:
        return ntohs(((const struct sockaddr_in6 *)&endpoint->address)->sin6_port);
    default:
        return 0;
    }
}

/* Does the URL have a port of ours? Clients know this machine by many names, so only the port is
 * compared. */
static bool is_at_our_port(const struct settings *settings, const struct uri *uri)
{
    for (size_t i = 0; i < settings->listen_count; i++) {
        if (port_of(&settings->listen[i].at) == uri->port) {
            return true;
        }
    }
    return false;
}

void url_routes_begin(struct url_routes *routes, const struct route_query *query,
                      struct span mirror)
{
    const struct http_head *request = query->request;
    enum uri_form form;
    const char *what;

    *routes = (struct url_routes){.query = query, .mirror = mirror};
    routes->is_absolute =
        request->method != METHOD_CONNECT &&
        uri_of_request(request, false, query->arena, &routes->uri, &form, &what) == 0 &&
        form == URI_ABSOLUTE;
}

void url_routes_begin_prefix(struct url_routes *routes, const struct route_query *query,
                             struct span mirror)
{
    url_routes_begin(routes, query, mirror);
    routes->is_prefix = true;
}

/* The URL with our own path of the mirror, where `url` gives clients another one. */
static struct uri as_asked_here(const struct url_routes *routes, const struct mirror *mirror,
                                const struct uri *seen)
{
    struct uri asked = routes->uri;

    asked.path = arena_printf(routes->query->arena, "%.*s%.*s", SPAN_ARGS(mirror->path),
                              SPAN_ARGS(span_skip(asked.path, seen->path.len)));
    return asked;
}

/* Is the path of `url` that of the mirror for clients? */
static bool is_url_of(const struct url_routes *routes, const struct mirror *mirror,
                      struct uri *seen)
{
    return mirror->url.len && uri_parse(mirror->url, routes->query->arena, seen) == 0 &&
           uri_same_origin(seen, &routes->uri);
}

/* Is it the URL of a mirror, as clients use it? */
static bool find_here(const struct url_routes *routes, struct mirrored *out)
{
    const struct settings *settings = routes->query->settings;
    struct arena *arena = routes->query->arena;
    struct uri seen;

    for (size_t i = 0; i < settings->mirror_count; i++) {
        const struct mirror *mirror = &settings->mirrors[i];
        if (is_url_of(routes, mirror, &seen) && span_starts(routes->uri.path, seen.path)) {
            struct uri asked = as_asked_here(routes, mirror, &seen);
            return mirror_find(settings, &asked, arena, out);
        }
    }
    return is_at_our_port(settings, &routes->uri) &&
           mirror_find(settings, &routes->uri, arena, out);
}

/* The place that the URL names literally. True: it can mean nothing else. */
static bool route_first(const struct url_routes *routes, struct route *out)
{
    const struct route_query *query = routes->query;
    struct mirrored mirrored;

    if (routes->is_absolute && find_here(routes, &mirrored)) {
        route_to_mirror(query, &mirrored, out);
        return true;
    }
    route_request(query, out);
    return !routes->is_absolute;
}

/* ---- prefixes ---- */

/* Does a prefix overlap with a place? *rest: the rest of the prefix below the place. */
static bool overlap(struct span prefix, struct span place, struct span *rest)
{
    *rest = span_skip(prefix, place.len < prefix.len ? place.len : prefix.len);
    return span_starts(prefix, place) || span_starts(place, prefix);
}

/* The same for a prefix as clients use it. */
static bool overlaps_here(const struct url_routes *routes, const struct mirror *mirror, bool files,
                          struct span *rest)
{
    const struct settings *settings = routes->query->settings;
    struct span asked = routes->uri.path;
    struct uri seen;
    bool is_seen = is_url_of(routes, mirror, &seen);

    if ((!is_seen && !is_at_our_port(settings, &routes->uri)) ||
        mirror_gives_way(settings, routes->uri.host)) {
        return false;
    }
    struct span path = is_seen ? seen.path : mirror->path;
    struct span below = arena_printf(routes->query->arena, "%.*s" MIRROR_FILES, SPAN_ARGS(path));
    bool is_of_files = mirror->files.len && span_starts(asked, below);
    return (files || !is_of_files) && overlap(asked, files ? below : path, rest);
}

/* The same for a prefix as in the log. */
static bool overlaps_there(const struct url_routes *routes, const struct uri *place,
                           struct span *rest)
{
    return uri_same_origin(place, &routes->uri) && overlap(routes->uri.path, place->path, rest);
}

/* Is everything below it inside one mirror? */
static bool is_below_mirror(const struct url_routes *routes)
{
    struct mirrored mirrored;

    return routes->is_absolute && find_here(routes, &mirrored) && !mirrored.wrong;
}

static bool find_prefix(const struct url_routes *routes, const struct mirror *mirror, bool files,
                        struct mirrored *out)
{
    struct arena *arena = routes->query->arena;
    struct uri at = files ? mirror->files_uri : mirror->origin_uri;
    struct span rest;

    if ((files && mirror->files.len == 0) ||
        (!overlaps_here(routes, mirror, files, &rest) && !overlaps_there(routes, &at, &rest))) {
        return false;
    }
    at.path = arena_printf(arena, "%.*s%.*s", SPAN_ARGS(at.path), SPAN_ARGS(rest));
    bool found = mirror_of_origin(mirror, files, &at, arena, out);
    out->is_ping = false; /* administrators never ask for it */
    return found;
}

/* ---- one after the other ---- */

/* Place number n: for each mirror its origin, and the origin of its files. */
static bool route_nth(const struct url_routes *routes, size_t n, struct route *out)
{
    const struct route_query *query = routes->query;
    const struct mirror *mirror = &query->settings->mirrors[n / 2];
    struct mirrored mirrored;

    if (routes->mirror.len && !span_eq(routes->mirror, mirror->path)) {
        return false;
    }
    bool found = routes->is_prefix
                     ? find_prefix(routes, mirror, n % 2, &mirrored)
                     : mirror_of_origin(mirror, n % 2, &routes->uri, query->arena, &mirrored);
    if (!found) {
        return false;
    }
    route_to_mirror(query, &mirrored, out);
    return true;
}

bool url_routes_next(struct url_routes *routes, struct route *out)
{
    size_t count = 1 + 2 * routes->query->settings->mirror_count;

    while (routes->next < count) {
        size_t n = routes->next++;
        if (n == 0 && routes->mirror.len == 0 && !(routes->is_prefix && is_below_mirror(routes))) {
            routes->next = route_first(routes, out) ? count : 1;
            return true;
        }
        if (n > 0 && routes->is_absolute && route_nth(routes, n - 1, out)) {
            return true;
        }
    }
    return false;
}
