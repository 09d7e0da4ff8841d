/*
 * directives - the proxy's configuration: one table that parses, prints, documents and checks it,
 * and the settings it becomes. Settings are immutable after load and counted; a reload swaps them
 * whole, and old ones die with their last request.
 */
#ifndef LARDER_PROXY_DIRECTIVES_H
#define LARDER_PROXY_DIRECTIVES_H

#include "base/conf.h"
#include "base/hours.h"
#include "base/period.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "http/uri.h"

#include <stdatomic.h>

struct port_range {
    uint16_t first, last;
};

/* A directory of the store. */
struct store_folder {
    char *path;
    uint64_t size;
};

/* Files in PEM: a certificate with its chain, and its key. */
struct certificate {
    char *file;
    char *key;
};

struct certificates {
    struct certificate one; /* as written, when there is one; it is in `list`, too */
    struct certificate *list;
    size_t count;
};

/* Where clients connect. */
struct listening {
    struct endpoint at;
    bool is_tls;
    struct certificates tls;
};

/* What others make of settings and keep with them; freed with them. */
struct settings_part {
    void (*free)(struct settings_part *part);
};

struct hostlist;

/* How much, and how fast. Zeros: as much as there is. */
struct access_limits {
    uint64_t quota; /* bytes in each period */
    enum period per;
    uint64_t rate; /* bytes a second */
    uint64_t slow; /* the same once the quota is used up; 0: nothing more */
    bool given;    /* any of it */
};

/* A rule holds when all that it names does; of each list one item. An empty list: whatever. */
struct access_rule {
    bool allow;
    bool needs_user; /* it names users or groups */
    bool is_plain;   /* it names prefixes alone, or nothing */
    struct prefix *from;
    size_t from_count;
    struct span *users; /* "*": anybody who has said who they are */
    size_t user_count;
    struct span *groups;
    size_t group_count;
    struct span *hosts; /* patterns of http/hostlist.h */
    size_t host_count;
    char **host_files;
    size_t host_file_count;
    struct port_range *ports;
    size_t port_count;
    struct span *methods;
    size_t method_count;
    struct hours *hours;
    size_t hour_count;
    struct access_rule *except; /* it does not hold for what any of these is about */
    size_t except_count;        /* they have no exceptions and limits of their own */
    struct access_limits limits;
    const char *place; /* where it is written */
    /* Of hosts and host-files; made and owned by proxy/access/set.h. */
    const struct hostlist **lists;
    size_t list_count;
    bool from_is_settled; /* by the same, when it is long: prefixes_have() */
};

struct origin {
    struct uri uri; /* spans live as long as the settings */
};

struct mirror;

struct site {
    const struct mirror *mirror; /* whose origin this is; NULL: of `sites` */
    char **hosts;                /* lower case; "*.x" matches any name below x; "*" every host */
    size_t host_count;
    struct origin *origins;
    size_t origin_count;
    struct span *targeted; /* fields that steer this cache (RFC 9213), the first counts most */
    size_t targeted_count;
    bool store_set_cookie;
    char *ca;    /* whom to trust instead of the system's store, or NULL */
    bool verify; /* false: anybody may answer for https:// origins */
};

enum mirror_preset { PRESET_PLAIN, PRESET_APT, PRESET_NPM, PRESET_PIP, PRESET_OCI };

/* An origin under a path of our own (proxy/mirror/mirror.h). */
struct mirror {
    struct span path;   /* "/npm/": its name, too */
    struct span origin; /* as written, "/" at its end */
    struct span files;  /* where its documents' links lead beside it; empty: nowhere */
    struct span url;    /* of `path` as clients see it; empty: by the Host they ask for */
    enum mirror_preset preset;
    char *ca;
    bool verify;
    /* Made of these: as whom origin and files are asked, and the paths that theirs begin with. */
    struct site site, files_site;
    struct uri origin_uri, files_uri;
    struct span zone; /* of its keys */
    char *name[1];
};

struct site_host {
    struct span pattern;
    const struct site *site;
};

/* Formats of the access log; with pieces JSON has these only. */
enum access_format { ACCESS_SQUID, ACCESS_COMBINED, ACCESS_JSON, ACCESS_TEMPLATE };

