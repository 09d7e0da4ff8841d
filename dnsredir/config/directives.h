/*
 * directives - the redirector's configuration: one table from which parsing, checks, documentation
 * and --print-config are made; and the settings that result, compiled for answering. Immutable
 * after load, so any thread may read them; owned by whoever loaded them.
 */
#ifndef LARDER_DNSREDIR_CONFIG_DIRECTIVES_H
#define LARDER_DNSREDIR_CONFIG_DIRECTIVES_H

#include "base/conf.h"
#include "base/log.h"
#include "base/map.h"
#include "base/sandbox.h"
#include "dnsredir/answer/answer.h"
#include "dnsredir/resolver/recursor.h"
#include "dnsredir/steering/load.h"
#include "dnsredir/steering/nearest.h"
#include "dnsredir/zone/update.h"
#include "dnsredir/zone/zone.h"

#define WORKERS_MAX 256

/* A replica as it is written in the configuration. */
struct replica_row {
    char *name;
    struct ip *addresses;
    size_t address_count;
    char *target;     /* host name to give instead of addresses, or NULL */
    double *location; /* latitude, longitude */
    size_t location_count;
    uint64_t capacity;
    bool drain;
    struct endpoint admin; /* address to probe; len 0: not probed, so it counts as up */
};

/* The replicas for a network or region, in order of preference. */
struct map_row {
    struct prefix prefix;
    bool has_prefix;
    char *region; /* name of a region, instead of a prefix; or NULL */
    char **replicas;
    size_t replica_count;
};

/* A name for several prefixes, with default replicas. */
struct region_row {
    char *name;
    struct prefix *prefixes;
    size_t prefix_count;
    char **replicas;
    size_t replica_count;
};

/* A TSIG key for updates. */
struct key_row {
    char *name;
    struct name key_name;
    enum tsig_algorithm algorithm;
    struct tsig_secret secret;
    char *secret_file;
};

/* Which records updates may set at a name, and with which keys. */
struct update_row {
    char **keys;
    size_t key_count;
    enum update_type *types;
    size_t type_count;
    uint32_t max_records, max_ttl;
};

struct name_row {
    char *name; /* relative to the zone; may contain number ranges */
    bool steered;
    bool has_ttl;
    enum policy_kind policy; /* valid if `steered` */
    char **replicas;
    size_t replica_count; /* 0: all replicas */
    uint64_t *weights;    /* for policy weighted, in the order of `replicas` */
    size_t weight_count;
    uint64_t answers;
    bool rotate;
    uint32_t ttl;
    struct map_row *map_rows; /* the name's own map, which takes precedence over the common one */
    size_t map_count;
    struct policy *compiled;
    char **records;
    size_t record_count;
    bool has_update;
    struct update_row update;
};

/* Names outside our zones for which clients of the resolver get replicas. */
struct redirect_row {
    char **names;
    size_t name_count;
    struct name_row how; /* policy and TTL; name, maps and records are unused */
    struct prefix *except;
    size_t except_count;
    struct redirect_rule rule; /* the compiled rule */
};

/* Limits for the work of the resolver. */
struct resolver_limits {
    uint64_t outstanding; /* most concurrent queries, */
    uint64_t per_client;  /* and of one client */
    uint64_t timeout_ms;
};

struct resolver_row {
    struct prefix *allow; /* clients for which other names are resolved; none: nobody */
    size_t allow_count;
    struct endpoint *forward;
    size_t forward_count;
    char *root_hints, *trust_anchor;
    uint64_t cache; /* bytes of cached answers */
    struct resolver_limits limits;
    bool loopback;
    struct prefix *private_addresses;
    size_t private_count;
    char **private_names;
    size_t private_name_count;
};

struct zone_row {
    char *name;
    char **nameservers;
    size_t nameserver_count;
    uint32_t ttl;
    struct {
        char *mname, *rname;
        uint32_t serial, refresh, retry, expire, minimum;
    } soa;
    struct {
        char **keys; /* paths of key files */
        size_t key_count;
        uint32_t validity; /* validity of signatures in seconds */
        bool cds;
    } dnssec;
    struct name_row *names;
    size_t name_count;
};

