#include "proxy/config/directives_table.h"

#include "base/err.h"
#include "http/names.h"

#define FIELD(member) CONF_FIELD(struct settings, member)
#define LIST(member, count) CONF_LIST(struct settings, member, count)

/* ---- types of our own ---- */

static int parse_port_range(struct span text, struct arena *arena, void *out, const char **what)
{
    struct port_range *range = out;
    struct span last = text;
    struct span first = span_cut(&last, '-');
    uint64_t from, to;

    if (!span_to_u64(first, UINT16_MAX, &from)) {
        return ERR_SYNTAX;
    }
    to = from;
    if (first.len < text.len && !span_to_u64(last, UINT16_MAX, &to)) {
        return ERR_SYNTAX;
    }
    if (from == 0 || to < from) {
        *what = from == 0 ? "there is no port 0" : "the range ends before it begins";
        return ERR_SYNTAX;
    }
    *range = (struct port_range){(uint16_t)from, (uint16_t)to};
    return 0;
}

const struct conf_custom port_range_type = {
    .expected = "a port or range such as 443 or 1024-65535",
    .size = sizeof(struct port_range),
    .parse = parse_port_range,
};

static int parse_origin(struct span text, struct arena *arena, void *out, const char **what)
{
    struct origin *origin = out;

    if (uri_parse(arena_copy(arena, text), arena, &origin->uri) != 0) {
        return ERR_SYNTAX;
    }
    if (!span_eq(origin->uri.path, SPAN("/"))) {
        *what = "it has a path";
        return ERR_SYNTAX;
    }
    return 0;
}

static const struct conf_custom origin_type = {
    .expected = "scheme, host and port such as https://origin.example.net:8443",
    .size = sizeof(struct origin),
    .parse = parse_origin,
};

/* Patterns are stored like hosts in struct uri: lower case, addresses without brackets. */
static int parse_host(struct span text, struct arena *arena, void *out, const char **what)
{
    bool any = span_eq(text, SPAN("*"));
    bool below = span_starts(text, SPAN("*."));
    struct span name = span_skip(text, below ? 2 : 0);
    struct uri uri = {0};

    if (!any &&
        (span_find(name, '*') < name.len || uri_parse_authority(name, 80, arena, &uri) != 0)) {
        return ERR_SYNTAX;
    }
    bool bracketed = text.len && text.at[0] == '[';
    if (!any && (bracketed ? !span_ends(text, SPAN("]")) : span_find(text, ':') < text.len)) {
        *what = "it has a port";
        return ERR_SYNTAX;
    }
    struct span host = any ? SPAN("*") : uri.host;
    if (host.len > 1 && span_ends(host, SPAN("."))) {
        host.len--;
    }
    const char *copy = arena_printf(arena, "%s%.*s", below ? "*." : "", SPAN_ARGS(host)).at;
    memcpy(out, &copy, sizeof(copy));
    return 0;
}

static const struct conf_custom host_type = {
    .expected = "a host name, *.NAME or *",
    .size = sizeof(char *),
    .parse = parse_host,
};

static int parse_nameserver(struct span text, struct arena *arena, void *out, const char **what)
{
    struct sockaddr_storage address;
    socklen_t len;
    const char *copy;

    if (endpoint_parse(text, 53, &address, &len) != 0) {
        return ERR_SYNTAX;
    }
    copy = arena_printf(arena, "%.*s", SPAN_ARGS(text)).at;
    memcpy(out, &copy, sizeof(copy));
    return 0;
}

static const struct conf_custom nameserver_type = {
    .expected = "an address such as 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]",
    .size = sizeof(char *),
    .parse = parse_nameserver,
};

/* The name must be valid unquoted in Via and CDN-Loop, and as a token in Cache-Status. */
static int parse_name(struct span text, struct arena *arena, void *out, const char **what)
{
    const char *copy = arena_printf(arena, "%.*s", SPAN_ARGS(text)).at;

    for (size_t i = 0; i < text.len; i++) {
        char c = ascii_lower(text.at[i]);
        bool letter = c >= 'a' && c <= 'z';
        if (!letter && (i == 0 || (!ascii_is_digit(c) && !strchr(".-_", c)))) {
            return ERR_SYNTAX;
        }
    }
    memcpy(out, &copy, sizeof(copy));
    return text.len > 0 && text.len <= 64 ? 0 : ERR_SYNTAX;
}

