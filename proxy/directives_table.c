#include "proxy/directives_table.h"

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

/* A pattern is kept as hosts are in struct uri: lower case, addresses without brackets. */
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

/* The pseudonym goes unquoted into Via and CDN-Loop and as a token into Cache-Status. */
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
     CONF_RELOAD | CONF_REQUIRED, "The certificate and, behind it, its chain, in PEM."},
    {"key", CONF_PATH, CONF_FIELD(struct certificate, key), NULL, NULL, NULL,
     CONF_RELOAD | CONF_REQUIRED, "Its key, in PEM, without a passphrase."},
    {0},
};
static const struct conf_table certificate_table = {
    .rows = certificate_rows, .size = sizeof(struct certificate)};

static const struct conf_directive tls_rows[] = {
    {"certificate", CONF_PATH, CONF_FIELD(struct certificates, one.file), NULL, NULL, NULL,
     CONF_RELOAD, "The certificate and, behind it, its chain, in PEM. A reload reads it again."},
    {"key", CONF_PATH, CONF_FIELD(struct certificates, one.key), NULL, NULL, NULL, CONF_RELOAD,
     "Its key, in PEM, without a passphrase."},
    {"certificates", CONF_MAP(certificate_table), CONF_LIST(struct certificates, list, count), NULL,
     NULL, NULL, CONF_RELOAD,
     "Instead of these: several. The client's choice of a name (SNI) decides; the first is for all "
     "other names."},
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
     CONF_REQUIRED, "Address and port for clients."},
    {"tls", CONF_MAP(tls_table), CONF_FIELD(struct listening, tls), NULL, NULL, NULL, CONF_OPTIONAL,
     "Clients speak TLS there, with these certificates, or, with {}, those for all."},
    {0},
};
static const struct conf_table listen_table = {.rows = listen_rows,
                                              .size = sizeof(struct listening),
                                              .shorthand = "address",
                                              .finish = listen_finish,
                                              .finish_always = true};

static const struct conf_directive admin_rows[] = {
    {"address", CONF_ENDPOINT(0), FIELD(admin), "127.0.0.1:3129", NULL, NULL, CONF_UNIX,
     "Metrics, health, status, dashboard and PAC file. Whoever reaches it sees what is "
     "asked for, and may reload the configuration: keep it local."},
    {"dns", CONF_ENDPOINT(0), FIELD(admin_dns), NULL, NULL, NULL, CONF_RELOAD,
     "The administrative address of larder-dns, whose replicas the dashboard shows."},
    {0},
};
static const struct conf_table admin_table = {.rows = admin_rows, .shorthand = "address"};

static const struct conf_directive folder_rows[] = {
    {"path", CONF_PATH, CONF_FIELD(struct store_folder, path), NULL, NULL, NULL, CONF_REQUIRED,
     "The folder, on a disk of its own."},
    {"size", CONF_SIZE, CONF_FIELD(struct store_folder, size), NULL, "16MiB", "256TiB", 0,
     "Disk that may be used there; its part of what is stored goes by it. Not set: store.size."},
    {0},
};
static const struct conf_table folder_table = {
    .rows = folder_rows, .size = sizeof(struct store_folder), .shorthand = "path"};

static const struct conf_directive store_rows[] = {
    {"path", CONF_PATH, FIELD(store_path), NULL, NULL, NULL, 0,
     "The folder of the disk store. Not set: memory only."},
    {"size", CONF_SIZE, FIELD(store_size), "10GiB", "16MiB", "256TiB", 0,
     "Disk that the store may use."},
    {"directories", CONF_MAP(folder_table), LIST(stores, store_count), NULL, NULL, NULL, 0,
     "Instead of path: several folders, one for each disk. One that fails is taken out, the others "
     "go on."},
    {"favor", CONF_ENUM(favor_words), FIELD(store_favor), "objects", NULL, NULL, 0,
     "What a full store keeps: many small objects (most requests answered), large ones as gladly "
     "(fewest bytes fetched), or both; see docs/hitratio.md."},
    {"object-max", CONF_SIZE, FIELD(object_max), "0", NULL, NULL, CONF_RELOAD,
     "Larger responses are not stored. 0: as large as the store allows."},
    {0},
};
static const struct conf_table store_table = {.rows = store_rows,
                                             .shorthand = "path",
                                             .shortlist = "directories",
                                             .finish = store_finish,
                                             .finish_always = true};