struct settings {
    struct arena *memory;  /* holds everything below */
    struct conf_flat flat; /* all settings one by one, to be compared with others */
    size_t *held; /* the server's counter of existing settings, which includes these; for the
                     control thread */

    struct endpoint *listen;
    size_t listen_count;
    struct endpoint admin;
    uint64_t workers;
    enum log_level log_level;
    struct {
        uint64_t interval, timeout; /* ms */
        uint64_t rise, fall;
        char *path;
    } health;
    struct {
        enum load_measure measure;
        uint64_t spill; /* percent of its fair share above which a replica is too full */
        uint64_t easy;  /* percent of its capacity below which it is never too full; 0: capacities
                           are relative */
        uint64_t least;
        uint64_t period, ramp; /* ms */
        struct prefix_lengths leaf;
    } load;
    struct {
        uint64_t connections; /* most concurrent connections of a worker */
        uint64_t per_client;  /* and of one client network */
        uint64_t timeout;     /* ms */
    } tcp;
    struct {
        enum cookie_mode mode;
        struct sip_key *secrets; /* the first is used for new cookies, all are accepted */
        size_t secret_count;
    } cookies;
    struct rate_limit rates;
    struct {
        uint64_t rate; /* signatures per second, for each worker and kind */
    } dnssec;
    struct {
        char *queries; /* path of the query log, "-" for standard output, or NULL */
        uint32_t sample;
    } log;
    char *state; /* folder for dynamic records and drained replicas, or NULL */
    enum sandbox_mode sandbox;
    char *takeover; /* unix socket at which a newer process takes over, or NULL */
    struct key_row *key_rows;
    size_t key_count;
    char *identity_text, *version_text; /* NULL: not revealed */
    struct replica_row *replica_rows;
    size_t replica_count;
    struct zone_row *zone_rows;
    size_t zone_count;
    struct map_row *map_rows;
    size_t map_count;
    struct region_row *regions;
    size_t region_count;
    char *map_file;
    char *geoip;
    struct {
        bool enabled;
        uint64_t interval; /* ms */
        uint32_t max_age;  /* seconds */
        uint64_t explore;  /* percent of the answers that are given to measure replicas */
        uint32_t share;    /* the same as a fraction of STANDING_ALL */
        uint64_t networks;
    } measured;
    struct resolver_row resolver;
    struct redirect_row *redirects;
    size_t redirect_count;

    /* ---- compiled ---- */
    struct identity
        identity; /* without a secret although cookies are enabled: the server makes one */
    struct replica *replicas;
    struct zones *zones;
    struct signing *signings; /* of signed zones */
    struct map keys_by_path;  /* keys by path, as many zones may use one file */
    struct nearest nearest;
    struct recursion *recursion; /* NULL: names of others are not resolved */
    struct recursor *recursor;   /* NULL: likewise, or taken over by other settings */
    struct netmap **overrides;   /* maps of names that have one of their own */
    size_t override_count;
};

/* Loads settings from the command line and, with --config, a file; takes seconds for large maps.
 * Returns 0 and the settings; or ERR_CONFIG after writing every error to `errors` as lines
 * "file:line:column: …". `print` (may be NULL) receives the text of --print-config. */
int settings_load(int argc, char **argv, struct buf *errors, struct buf *print,
                  struct settings **out);
void settings_free(struct settings **settings); /* accepts NULL; sets *settings to NULL */
/* Gives up one of *holders references to the settings of a running server; the last one frees the
 * settings and `holders`. For the control thread. */
void settings_release(struct settings *settings, unsigned *holders);

/* Do both open the same sockets in the same way? A reload cannot change them. */
bool settings_same_sockets(const struct settings *a, const struct settings *b);

/* Is a flag such as "--check" among the arguments? */
bool settings_flag(int argc, char **argv, const char *name);
/* The value of an option such as "--make-key" among the arguments; NULL: it is absent. */
const char *settings_value(int argc, char **argv, const char *name);
/* Writes the text of --help, made from the table. */
void settings_help(struct buf *out);
/* Writes every directive with its meaning and type, for --directives. */
void settings_directives(struct buf *out);
/* Writes options and directives as Markdown, for docs/configuration.md. */
void settings_manual(struct buf *out);

#endif
