/* What each directive of Squid is translated to, and the file that is made of it. */
#include "ctl/squid.h"

#include "base/conf.h"
#include "base/mem.h"
#include "base/prefix.h"

#include <inttypes.h>

typedef void (*handler)(struct squid *squid, const struct squid_line *line);

/* ---- ports ---- */

/* "3128", "192.0.2.1:3128", "[::]:3128", "host:3128". */
static bool put_address(struct squid *squid, const struct squid_line *line, struct buf *out)
{
    struct span word = squid_word(line, 1);
    struct sockaddr_storage address;
    socklen_t len;
    uint64_t port;

    if (span_to_u64(word, UINT16_MAX, &port) && port > 0) {
        buf_printf(out, "\"[::]:%" PRIu64 "\"", port);
        return true;
    }
    if (endpoint_parse(word, 0, &address, &len) != 0) {
        squid_lose(squid, line, "\"%.*s\" is no port or ADDRESS:PORT; write the address",
                   SPAN_ARGS(span_take(word, 100)));
        return false;
    }
    conf_quote(out, word);
    return true;
}

/* Notes modes that Larder does not have, as clients depend on them. False: there is one. */
static bool tell_modes(struct squid *squid, const struct squid_line *line, const char *rest)
{
    static const char *const modes[] = {"intercept", "transparent", "tproxy", "ssl-bump"};
    bool plain = true;

    for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
        if (squid_has(line, 2, modes[i])) {
            squid_lose(
                squid, line,
                "%s: Larder does not intercept; clients have to be told of the proxy (PAC, WPAD)%s",
                modes[i], rest);
            plain = false;
        }
    }
    return plain;
}

static void note_accelerator(struct squid *squid, const struct squid_line *line)
{
    if (squid_has(line, 2, "accel") || squid_has(line, 2, "vhost")) {
        struct span site = squid_option(line, 2, "defaultsite=");
        squid->accelerates = true;
        squid->site = site.len ? site : squid->site;
    }
}

static void on_http_port(struct squid *squid, const struct squid_line *line)
{
    struct buf item = BUF_INIT;

    if (put_address(squid, line, &item)) {
        tell_modes(squid, line, "; the port is kept for those that are");
        buf_printf(&squid->listen, "  - %.*s", SPAN_ARGS(buf_span(&item)));
        squid_origin(line, &squid->listen);
        note_accelerator(squid, line);
    }
    buf_fini(&item);
}

static void on_https_port(struct squid *squid, const struct squid_line *line)
{
    struct span cert = squid_option(line, 2, "tls-cert="), key = squid_option(line, 2, "tls-key=");
    struct buf item = BUF_INIT;

    cert = cert.len ? cert : squid_option(line, 2, "cert=");
    key = key.len ? key : squid_option(line, 2, "key=");
    /* In these modes the certificate is not one for a proxy. */
    if (!tell_modes(squid, line, "") || !put_address(squid, line, &item)) {
        buf_fini(&item);
        return;
    }
    if (cert.len == 0) {
        squid_lose(squid, line, "it names no certificate");
    } else {
        buf_printf(&squid->listen,
                   "  - {address: %.*s, tls: {certificate: ", SPAN_ARGS(buf_span(&item)));
        conf_quote(&squid->listen, cert);
        buf_printf(&squid->listen, ", key: ");
        /* Squid accepts one file with key and certificate */
        conf_quote(&squid->listen, key.len ? key : cert);
        buf_printf(&squid->listen, "}}");
        squid_origin(line, &squid->listen);
        note_accelerator(squid, line);
    }
    buf_fini(&item);
}

/* ---- what is stored ---- */

static void on_cache_dir(struct squid *squid, const struct squid_line *line)
{
    struct span kind = squid_word(line, 1), path = squid_word(line, 2);
    uint64_t megabytes;

    if (span_eq(kind, SPAN("null"))) {
        squid_remark(squid, line, "without a store, everything is in memory, as in Squid");
    } else if (!span_to_u64(squid_word(line, 3), 1u << 28, &megabytes) || path.len == 0 ||
               megabytes < 16) {
        squid_lose(squid, line, "no folder and size (16 MB at least) that can be used");
    } else {
        buf_printf(&squid->stores, "    - {path: ");
        conf_quote(&squid->stores, arena_printf(&squid->arena, "%.*s/larder", SPAN_ARGS(path)));
        buf_printf(&squid->stores, ", size: %" PRIu64 "MiB}", megabytes);
        squid_origin(line, &squid->stores);
        squid->store_count++;
    }
}