/* clang-format off */
/* id, word in formats, longest text, is it a number? */
#define LOG_FIELDS(X)                                                                              \
    X(TEXT,         "",             0,     false) /* none: what stands between them */             \
    X(TIME,         "time",         32,    false) /* 2026-11-22T07:40:01.007Z */                   \
    X(EPOCH,        "epoch",        32,    true)  /* 1763797201.007 */                             \
    X(ELAPSED_MS,   "elapsed_ms",   24,    true)                                                   \
    X(ELAPSED_US,   "elapsed_us",   24,    true)                                                   \
    X(CLIENT,       "client",       64,    false)                                                  \
    X(USER,         "user",         400,   false)                                                  \
    X(METHOD,       "method",       400,   false)                                                  \
    X(URL,          "url",          26000, false)                                                  \
    X(HOST,         "host",         800,   false)                                                  \
    X(PATH,         "path",         25200, false)                                                  \
    X(VERSION,      "version",      16,    false) /* HTTP/1.1 */                                   \
    X(STATUS,       "status",       24,    true)                                                   \
    X(BYTES,        "bytes",        24,    true)                                                   \
    X(CONTENT_TYPE, "content_type", 400,   false)                                                  \
    X(OUTCOME,      "outcome",      32,    false)                                                  \
    X(RESULT,       "result",       64,    false) /* TCP_MISS_ABORTED */                           \
    X(REASON,       "reason",       64,    false)                                                  \
    X(STORE_REASON, "store_reason", 64,    false)                                                  \
    X(DETAIL,       "detail",       600,   false) /* Squid's last column here */                   \
    X(FWD,          "fwd",          32,    false)                                                  \
    X(FWD_STATUS,   "fwd_status",   24,    true)                                                   \
    X(AGE,          "age",          24,    true)                                                   \
    X(LIFETIME,     "lifetime",     24,    true)                                                   \
    X(SERVED_FROM,  "served_from",  32,    false)                                                  \
    X(DISK_WAIT_US, "disk_wait_us", 24,    true)                                                   \
    X(END,          "end",          32,    false)                                                  \
    X(ORIGIN,       "origin",       64,    false) /* its address */                                \
    X(HIERARCHY,    "hierarchy",    832,   false) /* HIER_DIRECT/192.0.2.1 */                      \
    X(REFERER,      "referer",      800,   false)                                                  \
    X(USER_AGENT,   "user_agent",   800,   false)                                                  \
    X(INCIDENT,     "incident",     400,   false)                                                  \
    X(MIRROR,       "mirror",       400,   false) /* /npm/ */                                      \
    X(REQUEST,      "request.NAME", 800,   false) /* a field of the request */
/* clang-format on */

enum log_field {
#define X(id, word, max, number) LOG_##id,
    LOG_FIELDS(X)
#undef X
        LOG_FIELD_COUNT
};
extern const char *const log_field_words[];

struct log_piece {
    enum log_field field;
    bool quoted;      /* it stands between quotes: blanks may stay */
    struct span text; /* of LOG_TEXT; of LOG_REQUEST the name */
};

/* How a line is written. */
struct log_style {
    enum access_format format;
    const struct log_piece *pieces; /* of ACCESS_TEMPLATE; of ACCESS_JSON, when not all is wanted */
    size_t piece_count;
};

enum { ACCESS_LOGS_MAX = 8 };

/* Where lines go: "-" (standard output), "syslog", "journald", either with ":/PATH" of a socket
 * behind it, or a file. */
struct access_log {
    char *to;
    struct log_style style;
    bool has_style;
    struct log_piece *fields;
    size_t field_count;
};

/* A proxy that clients are told of, and what they ask without one: a name, or a network. */
struct pac_proxy {
    struct span name; /* plain: letters, digits and .-:[] */
    uint16_t port;
    bool tls;
};

struct pac_direct {
    struct span name; /* lower case, maybe behind "*."; empty: the network */
    struct prefix network;
};

enum store_favor { FAVOR_OBJECTS, FAVOR_BOTH, FAVOR_BYTES };
enum private_targets { PRIVATE_ALLOW, PRIVATE_DENY };
enum forwarded_mode { FORWARDED_OFF, FORWARDED_X, FORWARDED_RFC7239 };

struct settings {
    atomic_int refs;
    uint64_t number;      /* no others of this process have the same */
    struct arena *memory; /* everything below lives here */

    struct listening *listen;
    size_t listen_count;
    struct certificates tls;     /* of listeners that name none */
    struct settings_part *parts; /* proxy/tls_set.h; NULL: not made */
    struct endpoint admin;
    struct endpoint admin_dns; /* of larder-dns; len 0: none */
    uint64_t workers;

    struct store_folder *stores; /* none: memory only */
    size_t store_count;
    char *store_path; /* as written, when there is one; it is in `stores`, too */
    uint64_t store_size;
    enum store_favor store_favor;
    uint64_t memory_size;
    uint64_t object_max; /* larger responses are not stored; 0: as large as the store allows */