static const struct conf_directive memory_rows[] = {
    {"size", CONF_SIZE, FIELD(memory_size), "256MiB", "1MiB", "16TiB", 0,
     "The limit for hot objects and all that is under way; see docs/memory.md."},
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
     CONF_RELOAD | CONF_REQUIRED, "Names that the site answers to. The most specific one wins."},
    {"origins", CONF_CUSTOM(origin_type), CONF_LIST(struct site, origins, origin_count), NULL, NULL,
     NULL, CONF_RELOAD | CONF_REQUIRED, "Where its content comes from."},
    {"targeted", CONF_CUSTOM(field_name_type), CONF_LIST(struct site, targeted, targeted_count),
     "[CDN-Cache-Control]", NULL, NULL, CONF_RELOAD,
     "Fields that count in place of Cache-Control and Expires (RFC 9213); the first that parses."},
    {"store-set-cookie", CONF_BOOL, CONF_FIELD(struct site, store_set_cookie), "yes", NULL, NULL,
     CONF_RELOAD, "A response that sets a cookie may be kept, if it has an explicit lifetime."},
    {"ca", CONF_PATH, CONF_FIELD(struct site, ca), NULL, NULL, NULL, CONF_RELOAD,
     "Whom to trust for its https:// origins, in PEM: authorities, or the certificates themselves. "
     "Not set: the system's store."},
    {"verify", CONF_BOOL, CONF_FIELD(struct site, verify), "yes", NULL, NULL, CONF_RELOAD,
     "Its https:// origins have to prove who they are. \"no\" lets anybody on the way answer for "
     "them."},
    {0},
};
static const struct conf_table site_table = {
    .rows = site_rows, .size = sizeof(struct site)};

static const struct conf_directive timeout_rows[] = {
    {"client-head", CONF_MSEC, FIELD(timeouts.client_head), "15s", "100ms", "1h", CONF_RELOAD,
     "A client has sent the head of its request after this long."},
    {"client-idle", CONF_MSEC, FIELD(timeouts.client_idle), "60s", "100ms", "1d", CONF_RELOAD,
     "A connection without a request is closed after this long."},
    {"client-body", CONF_MSEC, FIELD(timeouts.client_body), "60s", "100ms", "1d", CONF_RELOAD,
     "A client that sends no byte of a body, less than 64 bytes a second of one whose length it has announced, or "
     "takes less than that of one, for this long is cut off."},
    {"tls-handshake", CONF_MSEC, FIELD(timeouts.tls_handshake), "10s", "100ms", "1h", CONF_RELOAD,
     "A client has agreed on TLS after this long. With origins it is part of connect."},
    {"resolve", CONF_MSEC, FIELD(timeouts.resolve), "10s", "10ms", "5min", CONF_RELOAD,
     "An origin's name has an address after this long."},
    {"connect", CONF_MSEC, FIELD(timeouts.connect), "10s", "10ms", "5min", CONF_RELOAD,
     "An origin has accepted a connection, and agreed on TLS, after this long, all its addresses "
     "together."},
    {"first-byte", CONF_MSEC, FIELD(timeouts.first_byte), "60s", "10ms", "1d", CONF_RELOAD,
     "An origin has begun its answer after this long."},
    {"origin-body", CONF_MSEC, FIELD(timeouts.origin_body), "60s", "10ms", "1d", CONF_RELOAD,
     "An origin that sends no byte of a body for this long is cut off."},
    {"origin-idle", CONF_MSEC, FIELD(timeouts.origin_idle), "30s", "0", "1d", CONF_RELOAD,
     "An idle connection to an origin is kept this long."},
    {"tunnel-idle", CONF_MSEC, FIELD(timeouts.tunnel_idle), "1h", "100ms", "7d", CONF_RELOAD,
     "A tunnel (CONNECT, WebSocket) in which nothing moves for this long is closed."},
    {"drain", CONF_MSEC, FIELD(timeouts.drain), "30s", "0", "1d", CONF_RELOAD,
     "Requests under way may end for this long after SIGTERM."},
    {0},
};
static const struct conf_table timeout_table = {.rows = timeout_rows};

static const struct conf_directive limit_rows[] = {
    {"head", CONF_SIZE, FIELD(limits.head), "32KiB", "1KiB", "1MiB", CONF_RELOAD,
     "The head of a message: request line or status line and all fields."},
    {"target", CONF_SIZE, FIELD(limits.target), "8KiB", "256", "1MiB", CONF_RELOAD,
     "The URL of a request."},
    {"fields", CONF_INT, FIELD(limits.fields), "128", "16", "10000", CONF_RELOAD,
     "The number of fields in a head."},
    {"connections", CONF_INT, FIELD(limits.connections), "20000", "1", "1000000", CONF_RELOAD,
     "Client connections at once, for each worker; fewer where descriptors do not suffice. One "
     "more closes one that has no request under way."},
    {"idle-per-origin", CONF_INT, FIELD(limits.idle_per_origin), "64", "0", "10000", CONF_RELOAD,
     "Idle connections kept to one origin, for each worker."},
    {0},
};
static const struct conf_table limit_table = {.rows = limit_rows};