static void on_cache_mem(struct squid *squid, const struct squid_line *line)
{
    squid_set(squid, line, SQUID_MEMORY,
              squid_size(squid, squid_word(line, 1), squid_word(line, 2)));
}

static void on_object_max(struct squid *squid, const struct squid_line *line)
{
    struct span size = squid_size(squid, squid_word(line, 1), squid_word(line, 2));

    if (size.len == 0) {
        squid_lose(squid, line, "not a valid size");
        return;
    }
    squid->object_max = size;
    squid->object_max_from = arena_printf(&squid->arena, "%s:%u", line->file, line->number);
}

static void on_refresh_pattern(struct squid *squid, const struct squid_line *line)
{
    size_t at = span_eq(squid_word(line, 1), SPAN("-i")) ? 2 : 1;
    struct span pattern = squid_word(line, at), percent = squid_word(line, at + 2);
    uint64_t least, share, most;

    if (span_eq(pattern, SPAN("^ftp:")) || span_eq(pattern, SPAN("^gopher:"))) {
        squid_remark(squid, line, "there is neither FTP nor Gopher");
    } else if (span_find(pattern, '?') < pattern.len &&
               span_eq(squid_word(line, at + 1), SPAN("0")) && span_eq(percent, SPAN("0%"))) {
        squid_remark(squid, line, "no lifetime is estimated for URLs with a query");
    } else if (!span_eq(pattern, SPAN(".")) || line->count > at + 4 ||
               !span_to_u64(squid_word(line, at + 1), 1u << 30, &least) || least > 0 ||
               !span_ends(percent, SPAN("%")) ||
               !span_to_u64(span_take(percent, percent.len - 1), 100, &share) ||
               !span_to_u64(squid_word(line, at + 3), 524160, &most)) {
        squid_lose(squid, line,
                   "origins decide lifetimes; for responses without one, there is one "
                   "estimate for all URLs (cache.heuristic)");
    } else {
        squid_set(squid, line, SQUID_HEURISTIC, percent);
        squid_set(squid, line, SQUID_HEURISTIC_MAX,
                  arena_printf(&squid->arena, "%" PRIu64 "min", most));
    }
}

/* ---- origins ---- */

/* Is it a valid name of a host, such as of this machine? */
static bool is_name(struct span name)
{
    bool plain = name.len > 0 && name.len < 128 && name.at[0] != '.' && name.at[0] != '-';

    for (size_t i = 0; i < name.len; i++) {
        char c = ascii_lower(name.at[i]);
        plain = plain && ((c >= 'a' && c <= 'z') || ascii_is_digit(c) || c == '.' || c == '-');
    }
    return plain;
}

static void on_cache_peer(struct squid *squid, const struct squid_line *line)
{
    struct span host = squid_word(line, 1), site = squid_option(line, 5, "forcedomain=");
    bool tls = squid_has(line, 5, "ssl") || squid_has(line, 5, "tls");
    uint64_t port;

    if (!squid_has(line, 5, "originserver")) {
        squid_lose(squid, line,
                   "Larder has no parents or siblings: it contacts origins directly. LOOK AT THIS "
                   "if your network lets only the parent out");
        return;
    }
    if (!is_name(host) || !span_to_u64(squid_word(line, 3), 65535, &port) || port == 0) {
        squid_lose(squid, line, "not a host and port of an origin");
        return;
    }
    site = is_name(site) ? site : is_name(squid->site) ? squid->site : SPAN("*");
    if (buf_len(&squid->sites)) {
        squid_lose(squid, line,
                   "a second origin: which hosts it is for has to be written by hand "
                   "(sites)");
        return;
    }
    buf_printf(&squid->sites, "  - {hosts: [");
    conf_quote(&squid->sites, site);
    buf_printf(&squid->sites, "], origins: [\"%s://%.*s:%" PRIu64 "\"]}", tls ? "https" : "http",
               SPAN_ARGS(host), port);
    squid_origin(line, &squid->sites);
}

