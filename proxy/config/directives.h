/*
 * directives - the proxy's configuration: one table that parses, prints, documents and checks it,
 * and the settings that result.
 *
 * Settings are immutable once loaded, and counted. A reload replaces them as a whole; old ones are
 * freed with their last user.
 */
#ifndef LARDER_PROXY_CONFIG_DIRECTIVES_H
#define LARDER_PROXY_CONFIG_DIRECTIVES_H

#include "base/conf.h"
#include "base/log.h"
#include "base/sandbox.h"
#include "proxy/config/access_rule.h"
#include "proxy/config/log_style.h"
#include "proxy/config/site.h"

#include <stdatomic.h>

/* A directory of the store. */
struct store_folder {
    char *path;
    uint64_t size;
};

/* PEM files: a certificate with its chain, and its key. */
struct certificate {
    char *file;
    char *key;
};

struct certificates {
    struct certificate one; /* the only one, as written; also in `list` */
    struct certificate *list;
    size_t count;
};

/* An address where clients connect. */
struct listening {
    struct endpoint at;
    bool is_tls;
    struct certificates tls;
};

/* What other modules compute from settings. It is kept with them and freed with them. */
struct settings_part {
    void (*free)(struct settings_part *part);
};

/* For the PAC script: a proxy that it names, and what clients reach without a proxy: a name, or a
 * network. */
struct pac_proxy {
    struct span name; /* only letters, digits and .-:[] */
    uint16_t port;
    bool tls;
};

struct pac_direct {
    struct span name; /* lower case, may begin with "*."; empty: see `network` */
    struct prefix network;
};

enum store_favor { FAVOR_OBJECTS, FAVOR_BOTH, FAVOR_BYTES };
enum private_targets { PRIVATE_ALLOW, PRIVATE_DENY };
enum forwarded_mode { FORWARDED_OFF, FORWARDED_X, FORWARDED_RFC7239 };

struct settings {
    atomic_int refs;
    uint64_t number;      /* unique in this process */
    struct arena *memory; /* holds everything below */

    struct listening *listen;
    size_t listen_count;
    struct certificates tls;     /* for listeners that name none */
    struct settings_part *parts; /* TLS contexts, proxy/tls_set.h; NULL: not made */
    struct endpoint admin;
    struct endpoint admin_dns; /* admin listener of larder-dns; len 0: none */
    uint64_t workers;

    struct store_folder *stores; /* none: memory only */
    size_t store_count;
    char *store_path; /* the only directory, as written; also in `stores` */
    uint64_t store_size;
    enum store_favor store_favor;
    uint64_t memory_size;
    uint64_t object_max; /* larger responses are not stored; 0: only the store limits them */

    struct access_rule *access;
    size_t access_count;
    struct settings_part *access_set; /* compiled rules, proxy/access/set.h; NULL: not made */
    struct {
        char *file, *groups; /* in the formats of htpasswd and of Apache's groups; NULL: none */
        char *realm;
    } users;
    enum sandbox_mode sandbox;
    char *takeover; /* unix socket through which a newer process takes over, or NULL */
    char *state;    /* folder of what must survive restarts, or NULL */
    struct {
        uint64_t total;               /* bytes a second to all clients; 0: no limit */
        bool free_hits;               /* cache hits neither count nor are slowed down */
        struct prefix_lengths client; /* by which addresses count as one client */
    } shares;
    char *pages; /* folder of templates (proxy/access/pages.h); NULL: those built in */
    struct site *sites;
    size_t site_count;
    struct mirror *mirrors;
    size_t mirror_count;
    struct prefix *allow_targets;
    size_t allow_target_count;
    enum private_targets private_targets; /* for addresses not in allow_targets */
    struct port_range *connect_ports;
    size_t connect_port_count;
    struct span *upgrades; /* protocols that clients may switch to with Upgrade */
    size_t upgrade_count;

    struct {
        uint64_t client_head, client_idle, client_body; /* ms */
        uint64_t connect, first_byte, origin_body, origin_idle, tunnel_idle, drain;
    } timeouts;
    struct {
        uint64_t head, target, fields; /* bytes; `fields` counts */
        uint64_t connections;          /* clients of one worker at a time */
        uint64_t idle_per_origin;
    } limits;
    struct {
        uint64_t heuristic_percent, heuristic_max; /* percent; seconds */
        bool clients_may_bypass;
        bool status_key; /* Cache-Status includes the key */
    } cache;

    struct {
        struct pac_proxy *proxies;
        size_t proxy_count;
        struct pac_direct *direct;
        size_t direct_count;
        bool or_direct;
        bool for_clients; /* the proxy's own ports serve the script, too */
    } pac;
    char *name; /* our name in Via, Cache-Status, Proxy-Status and CDN-Loop */
    enum forwarded_mode forwarded;
    char **nameservers;
    size_t nameserver_count;

    struct access_log *access_logs;
    size_t access_log_count;
    struct log_style access_style; /* for logs without a style of their own */
    struct settings_part *logs;    /* open logs, proxy/client/accesslog_set.h; NULL: not opened */
    enum log_level log_level;

    struct site_host *site_hosts; /* of all sites, sorted for settings_site() */
    size_t site_host_count;
    bool has_domains;      /* some of site_hosts begin with "*." */
    struct span printed;   /* for settings_print() */
    struct conf_flat flat; /* every value as the files have it, for comparison */
    /* The same as in force: what only a restart changes has its value of the start. */
    struct conf_flat in_force;
    struct conf_paths paths;  /* paths of files, and where they are written */
    bool broken;              /* loaded with errors: good only for looking at the files it names */
    struct listening *wanted; /* listeners as the files have them: for the next start */
    size_t wanted_count;
};

/* Does an option without a value occur: "--check", "--print-config", "--version", "--help"? */
bool settings_flag(int argc, char **argv, const char *name);

/* Does any rule set a quota or a rate? */
bool settings_have_limits(const struct settings *settings);

/* Loads settings from the command line and, with --config, a file. Returns 0 and settings with one
 * reference, or ERR_CONFIG after writing each error to `errors` as a line "file:line:column: …"
 * (base/conf.h). `argv` must stay valid for reloads. */
int settings_load(int argc, char **argv, struct buf *errors, struct settings **out);
/* Where the directive at this path is written (its first item, of a list); NULL: nowhere. */
const char *settings_origin(const struct settings *settings, struct span path);

/* The same for settings that are to replace those in force (`running`; NULL: none). What only a
 * restart changes (listen, workers, store, …) keeps its value in `running`; what the files say
 * about it is in `flat` and `wanted` only. A TLS listener for which the files have no certificates
 * any more has none in `tls`. On errors *out has what could be bound, with `broken` set. */
int settings_load_beside(int argc, char **argv, const struct settings *running, struct buf *errors,
                         struct settings **out);
struct settings *settings_ref(struct settings *settings);
void settings_unref(struct settings **settings);

/* How many settings exist in the process: those in force, and old ones still used by requests.
 * Thread-safe. */
uint64_t settings_alive(void);

/* --print-config: every directive with its value and where it was written. */
void settings_print(const struct settings *settings, struct buf *out);
/* --help, made from the tables. */
void settings_help(struct buf *out);
/* --directives: every directive, what it means, and what it takes. */
void settings_directives(struct buf *out);
/* Options and directives as Markdown, for docs/configuration.md. */
void settings_manual(struct buf *out);

/* The site of a lower-case host, or NULL. The most specific pattern wins. One binary search for
 * each label of the host. */
const struct site *settings_site(const struct settings *settings, struct span host);

#endif