static const struct conf_custom name_type = {
    .expected = "1 to 64 letters, digits, \".\", \"-\" and \"_\", first a letter",
    .size = sizeof(char *),
    .parse = parse_name,
};

/* A protocol as Upgrade names it (RFC 9110 7.8): name ["/" version]. */
static int parse_protocol(struct span text, struct arena *arena, void *out, const char **what)
{
    struct span protocol = arena_copy(arena, text);
    struct span version = protocol;
    struct span name = span_cut(&version, '/');

    if (!http_is_token(name) || (name.len < protocol.len && !http_is_token(version))) {
        return ERR_SYNTAX;
    }
    if (span_ieq(name, SPAN("h2c")) || span_ieq(name, SPAN("HTTP"))) {
        *what = "HTTP itself is not changed by Upgrade (RFC 9113 3.1)";
        return ERR_SYNTAX;
    }
    memcpy(out, &protocol, sizeof(protocol));
    return 0;
}

static const struct conf_custom protocol_type = {
    .expected = "a protocol as Upgrade names it such as websocket",
    .size = sizeof(struct span),
    .parse = parse_protocol,
};

static const char *const log_words[] = {"syslog", "journald", NULL};
static const char *const favor_words[] = {"objects", "both", "bytes", NULL};
static const char *const private_words[] = {"allow", "deny", NULL};
static const char *const forwarded_words[] = {"off", "x-forwarded-for", "forwarded", NULL};

/* clang-format off */
/* ---- the rows ---- */

static const struct conf_directive certificate_rows[] = {
    {"certificate", CONF_PATH, CONF_FIELD(struct certificate, file), NULL, NULL, NULL,
     CONF_RELOAD | CONF_REQUIRED, "Certificate followed by its chain, PEM."},
    {"key", CONF_PATH, CONF_FIELD(struct certificate, key), NULL, NULL, NULL,
     CONF_RELOAD | CONF_REQUIRED, "Private key of the certificate, PEM, without a passphrase."},
    {0},
};
static const struct conf_table certificate_table = {
    .rows = certificate_rows, .size = sizeof(struct certificate)};

static const struct conf_directive tls_rows[] = {
    {"certificate", CONF_PATH, CONF_FIELD(struct certificates, one.file), NULL, NULL, NULL,
     CONF_RELOAD, "Certificate followed by its chain, PEM. Read again on reload."},
    {"key", CONF_PATH, CONF_FIELD(struct certificates, one.key), NULL, NULL, NULL, CONF_RELOAD,
     "Private key of the certificate, PEM, without a passphrase."},
    {"certificates", CONF_MAP(certificate_table), CONF_LIST(struct certificates, list, count), NULL,
     NULL, NULL, CONF_RELOAD,
     "Several certificates instead of one, selected by the client's SNI; the first is the "
     "default."},
    {0},
};
static const struct conf_table tls_table = {
    .rows = tls_rows, .size = sizeof(struct certificates), .finish = certificates_finish,
    .finish_always = true};

static void listen_finish(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct listening *listening = bound;

    listening->is_tls = conf_given(at, "tls");
}

static const struct conf_directive listen_rows[] = {
    {"address", CONF_ENDPOINT(0), CONF_FIELD(struct listening, at), NULL, NULL, NULL,
     CONF_REQUIRED, "Address and port; a port alone, such as \"3128\", is all addresses, IPv4 and IPv6."},
    {"tls", CONF_MAP(tls_table), CONF_FIELD(struct listening, tls), NULL, NULL, NULL, CONF_OPTIONAL,
     "Use TLS on this listener, with these certificates; {} takes those of the top-level tls."},
    {0},
};
static const struct conf_table listen_table = {.rows = listen_rows,
                                              .size = sizeof(struct listening),
                                              .shorthand = "address",
                                              .finish = listen_finish,
                                              .finish_always = true};