static void on_nameservers(struct squid *squid, const struct squid_line *line)
{
    struct buf list = BUF_INIT;
    struct ip ip;

    for (size_t i = 1; i < line->count; i++) {
        if (ip_parse(line->words[i], &ip) != 0) {
            squid_lose(squid, line, "\"%.*s\" is no address",
                       SPAN_ARGS(span_take(line->words[i], 100)));
            continue;
        }
        bool v6 = !ip_is_v4(&ip);
        buf_printf(&list, "%s\"%s%.*s%s\"", buf_len(&list) ? ", " : "[", v6 ? "[" : "",
                   SPAN_ARGS(line->words[i]), v6 ? "]" : "");
    }
    if (buf_len(&list)) {
        buf_printf(&list, "]");
        squid_set(squid, line, SQUID_NAMESERVERS, buf_span(&list));
    }
    buf_fini(&list);
}

/* ---- names and numbers ---- */

static void on_hostname(struct squid *squid, const struct squid_line *line)
{
    struct span name = squid_word(line, 1);

    if (is_name(name)) {
        squid_set(squid, line, SQUID_NAME,
                  arena_printf(&squid->arena, "\"%.*s\"", SPAN_ARGS(name)));
    } else {
        squid_lose(squid, line, "not a host name");
    }
}

static void on_forwarded_for(struct squid *squid, const struct squid_line *line)
{
    struct span how = squid_word(line, 1);

    if (span_eq(how, SPAN("on"))) {
        squid_set(squid, line, SQUID_FORWARDED, SPAN("x-forwarded-for"));
    } else {
        squid_set(squid, line, SQUID_FORWARDED, SPAN("\"off\""));
    }
}

static void on_via(struct squid *squid, const struct squid_line *line)
{
    if (span_eq(squid_word(line, 1), SPAN("off"))) {
        squid_lose(squid, line, "Via is always sent, to detect loops");
    } else {
        squid_remark(squid, line, "Via is always sent");
    }
}

static void on_workers(struct squid *squid, const struct squid_line *line)
{
    uint64_t count;

    if (span_to_u64(squid_word(line, 1), 64, &count)) {
        squid_set(squid, line, SQUID_WORKERS, squid_word(line, 1));
    } else {
        squid_lose(squid, line, "at most 64 event loops");
    }
}

static void on_head_size(struct squid *squid, const struct squid_line *line)
{
    squid_set(squid, line, SQUID_HEAD, squid_size(squid, squid_word(line, 1), squid_word(line, 2)));
}

static void on_time(struct squid *squid, const struct squid_line *line)
{
    static const struct {
        const char *name;
        enum squid_value value;
    } times[] = {
        {"connect_timeout", SQUID_CONNECT},
        {"read_timeout", SQUID_ORIGIN_BODY},
        {"request_timeout", SQUID_CLIENT_HEAD},
        {"client_idle_pconn_timeout", SQUID_CLIENT_IDLE},
        {"persistent_request_timeout", SQUID_CLIENT_IDLE},
        {"server_idle_pconn_timeout", SQUID_ORIGIN_IDLE},
        {"pconn_timeout", SQUID_ORIGIN_IDLE},
        {"shutdown_lifetime", SQUID_DRAIN},
    };
    struct span time = squid_time(squid, squid_word(line, 1), squid_word(line, 2));

    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        if (span_eq(squid_word(line, 0), span_str(times[i].name))) {
            squid_set(squid, line, times[i].value, time);
        }
    }
    if (span_eq(squid_word(line, 0), SPAN("read_timeout"))) {
        squid_set(squid, line, SQUID_FIRST_BYTE, time);
    }
}

/* ---- users ---- */

static void on_helper(struct squid *squid, const struct squid_line *line)
{
    struct buf path = BUF_INIT;

    if (span_ends(squid_word(line, 3), SPAN("basic_ncsa_auth")) && squid_word(line, 4).len) {
        conf_quote(&path, squid_word(line, 4));
        squid_set(squid, line, SQUID_USERS, buf_span(&path));
        squid_remark(squid, line,
                     "bcrypt, yescrypt, SHA-crypt and apr1 passwords work; "
                     "larder-proxy --check reports others");
    } else {
        squid_lose(squid, line,
                   "Larder checks passwords without helpers: see users in "
                   "docs/access.md for htpasswd files");
    }
    buf_fini(&path);
}