static const struct conf_directive cache_rows[] = {
    {"heuristic", CONF_PERCENT, FIELD(cache.heuristic_percent), "10%", "0%", "100%", CONF_RELOAD,
     "Lifetime of a response that states none, as a share of its age since Last-Modified."},
    {"heuristic-max", CONF_SEC, FIELD(cache.heuristic_max), "7d", "0", "52w", CONF_RELOAD,
     "The longest such lifetime."},
    {"clients-may-bypass", CONF_BOOL, FIELD(cache.clients_may_bypass), "yes", NULL, NULL,
     CONF_RELOAD, "A client's Cache-Control (reload, no-store) is honoured."},
    {"status-key", CONF_BOOL, FIELD(cache.status_key), "no", NULL, NULL, CONF_RELOAD,
     "Cache-Status tells the key under which the response is looked for, query included."},
    {0},
};
static const struct conf_table cache_table = {.rows = cache_rows};

static const struct conf_directive access_log_rows[] = {
    {"to", CONF_PATH_OR(log_words), CONF_FIELD(struct access_log, to), NULL, NULL, NULL,
     CONF_RELOAD | CONF_REQUIRED,
     "A file; \"-\" is standard output, syslog and journald are the system's logs, or, with "
     "a path behind it as in syslog:/dev/log, such a socket elsewhere."},
    {"format", CONF_CUSTOM(log_style_type), CONF_FIELD(struct access_log, style), NULL, NULL, NULL,
     CONF_RELOAD, "Its lines; not set: log.format."},
    {"fields", CONF_CUSTOM(log_field_type), CONF_LIST(struct access_log, fields, field_count), NULL,
     NULL, NULL, CONF_RELOAD | CONF_COMMAS,
     "Instead: these, with blanks between them; with format: json, an object of these. See "
     "docs/logs.md."},
    {0},
};
static const struct conf_table access_log_table = {.rows = access_log_rows,
                                                  .size = sizeof(struct access_log),
                                                  .shorthand = "to",
                                                  .finish = access_log_finish};

static const struct conf_directive log_rows[] = {
    {"access", CONF_MAP(access_log_table), LIST(access_logs, access_log_count), NULL, NULL, NULL,
     CONF_RELOAD, "The access log, or several. Not set: none."},
    {"format", CONF_CUSTOM(log_style_type), FIELD(access_style), "squid", NULL, NULL, CONF_RELOAD,
     "Their lines: Squid's native ones, the combined ones, objects of JSON, or a text of your own."},
    {"level", CONF_ENUM(log_level_words), FIELD(log_level), "info", NULL, NULL, CONF_RELOAD,
     "What goes to standard error."},
    {0},
};
static const struct conf_table log_table = {
    .rows = log_rows, .finish = log_finish, .finish_always = true};

