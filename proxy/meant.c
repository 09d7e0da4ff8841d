#include "proxy/meant.h"

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

/* Clients have many names for this machine; the port is what they agree on, and the path. */
static bool is_at_our_port(const struct settings *settings, const struct uri *uri)
{
    for (size_t i = 0; i < settings->listen_count; i++) {
        if (port_of(&settings->listen[i].at) == uri->port) {
            return true;
        }
    }
    return false;
}

void meant_begin(struct meant *meant, const struct route_query *query, struct span mirror)
{
    const struct http_head *request = query->request;
    enum uri_form form;
    const char *what;

    *meant = (struct meant){.query = query, .mirror = mirror};
    meant->is_absolute =
        request->method != METHOD_CONNECT &&
        uri_of_request(request, false, query->arena, &meant->uri, &form, &what) == 0 &&
        form == URI_ABSOLUTE;
}

/* Where `url` says how clients see a mirror, the path is another than ours. */
static struct uri as_asked_here(const struct meant *meant, const struct mirror *mirror,
                                const struct uri *seen)
{
    struct uri asked = meant->uri;

    asked.path = arena_printf(meant->query->arena, "%.*s%.*s", SPAN_ARGS(mirror->path),
                              SPAN_ARGS(span_skip(asked.path, seen->path.len)));
    return asked;
}

/* Is it a mirror's URL as clients say it? */
static bool find_here(const struct meant *meant, struct mirrored *out)
{
    const struct settings *settings = meant->query->settings;
    struct arena *arena = meant->query->arena;
    struct uri seen;

    for (size_t i = 0; i < settings->mirror_count; i++) {
        const struct mirror *mirror = &settings->mirrors[i];
        if (mirror->url.len && uri_parse(mirror->url, arena, &seen) == 0 &&
            uri_same_origin(&seen, &meant->uri) && span_starts(meant->uri.path, seen.path)) {
            struct uri asked = as_asked_here(meant, mirror, &seen);
            return mirror_find(settings, &asked, arena, out);
        }
    }
    return is_at_our_port(settings, &meant->uri) && mirror_find(settings, &meant->uri, arena, out);
}

/* As it stands there. True: nothing else can be meant. */
static bool route_first(const struct meant *meant, struct route *out)
{
    const struct route_query *query = meant->query;
    struct mirrored mirrored;

    if (meant->is_absolute && find_here(meant, &mirrored)) {
        route_to_mirror(query, &mirrored, out);
        return true;
    }
    route_request(query, out);
    return !meant->is_absolute;
}

/* Each mirror twice: what it has from its origin, and from where its files are. */
static bool route_nth(const struct meant *meant, size_t n, struct route *out)
{
    const struct route_query *query = meant->query;
    const struct mirror *mirror = &query->settings->mirrors[n / 2];
    struct mirrored mirrored;

    if ((meant->mirror.len && !span_eq(meant->mirror, mirror->path)) ||
        !mirror_of_origin(mirror, n % 2, &meant->uri, query->arena, &mirrored)) {
        return false;
    }
    route_to_mirror(query, &mirrored, out);
    return true;
}

bool meant_next(struct meant *meant, struct route *out)
{
    size_t count = 1 + 2 * meant->query->settings->mirror_count;

    while (meant->next < count) {
        size_t n = meant->next++;
        if (n == 0 && meant->mirror.len == 0) {
            meant->next = route_first(meant, out) ? count : 1;
            return true;
        }
        if (n > 0 && meant->is_absolute && route_nth(meant, n - 1, out)) {
            return true;
        }
    }
    return false;
}
