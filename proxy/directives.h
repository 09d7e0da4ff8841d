/*
 * directives - the proxy's configuration: one table that parses, prints, documents and checks it,
 * and the settings it becomes. Settings are immutable after load and counted; a reload swaps them
 * whole, and old ones die with their last request.
 */
#ifndef LARDER_PROXY_DIRECTIVES_H
#define LARDER_PROXY_DIRECTIVES_H

#include "base/conf.h"
#include "base/hours.h"
#include "base/log.h"
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
    const char *place; /* where it is written */
    /* Of hosts and host-files; made and owned by proxy/access/set.h. */
    const struct hostlist **lists;
    size_t list_count;
};

struct origin {
    struct uri uri; /* spans live as long as the settings */
};

struct site {
    char **hosts; /* lower case; "*.x" matches any name below x; "*" every host */
    size_t host_count;
    struct origin *origins;
    size_t origin_count;
    struct span *targeted; /* fields that steer this cache (RFC 9213), the first counts most */
    size_t targeted_count;
    bool store_set_cookie;
    char *ca;    /* whom to trust instead of the system's store, or NULL */
    bool verify; /* false: anybody may answer for https:// origins */
};

struct site_host {
    struct span pattern;
    const struct site *site;
};

enum access_format { ACCESS_SQUID, ACCESS_COMBINED, ACCESS_JSON };
enum store_favor { FAVOR_OBJECTS, FAVOR_BOTH, FAVOR_BYTES };
enum forwarded_mode { FORWARDED_OFF, FORWARDED_X, FORWARDED_RFC7239 };

struct settings {
    atomic_int refs;
    struct arena *memory; /* everything below lives here */

    struct listening *listen;
    size_t listen_count;
    struct certificates tls;     /* of listeners that name none */
    struct settings_part *parts; /* proxy/tls_set.h; NULL: not made */
    struct endpoint admin;
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
    char *pages; /* a folder of templates, proxy/access/pages.h; NULL: those built in */
    struct site *sites;
    size_t site_count;
    struct prefix *allow_targets;
    size_t allow_target_count;
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

    char *name; /* in Via, Cache-Status, Proxy-Status, CDN-Loop */
    enum forwarded_mode forwarded;
    char **nameservers;
    size_t nameserver_count;

    enum access_format access_format;
    char *access_log; /* path, "-" for stdout, NULL for none */
    enum log_level log_level;

    struct site_host *site_hosts; /* of all sites, sorted: for settings_site() */
    size_t site_host_count;
    struct span printed; /* for settings_print() */
};

/* Does an option without a value occur: "--check", "--print-config", "--version", "--help"? */
bool settings_flag(int argc, char **argv, const char *name);

/* From the command line and, with --config, a file. Returns 0 and settings with one reference;
 * ERR_CONFIG after writing every error to `errors` as "file:line:column: …" lines (base/conf.h).
 * `argv` is kept for reloads by the caller. */
int settings_load(int argc, char **argv, struct buf *errors, struct settings **out);
struct settings *settings_ref(struct settings *settings);
void settings_unref(struct settings **settings);

/* --print-config: every directive with its value and where it came from. */
void settings_print(const struct settings *settings, struct buf *out);
/* --help, made from the table. */
void settings_help(struct buf *out);
/* Options and directives as Markdown, for docs/configuration.md. */
void settings_manual(struct buf *out);

/* The site of a (lower-case) host, or NULL. The most specific pattern wins. Some binary searches,
 * one per label of the host. */
const struct site *settings_site(const struct settings *settings, struct span host);

#endif