static const struct conf_directive admin_rows[] = {
    {"address", CONF_ENDPOINT(0), FIELD(admin), "127.0.0.1:3129", NULL, NULL, CONF_UNIX,
     "Dashboard, metrics, health, status, control, PAC file. Whoever can reach it sees all "
     "requests and can reload the configuration and purge the cache, so keep it local."},
    {"dns", CONF_ENDPOINT(0), FIELD(admin_dns), NULL, NULL, NULL, CONF_RELOAD,
     "Admin listener of larder-dns, to show its replicas on the dashboard."},
    {0},
};
static const struct conf_table admin_table = {.rows = admin_rows, .shorthand = "address"};

static const struct conf_directive folder_rows[] = {
    {"path", CONF_PATH, CONF_FIELD(struct store_folder, path), NULL, NULL, NULL, CONF_REQUIRED,
     "A directory on a disk of its own."},
    {"size", CONF_SIZE, CONF_FIELD(struct store_folder, size), NULL, "16MiB", "64TiB", 0,
     "Disk space that may be used there; also its share of the stored objects. Default: "
     "store.size."},
    {0},
};
static const struct conf_table folder_table = {
    .rows = folder_rows, .size = sizeof(struct store_folder), .shorthand = "path"};

static const struct conf_directive store_rows[] = {
    {"path", CONF_PATH, FIELD(store_path), NULL, NULL, NULL, 0,
     "Directory of the store. Without it, responses are cached in memory only."},
    {"size", CONF_SIZE, FIELD(store_size), "10GiB", "16MiB", "64TiB", 0,
     "Disk space that the store may use."},
    {"directories", CONF_MAP(folder_table), LIST(stores, store_count), NULL, NULL, NULL, 0,
     "Several directories instead of path, one per disk. If one fails it is taken out of "
     "use; the others carry on."},
    {"favor", CONF_ENUM(favor_words), FIELD(store_favor), "objects", NULL, NULL, 0,
     "What a full store optimises for: request hit ratio (objects: many small ones), byte "
     "hit ratio (bytes), or a balance (both); see docs/hitratio.md."},
    {"object-max", CONF_SIZE, FIELD(object_max), "0", NULL, NULL, CONF_RELOAD,
     "Largest response to store. 0: as large as the store allows."},
    {0},
};
static const struct conf_table store_table = {.rows = store_rows,
                                             .shorthand = "path",
                                             .shortlist = "directories",
                                             .finish = store_finish,
                                             .finish_always = true};

static const struct conf_directive memory_rows[] = {
    {"size", CONF_SIZE, FIELD(memory_size), "256MiB", "1MiB", "16TiB", 0,
     "Limit for cached objects in memory and everything in progress; see docs/memory.md."},
    {0},
};
static const struct conf_table memory_table = {.rows = memory_rows, .shorthand = "size"};

static int parse_field_name(struct span text, struct arena *arena, void *out, const char **what)
{
    struct span name = arena_copy(arena, text);

    (void)what;
    if (!http_is_token(name)) {
        return ERR_SYNTAX;
    }
    memcpy(out, &name, sizeof(name));
    return 0;
}

static const struct conf_custom field_name_type = {
    .expected = "the name of a field such as CDN-Cache-Control",
    .size = sizeof(struct span),
    .parse = parse_field_name,
};

static const struct conf_directive site_rows[] = {
    {"hosts", CONF_CUSTOM(host_type), CONF_LIST(struct site, hosts, host_count), NULL, NULL, NULL,
     CONF_RELOAD | CONF_REQUIRED, "Host names of the site. The most specific match wins."},
    {"origins", CONF_CUSTOM(origin_type), CONF_LIST(struct site, origins, origin_count), NULL, NULL,
     NULL, CONF_RELOAD | CONF_REQUIRED, "Servers its content is fetched from: the first that answers."},
    {"targeted", CONF_CUSTOM(field_name_type), CONF_LIST(struct site, targeted, targeted_count),
     "[CDN-Cache-Control]", NULL, NULL, CONF_RELOAD,
     "Response headers that replace Cache-Control and Expires (RFC 9213); the first valid "
     "one counts."},
    {"store-set-cookie", CONF_BOOL, CONF_FIELD(struct site, store_set_cookie), "yes", NULL, NULL,
     CONF_RELOAD, "Store responses with Set-Cookie if they have an explicit lifetime."},
    {"ca", CONF_PATH, CONF_FIELD(struct site, ca), NULL, NULL, NULL, CONF_RELOAD,
     "Trusted CAs, or certificates, for its https:// origins, PEM. Default: the system's."},
    {"verify", CONF_BOOL, CONF_FIELD(struct site, verify), "yes", NULL, NULL, CONF_RELOAD,
     "Verify the certificates of its https:// origins. With \"no\", anybody on the path can "
     "impersonate them."},
    {0},
};
static const struct conf_table site_table = {
    .rows = site_rows, .size = sizeof(struct site)};

