/* The PAC script: the proxies that it names, and the hosts that clients reach without a proxy. */
#include "proxy/config/directives_table.h"

#include "base/err.h"

#define FIELD(member) CONF_FIELD(struct settings, member)
#define LIST(member, count) CONF_LIST(struct settings, member, count)

/* Only such characters may be written into a script. */
static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.at[i]);
        if (!((c >= 'a' && c <= 'z') || ascii_is_digit(c) || strchr(".-:[]", c))) {
            return false;
        }
    }
    return text.len > 0;
}

/* Parses "proxy.example.net:3128" or "https://proxy.example.net:3130". */
static int parse_proxy(struct span text, struct arena *arena, void *out, const char **what)
{
    struct pac_proxy *proxy = out;
    struct uri uri;

    proxy->tls = span_starts(text, SPAN("https://"));
    if (proxy->tls || span_starts(text, SPAN("http://"))) {
        text = span_skip(text, span_find(text, ':') + 3);
    }
    if (!is_plain(text) || uri_parse_authority(text, 0, arena, &uri) != 0) {
        return ERR_SYNTAX;
    }
    if (uri.port == 0) {
        *what = "the port is missing";
        return ERR_SYNTAX;
    }
    proxy->name = uri.is_ipv6 ? arena_printf(arena, "[%.*s]", SPAN_ARGS(uri.host))
                              : arena_copy(arena, uri.host);
    proxy->port = uri.port;
    return 0;
}

static const struct conf_custom proxy_type = {
    .expected = "a proxy such as proxy.example.net:3128 or https://proxy.example.net:3130",
    .size = sizeof(struct pac_proxy),
    .parse = parse_proxy,
};

static int parse_direct(struct span text, struct arena *arena, void *out, const char **what)
{
    struct pac_direct *direct = out;
    struct span name = span_skip(text, span_starts(text, SPAN("*.")) ? 2 : 0);
    const char *no_prefix;
    struct uri uri;

    if (prefix_parse(text, &direct->network, &no_prefix) == 0) {
        return 0;
    }
    if (!is_plain(name) || span_find(name, ':') < name.len ||
        uri_parse_authority(name, 80, arena, &uri) != 0) {
        return ERR_SYNTAX;
    }
    (void)what;
    direct->name =
        arena_printf(arena, "%s%.*s", name.len < text.len ? "*." : "", SPAN_ARGS(uri.host));
    return 0;
}

static const struct conf_custom direct_type = {
    .expected = "a network such as 10.0.0.0/8, a name, or *.NAME",
    .size = sizeof(struct pac_direct),
    .parse = parse_direct,
};

static void pac_finish(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct settings *settings = bound;

    (void)arena;
    settings->pac.for_clients = at != NULL && conf_written(at);
}

/* clang-format off */
static const struct conf_directive rows[] = {
    {"proxies", CONF_CUSTOM(proxy_type), LIST(pac.proxies, pac.proxy_count), "[]", NULL, NULL,
     CONF_RELOAD | CONF_COMMAS,
     "Proxies in order of preference. Default: this one, under the name the client used."},
    {"direct", CONF_CUSTOM(direct_type), LIST(pac.direct, pac.direct_count), "[]", NULL, NULL,
     CONF_RELOAD | CONF_COMMAS,
     "Hosts that clients reach directly: names, or networks of addresses in URLs."},
    {"or-direct", CONF_BOOL, FIELD(pac.or_direct), "yes", NULL, NULL, CONF_RELOAD,
     "Clients go direct if no proxy responds."},
    {0},
};
/* clang-format on */

const struct conf_table pac_table = {.rows = rows, .finish = pac_finish};