/* A helper that reads an htpasswd file corresponds to users.file; others remain helpers. */
static void on_auth_param(struct squid *squid, const struct squid_line *line)
{
    struct span what = squid_word(line, 2);
    struct buf realm = BUF_INIT;

    if (!span_eq(squid_word(line, 1), SPAN("basic"))) {
        squid_lose(squid, line, "only Basic authentication is supported");
    } else if (span_eq(what, SPAN("program"))) {
        on_helper(squid, line);
    } else if (span_eq(what, SPAN("realm"))) {
        struct span text = line->count == 4 ? line->words[3] : squid_rest(line, 3);
        conf_quote(&realm, text);
        squid_set(squid, line, SQUID_REALM, text.len ? buf_span(&realm) : SPAN_EMPTY);
    } else if (span_eq(what, SPAN("casesensitive")) && span_eq(squid_word(line, 3), SPAN("off"))) {
        squid_lose(squid, line, "user names are case-sensitive");
    } else {
        squid_remark(squid, line, "not needed: Larder checks passwords without helpers");
    }
    buf_fini(&realm);
}

static const struct {
    const char *name;
    handler call;
} handlers[] = {
    {"http_port", on_http_port},
    {"https_port", on_https_port},
    {"cache_dir", on_cache_dir},
    {"cache_mem", on_cache_mem},
    {"maximum_object_size", on_object_max},
    {"refresh_pattern", on_refresh_pattern},
    {"acl", squid_acl},
    {"http_access", squid_http_access},
    {"cache_peer", on_cache_peer},
    {"access_log", squid_access_log},
    {"cache_access_log", squid_access_log},
    {"logformat", squid_logformat},
    {"visible_hostname", on_hostname},
    {"unique_hostname", on_hostname},
    {"dns_nameservers", on_nameservers},
    {"forwarded_for", on_forwarded_for},
    {"via", on_via},
    {"workers", on_workers},
    {"request_header_max_size", on_head_size},
    {"connect_timeout", on_time},
    {"read_timeout", on_time},
    {"request_timeout", on_time},
    {"client_idle_pconn_timeout", on_time},
    {"persistent_request_timeout", on_time},
    {"server_idle_pconn_timeout", on_time},
    {"pconn_timeout", on_time},
    {"shutdown_lifetime", on_time},
    {"auth_param", on_auth_param},
    {"delay_pools", squid_delay},
    {"delay_class", squid_delay},
    {"delay_parameters", squid_delay},
    {"delay_access", squid_delay},
};

static void translate(struct squid *squid, const struct squid_line *line)
{
    struct span name = squid_word(line, 0);
    const char *why;

    for (size_t i = 0; i < ARRAY_LEN(handlers); i++) {
        if (span_eq(name, span_str(handlers[i].name))) {
            handlers[i].call(squid, line);
            return;
        }
    }
    if ((why = squid_needless(name)) != NULL) {
        squid_remark(squid, line, "not needed: %s", why);
    } else if ((why = squid_missing(name)) != NULL) {
        squid_lose(squid, line, "%s", why);
    } else {
        squid_lose(squid, line, "unknown directive");
    }
}

/* ---- all of it ---- */

size_t squid_import(const char *name, struct span text, const struct squid_io *io, struct buf *yaml,
                    struct buf *notes)
{
    struct squid *squid = xcalloc(1, sizeof(*squid));

    squid->name = name;
    squid->io = io;
    squid->notes = notes;
    arena_init(&squid->arena, NULL, 0);
    squid_read(squid, text, translate);
    squid_delay_end(squid);
    squid_access_end(squid);
    squid_write(squid, yaml);
    buf_fini(&squid->listen);
    buf_fini(&squid->stores);
    buf_fini(&squid->access);
    buf_fini(&squid->sites);
    buf_fini(&squid->logs);
    squid_acl_fini(squid);
    arena_fini(&squid->arena);
    size_t lost = squid->lost;
    free(squid);
    return lost;
}