static const struct conf_directive timeout_rows[] = {
    {"client-head", CONF_MSEC, FIELD(timeouts.client_head), "15s", "100ms", "1h", CONF_RELOAD,
     "For a client to send the request head, and for its TLS handshake."},
    {"client-idle", CONF_MSEC, FIELD(timeouts.client_idle), "60s", "100ms", "1d", CONF_RELOAD,
     "For a client connection without a request."},
    {"client-body", CONF_MSEC, FIELD(timeouts.client_body), "60s", "100ms", "1d", CONF_RELOAD,
     "For a client that makes no progress with a body: it sends nothing, or it sends (with a "
     "known length) or reads fewer than 64 bytes per second."},
    {"connect", CONF_MSEC, FIELD(timeouts.connect), "10s", "10ms", "5min", CONF_RELOAD,
     "For resolving the name of an origin, and as long again for connecting to it, with TLS "
     "handshake, over all its addresses."},
    {"first-byte", CONF_MSEC, FIELD(timeouts.first_byte), "60s", "10ms", "1d", CONF_RELOAD,
     "For the first byte of an origin's response."},
    {"origin-body", CONF_MSEC, FIELD(timeouts.origin_body), "60s", "10ms", "1d", CONF_RELOAD,
     "For an origin that sends nothing in the middle of a body."},
    {"origin-idle", CONF_MSEC, FIELD(timeouts.origin_idle), "30s", "0", "1d", CONF_RELOAD,
     "How long an idle connection to an origin is kept."},
    {"tunnel-idle", CONF_MSEC, FIELD(timeouts.tunnel_idle), "1h", "100ms", "7d", CONF_RELOAD,
     "For a tunnel (CONNECT, WebSocket) without traffic."},
    {"drain", CONF_MSEC, FIELD(timeouts.drain), "30s", "0", "1d", CONF_RELOAD,
     "How long requests in progress may take after SIGTERM."},
    {0},
};
static const struct conf_table timeout_table = {.rows = timeout_rows};

static const struct conf_directive limit_rows[] = {
    {"head", CONF_SIZE, FIELD(limits.head), "32KiB", "1KiB", "1MiB", CONF_RELOAD,
     "Size of a message head: start line and all header fields."},
    {"target", CONF_SIZE, FIELD(limits.target), "8KiB", "256", "1MiB", CONF_RELOAD,
     "Length of a request URL."},
    {"fields", CONF_INT, FIELD(limits.fields), "128", "16", "10000", CONF_RELOAD,
     "Number of header fields."},
    {"connections", CONF_INT, FIELD(limits.connections), "20000", "1", "1000000", CONF_RELOAD,
     "Client connections per worker, or fewer if there are not enough file descriptors. One "
     "more closes an idle one."},
    {"idle-per-origin", CONF_INT, FIELD(limits.idle_per_origin), "64", "0", "10000", CONF_RELOAD,
     "Idle connections kept per origin and worker."},
    {0},
};
static const struct conf_table limit_table = {.rows = limit_rows};

