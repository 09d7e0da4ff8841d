/*
 * directives - the redirector's configuration: one table that parses, prints, documents and
 * checks it, and the settings it becomes, compiled to what answers need. Immutable after load, so
 * any thread may read them; owned by whoever loaded them.
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

/* As written. */
struct replica_row {
    char *name;
    struct ip *addresses;
    size_t address_count;
    char *target;     /* instead of addresses: a host name; or NULL */
    double *location; /* latitude, longitude */
    size_t location_count;
    uint64_t capacity;
    bool drain;
    struct endpoint admin; /* where its health is asked; len 0: not asked, always up */
};

/* Which replicas a network is given. */
struct map_row {
    struct prefix prefix;
    bool has_prefix;
    char *region; /* instead of a prefix, of a name: all of the region's */
    char **replicas;
    size_t replica_count;
};

/* Networks under one name. */
struct region_row {
    char *name;
    struct prefix *prefixes;
    size_t prefix_count;
    char **replicas;
    size_t replica_count;
};

/* Who signs. */
struct key_row {
    char *name;
    struct name key_name;
    enum tsig_algorithm algorithm;
    struct tsig_secret secret;
    char *secret_file;
};

/* What may be bound to a name, and by whom. */
struct update_row {
    char **keys;
    size_t key_count;
    enum update_type *types;
    size_t type_count;
    uint32_t max_records, max_ttl;
};

struct name_row {
    char *name; /* relative to the zone, with ranges */
    bool steered;
    bool has_ttl;
    enum policy_kind policy; /* when steered */
    char **replicas;
    size_t replica_count; /* 0: all */
    uint64_t *weights;    /* of policy weighted, parallel to replicas */
    size_t weight_count;
    uint64_t answers;
    bool rotate;
    uint32_t ttl;
    struct map_row *map_rows; /* before the common map */
    size_t map_count;
    struct policy *compiled;
    char **records;
    size_t record_count;
    bool has_update;
    struct update_row update;
};

/* Names of others that clients of the resolver get replicas for. */
struct redirect_row {
    char **names;
    size_t name_count;
    struct name_row how; /* but for its name, map and records */
    struct prefix *except;
    size_t except_count;
    struct redirect_rule rule; /* compiled */
};

/* How much the resolver takes upon itself. */
struct resolver_limits {
    uint64_t outstanding; /* questions at once, */
    uint64_t per_client;  /* of them of one client */
    uint64_t timeout_ms;
};

struct resolver_row {
    struct prefix *allow; /* none: nobody may ask for names that are not ours */
    size_t allow_count;
    struct endpoint *forward;
    size_t forward_count;
    char *root_hints, *trust_anchor;
    uint64_t cache; /* bytes */
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
        char **keys; /* files */
        size_t key_count;
        uint32_t validity; /* seconds */
        bool cds;
    } dnssec;
    struct name_row *names;
    size_t name_count;
};

struct settings {
    struct arena *memory;  /* everything below lives here */
    struct conf_flat flat; /* one by one, to tell what differs from others */
    size_t *held; /* the server's count of settings, these among them; the control thread's */

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
        uint64_t spill; /* percent of the fair share */
        uint64_t easy;  /* percent of the capacity; 0: capacities are relative */
        uint64_t least;
        uint64_t period, ramp; /* ms */
        struct prefix_lengths leaf;
    } load;
    struct {
        uint64_t connections; /* at once, per worker */
        uint64_t per_client;  /* of them, of one network */
        uint64_t timeout;     /* ms */
    } tcp;
    struct {
        enum cookie_mode mode;
        struct sip_key *secrets; /* the first makes cookies, all are good for checking */
        size_t secret_count;
    } cookies;
    struct rate_limit rates;
    struct {
        uint64_t rate; /* signatures a second, of each worker and kind */
    } dnssec;
    struct {
        char *queries; /* a file, "-", or NULL */
        uint32_t sample;
    } log;
    char *state; /* a folder, or NULL */
    enum sandbox_mode sandbox;
    char *takeover; /* a unix socket by which a newer process takes our place, or NULL */
    struct key_row *key_rows;
    size_t key_count;
    char *identity_text, *version_text; /* NULL: not told */
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
        uint32_t max_age;  /* s */
        uint64_t explore;  /* percent */
        uint32_t share;    /* the same, of STANDING_ALL */
        uint64_t networks;
    } measured;
    struct resolver_row resolver;
    struct redirect_row *redirects;
    size_t redirect_count;

    /* compiled */
    struct identity identity; /* no secret although cookies are enabled: make one */
    struct replica *replicas;
    struct zones *zones;
    struct signing *signings; /* of the zones that are signed */
    struct map keys_by_path;  /* that they sign with: many zones may have one file */
    struct nearest nearest;
    struct recursion *recursion; /* NULL: for nobody */
    struct recursor *recursor;   /* NULL: likewise, or somebody took it over */
    struct netmap **overrides;   /* of names with a map of their own */
    size_t override_count;
};

/* From the command line and, with --config, a file; takes seconds for large maps. Returns 0 and
 * settings; ERR_CONFIG after writing every error to `errors` as "file:line:column: ..." lines.
 * `print` (may be NULL) gets --print-config's text. */
int settings_load(int argc, char **argv, struct buf *errors, struct buf *print,
                  struct settings **out);
void settings_free(struct settings **settings); /* accepts NULL; sets *settings to NULL */
/* Gives up one of *holders references to the settings of a running server; the last one frees the
 * settings and `holders`. Belongs to the control thread. */
void settings_release(struct settings *settings, unsigned *holders);

/* Do both open the same sockets in the same way? What a reload cannot change. */
bool settings_same_sockets(const struct settings *a, const struct settings *b);

/* Is a flag such as "--check" on the command line? */
bool settings_flag(int argc, char **argv, const char *name);
/* What stands behind such as "--make-key" there; NULL: nothing. */
const char *settings_value(int argc, char **argv, const char *name);
/* --help, made from the table. */
void settings_help(struct buf *out);
/* Every directive, with what it means and takes: --directives. */
void settings_directives(struct buf *out);
/* Options and directives as Markdown, for docs/configuration.md. */
void settings_manual(struct buf *out);

#endif