    struct access_rule *access;
    size_t access_count;
    struct settings_part *access_set; /* proxy/access/set.h; NULL: not made */
    struct {
        char *file, *groups; /* as of htpasswd and of Apache; NULL: none */
        char *realm;
    } users;
    enum sandbox_mode sandbox;
    char *takeover; /* a unix socket by which a newer process takes our place, or NULL */
    char *state;    /* the folder of what must not be forgotten, or NULL */
    struct {
        uint64_t total; /* bytes a second to all clients; 0: no limit */
        bool free_hits; /* what the cache answers is neither counted nor slowed down */
        uint64_t client_v4, client_v6; /* so many bits of an address are one client */
    } shares;
    char *pages; /* a folder of templates, proxy/access/pages.h; NULL: those built in */
    struct site *sites;
    size_t site_count;
    struct mirror *mirrors;
    size_t mirror_count;
    struct prefix *allow_targets;
    size_t allow_target_count;
    enum private_targets private_targets; /* that allow_targets does not have */
    struct port_range *connect_ports;
    size_t connect_port_count;
    struct span *upgrades; /* protocols that Upgrade may lead to */
    size_t upgrade_count;

    struct {
        uint64_t client_head, client_idle, client_body, tls_handshake; /* ms */
        uint64_t resolve, connect, first_byte, origin_body, origin_idle, tunnel_idle, drain;
    } timeouts;
    struct {
        uint64_t head, target, fields; /* of a head */
        uint64_t connections;          /* clients at once, per worker */
        uint64_t idle_per_origin;
    } limits;
    struct {
        uint64_t heuristic_percent, heuristic_max; /* %, s */
        bool clients_may_bypass;
        bool status_key; /* Cache-Status tells the key */
    } cache;

    struct {
        struct pac_proxy *proxies;
        size_t proxy_count;
        struct pac_direct *direct;
        size_t direct_count;
        bool or_direct;
        bool for_clients; /* the script is on the proxy's own ports, too */
    } pac;
    char *name; /* in Via, Cache-Status, Proxy-Status, CDN-Loop */
    enum forwarded_mode forwarded;
    char **nameservers;
    size_t nameserver_count;

    struct access_log *access_logs;
    size_t access_log_count;
    struct log_style access_style; /* of logs without one of their own */
    struct settings_part *logs;    /* proxy/client/accesslog_set.h; NULL: not opened */
    enum log_level log_level;

    struct site_host *site_hosts; /* of all sites, sorted: for settings_site() */
    size_t site_host_count;
    bool has_domains;      /* some of them are "*.domain" */
    struct span printed;   /* for settings_print() */
    struct conf_flat flat; /* one by one, to tell what differs from others; as the files say */
    /* The same as it is in force: what only a restart changes is that of the start. */
    struct conf_flat in_force;
    struct conf_paths paths;  /* where those of files are written */
    bool broken;              /* with errors: only to look at the files that it names */
    struct listening *wanted; /* listeners as the files say: the next start has these */
    size_t wanted_count;
};

/* Does an option without a value occur: "--check", "--print-config", "--version", "--help"? */
bool settings_flag(int argc, char **argv, const char *name);

/* Does anybody have a quota or a pace? */
bool settings_have_limits(const struct settings *settings);

/* From the command line and, with --config, a file. Returns 0 and settings with one reference;
 * ERR_CONFIG after writing every error to `errors` as "file:line:column: …" lines (base/conf.h).
 * `argv` is kept for reloads by the caller. */
int settings_load(int argc, char **argv, struct buf *errors, struct settings **out);
/* Where the directive with this path is written (the first, of several); NULL: nowhere. */
const char *settings_origin(const struct settings *settings, struct span path);

/* The same beside the settings in force (NULL: none), to take their place: what only a restart
 * changes (listen, workers, store and the like) is as there, and only `flat` and `wanted` tell what
 * the files want. A listener that speaks TLS, and of whose certificates they say nothing any more,
 * has none in `tls`. With errors, too, there are settings in *out: what could be bound, `broken`.
 */
int settings_load_beside(int argc, char **argv, const struct settings *running, struct buf *errors,
                         struct settings **out);
struct settings *settings_ref(struct settings *settings);
void settings_unref(struct settings **settings);

/* How many there are in the process: those in force, and old ones that requests under way still
 * have. Any thread. */
uint64_t settings_alive(void);

/* --print-config: every directive with its value and where it came from. */
void settings_print(const struct settings *settings, struct buf *out);
/* --help, made from the table. */
void settings_help(struct buf *out);
/* Every directive, with what it means and takes: --directives. */
void settings_directives(struct buf *out);
/* Options and directives as Markdown, for docs/configuration.md. */
void settings_manual(struct buf *out);

/* The site of a (lower-case) host, or NULL. The most specific pattern wins. Some binary searches,
 * one per label of the host. */
const struct site *settings_site(const struct settings *settings, struct span host);

#endif