static const struct conf_directive cache_rows[] = {
    {"heuristic", CONF_PERCENT, FIELD(cache.heuristic_percent), "10%", "0%", "100%", CONF_RELOAD,
     "Lifetime of a response without one, as a share of the time since Last-Modified."},
    {"heuristic-max", CONF_SEC, FIELD(cache.heuristic_max), "7d", "0", "52w", CONF_RELOAD,
     "Upper bound of that lifetime."},
    {"clients-may-bypass", CONF_BOOL, FIELD(cache.clients_may_bypass), "yes", NULL, NULL,
     CONF_RELOAD, "Honour no-cache, max-age and the like in requests, as of a browser's reload."},
    {"status-key", CONF_BOOL, FIELD(cache.status_key), "no", NULL, NULL, CONF_RELOAD,
     "Show the cache key, with the query, in Cache-Status."},
    {0},
};
static const struct conf_table cache_table = {.rows = cache_rows};

static const struct conf_directive access_log_rows[] = {
    {"to", CONF_PATH_OR(log_words), CONF_FIELD(struct access_log, to), NULL, NULL, NULL,
     CONF_RELOAD | CONF_REQUIRED,
     "A file, \"-\" for standard output, syslog or journald; syslog:/PATH or journald:/PATH "
     "for another socket."},
    {"format", CONF_CUSTOM(log_style_type), CONF_FIELD(struct access_log, style), NULL, NULL, NULL,
     CONF_RELOAD, "Line format. Default: log.format."},
    {"fields", CONF_CUSTOM(log_field_type), CONF_LIST(struct access_log, fields, field_count), NULL,
     NULL, NULL, CONF_RELOAD | CONF_COMMAS,
     "These fields, separated by spaces; with \"format: json\", an object of these fields. "
     "See docs/logs.md."},
    {0},
};
static const struct conf_table access_log_table = {.rows = access_log_rows,
                                                  .size = sizeof(struct access_log),
                                                  .shorthand = "to",
                                                  .finish = access_log_finish};

static const struct conf_directive log_rows[] = {
    {"access", CONF_MAP(access_log_table), LIST(access_logs, access_log_count), NULL, NULL, NULL,
     CONF_RELOAD, "Access logs. Default: none."},
    {"format", CONF_CUSTOM(log_style_type), FIELD(access_style), "squid", NULL, NULL, CONF_RELOAD,
     "Line format of logs that set none: Squid's native format, combined, JSON, or a string "
     "with fields."},
    {"level", CONF_ENUM(log_level_words), FIELD(log_level), "info", NULL, NULL, CONF_RELOAD,
     "Least severe messages written to standard error."},
    {0},
};
static const struct conf_table log_table = {
    .rows = log_rows, .finish = log_finish, .finish_always = true};