static const struct conf_directive root_rows[] = {
    {"listen", CONF_MAP(listen_table), LIST(listen, listen_count), "[\"127.0.0.1:3128\"]", NULL,
     NULL, 0, "Where clients connect."},
    {"tls", CONF_MAP(tls_table), FIELD(tls), NULL, NULL, NULL, 0,
     "Certificates for listeners that name none."},
    {"admin", CONF_MAP(admin_table), CONF_SAME, NULL, NULL, NULL, 0, "The administrator's door."},
    {"workers", CONF_INT, FIELD(workers), "0", NULL, "64", 0,
     "Event loops, each a thread. 0: one for each CPU, at most 8."},
    {"store", CONF_MAP(store_table), CONF_SAME, NULL, NULL, NULL, 0, "The cache on disk."},
    {"memory", CONF_MAP(memory_table), CONF_SAME, NULL, NULL, NULL, 0, "The cache in memory."},
    {"access", CONF_MAP(access_table), LIST(access, access_count),
     "[{allow: {from: [127.0.0.0/8, \"::1\"]}}]", NULL, NULL, CONF_RELOAD,
     "Who may use the proxy, for what. The first rule that holds decides; without one: deny."},
    {"users", CONF_MAP(users_table), CONF_SAME, NULL, NULL, NULL, 0,
     "People whom rules of access name."},
    {"state", CONF_PATH, FIELD(state), NULL, NULL, NULL, 0,
     "The folder of what a restart must not forget: how much of their quotas people have used."},
    {"sandbox", CONF_ENUM(sandbox_words), FIELD(sandbox), "on", NULL, NULL, 0,
     "Once started: no capabilities, and no system calls but those that are needed. log: forbidden "
     "ones are made, and told to the kernel's log; strict: the first one ends the process."},
    {"takeover", CONF_PATH, FIELD(takeover), NULL, NULL, NULL, 0,
     "A unix socket by which a newer process (--takeover) gets the listening sockets of this one, and "
     "takes its place without refusing anybody; see docs/service.md."},
    {"shares", CONF_MAP(shares_table), CONF_SAME, NULL, NULL, NULL, 0,
     "How clients share what there is; see docs/access.md."},
    {"pages", CONF_PATH, FIELD(pages), NULL, NULL, NULL, CONF_RELOAD,
     "A folder with templates of pages that say what went wrong, such as 403.de.html; see "
     "docs/access.md. Not set: those built in."},
    {"allow-targets", CONF_PREFIX, LIST(allow_targets, allow_target_count), "[]", NULL, NULL,
     CONF_RELOAD | CONF_COMMAS,
     "Special addresses (loopback, link-local, cloud metadata) that may be asked for all the same; but "
     "never the ports of `listen`, `admin.address` and `admin.dns`."},
    {"private-targets", CONF_ENUM(private_words), FIELD(private_targets), "allow", NULL, NULL,
     CONF_RELOAD,
     "Whether private addresses (10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7) may be asked for that "
     "`allow-targets` does not have, by number or by a name that leads there; see docs/access.md."},
    {"connect-ports", CONF_CUSTOM(port_range_type), LIST(connect_ports, connect_port_count),
     "[443]", NULL, NULL, CONF_RELOAD | CONF_COMMAS, "Ports that CONNECT may reach."},
    {"upgrades", CONF_CUSTOM(protocol_type), LIST(upgrades, upgrade_count), "[websocket]", NULL,
     NULL, CONF_RELOAD | CONF_COMMAS,
     "Protocols that a connection may be changed to by Upgrade, or by :protocol in HTTP/2. None: "
     "such requests go on as ordinary ones."},
    {"sites", CONF_MAP(site_table), LIST(sites, site_count), "[]", NULL, NULL, CONF_RELOAD,
     "Hosts that this proxy stands in for, as a replica. None: forward proxy only."},
    {"mirrors", CONF_MAP(mirror_table), LIST(mirrors, mirror_count), "[]", NULL, NULL, CONF_RELOAD,
     "Origins under paths of our own, for package managers; see docs/mirrors.md."},
    {"cache", CONF_MAP(cache_table), CONF_SAME, NULL, NULL, NULL, 0, "What is kept, how long."},
    {"timeouts", CONF_MAP(timeout_table), CONF_SAME, NULL, NULL, NULL, 0, "How long we wait."},
    {"limits", CONF_MAP(limit_table), CONF_SAME, NULL, NULL, NULL, 0, "How much we take."},
    {"name", CONF_CUSTOM(name_type), FIELD(name), NULL, NULL, NULL, CONF_RELOAD,
     "This proxy in Via, Cache-Status and loop detection; unique among proxies that may ask each "
     "other. Not set: made from the machine's name and the first address."},
    {"forwarded", CONF_ENUM(forwarded_words), FIELD(forwarded), "off", NULL, NULL, CONF_RELOAD,
     "Tell origins the client's address."},
    {"nameservers", CONF_CUSTOM(nameserver_type), LIST(nameservers, nameserver_count), "[]", NULL,
     NULL, CONF_RELOAD | CONF_COMMAS, "Resolvers for origins' names. None: those of the system."},
    {"pac", CONF_MAP(pac_table), CONF_SAME, NULL, NULL, NULL, 0,
     "What clients are told: /proxy.pac, /wpad.dat and /setup on the admin port. Where it is written, "
     "be it {}, also on the proxy's own ports, for who may use the proxy; see docs/clients.md."},
    {"log", CONF_MAP(log_table), CONF_SAME, NULL, NULL, NULL, 0, "What is written down."},
    {0},
};
/* clang-format on */

const struct conf_table settings_table = {
    .rows = root_rows,
    .size = sizeof(struct settings),
    .finish = settings_finish,
    .finish_always = true,
};