static const struct conf_directive root_rows[] = {
    {"listen", CONF_MAP(listen_table), LIST(listen, listen_count), "[\"127.0.0.1:3128\"]", NULL,
     NULL, 0, "Addresses to listen on for clients."},
    {"tls", CONF_MAP(tls_table), FIELD(tls), NULL, NULL, NULL, 0,
     "Certificates for listeners that have none of their own."},
    {"admin", CONF_MAP(admin_table), CONF_SAME, NULL, NULL, NULL, 0, "The admin listener."},
    {"workers", CONF_INT, FIELD(workers), "0", NULL, "64", 0,
     "Number of event loops, each a thread. 0: one per CPU, at most 8."},
    {"store", CONF_MAP(store_table), CONF_SAME, NULL, NULL, NULL, 0, "The on-disk cache."},
    {"memory", CONF_MAP(memory_table), CONF_SAME, NULL, NULL, NULL, 0, "Memory use."},
    {"access", CONF_MAP(access_table), LIST(access, access_count),
     "[{allow: {from: [127.0.0.0/8, \"::1\"]}}]", NULL, NULL, CONF_RELOAD,
     "Who may use the proxy, and for what. The first rule that matches decides; if none "
     "does, the request is denied."},
    {"users", CONF_MAP(users_table), CONF_SAME, NULL, NULL, NULL, 0,
     "Users for access rules."},
    {"state", CONF_PATH, FIELD(state), NULL, NULL, NULL, 0,
     "Directory for data that must survive a restart: quota usage."},
    {"sandbox", CONF_ENUM(sandbox_words), FIELD(sandbox), "on", NULL, NULL, 0,
     "After start, drop capabilities and allow only the necessary system calls. log: allow "
     "others but write them to the kernel log; strict: the first one kills the process."},
    {"takeover", CONF_PATH, FIELD(takeover), NULL, NULL, NULL, 0,
     "Unix socket through which a new process (--takeover) takes over the listening sockets, "
     "so that an upgrade refuses no client; see docs/service.md."},
    {"shares", CONF_MAP(shares_table), CONF_SAME, NULL, NULL, NULL, 0,
     "Fair sharing of bandwidth; see docs/access.md."},
    {"pages", CONF_PATH, FIELD(pages), NULL, NULL, NULL, CONF_RELOAD,
     "Directory with templates for error pages, such as 403.de.html; see docs/access.md. "
     "Default: built-in pages."},
    {"allow-targets", CONF_PREFIX, LIST(allow_targets, allow_target_count), "[]", NULL, NULL,
     CONF_RELOAD | CONF_COMMAS,
     "Special addresses (loopback, link-local, cloud metadata) that clients may reach "
     "nevertheless; never the ports of `listen`, `admin.address` and `admin.dns`."},
    {"private-targets", CONF_ENUM(private_words), FIELD(private_targets), "allow", NULL, NULL,
     CONF_RELOAD,
     "Whether clients may reach private addresses (10/8, 172.16/12, 192.168/16, 100.64/10, "
     "fc00::/7) that are not in `allow-targets`, by address or by name; see docs/access.md."},
    {"connect-ports", CONF_CUSTOM(port_range_type), LIST(connect_ports, connect_port_count),
     "[443]", NULL, NULL, CONF_RELOAD | CONF_COMMAS, "Ports allowed for CONNECT."},
    {"upgrades", CONF_CUSTOM(protocol_type), LIST(upgrades, upgrade_count), "[websocket]", NULL,
     NULL, CONF_RELOAD | CONF_COMMAS,
     "Protocols allowed for Upgrade, or :protocol in HTTP/2. If empty, such requests are "
     "forwarded as ordinary ones."},
    {"sites", CONF_MAP(site_table), LIST(sites, site_count), "[]", NULL, NULL, CONF_RELOAD,
     "Hosts that this proxy serves as a replica (reverse proxy). If empty, it is a forward "
     "proxy only."},
    {"mirrors", CONF_MAP(mirror_table), LIST(mirrors, mirror_count), "[]", NULL, NULL, CONF_RELOAD,
     "Registries and archives served under a path of the proxy, for package managers; see "
     "docs/mirrors.md."},
    {"cache", CONF_MAP(cache_table), CONF_SAME, NULL, NULL, NULL, 0, "Caching policy."},
    {"timeouts", CONF_MAP(timeout_table), CONF_SAME, NULL, NULL, NULL, 0, "Timeouts."},
    {"limits", CONF_MAP(limit_table), CONF_SAME, NULL, NULL, NULL, 0, "Limits."},
    {"name", CONF_CUSTOM(name_type), FIELD(name), NULL, NULL, NULL, CONF_RELOAD,
     "Name of this proxy in Via and Cache-Status, and for loop detection; must be unique "
     "among proxies that use each other. Default: derived from the host name and the first "
     "address."},
    {"forwarded", CONF_ENUM(forwarded_words), FIELD(forwarded), "off", NULL, NULL, CONF_RELOAD,
     "Header that tells origins the client's address."},
    {"nameservers", CONF_CUSTOM(nameserver_type), LIST(nameservers, nameserver_count), "[]", NULL,
     NULL, CONF_RELOAD | CONF_COMMAS, "DNS resolvers for the names of origins. Default: those of the system."},
    {"pac", CONF_MAP(pac_table), CONF_SAME, NULL, NULL, NULL, 0,
     "The PAC file and /setup. They are always served on the admin port; with this "
     "directive, even {}, also on the proxy's own ports. See docs/clients.md."},
    {"log", CONF_MAP(log_table), CONF_SAME, NULL, NULL, NULL, 0, "Logging."},
    {0},
};
/* clang-format on */

const struct conf_table settings_table = {
    .rows = root_rows,
    .size = sizeof(struct settings),
    .finish = settings_finish,
    .finish_always = true,
};
