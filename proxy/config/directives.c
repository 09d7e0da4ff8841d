#include "proxy/config/directives.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "proxy/config/directives_table.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WORKERS_AUTO_MAX = 8, STORE_FOLDERS_MAX = 64 };

/* ---- values computed after binding ---- */

/* The number of CPUs that this process may use, which in a container is less than the machine
 * has. */
static uint64_t cpus(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set) != 0) {
        return 1;
    }
    uint64_t count = (uint64_t)CPU_COUNT(&set);
    return count < WORKERS_AUTO_MAX ? count : WORKERS_AUTO_MAX;
}

/* A default name: differs between two proxies that ask each other, stays the same after a restart,
 * and does not reveal the machine's name. */
char *settings_own_name(const struct settings *settings, struct arena *arena)
{
    static const struct sip_key key = {0x6c61726465722d6e, 0x616d652d6b657921};
    char machine[256] = "";
    const char *first = settings->listen_count ? settings->listen[0].at.text : NULL;
    struct buf text = BUF_INIT;

    gethostname(machine, sizeof(machine) - 1);
    buf_printf(&text, "%s %s", machine, first ? first : "");
    uint64_t hash = sip_hash64(&key, buf_span(&text));
    buf_fini(&text);
    char *name = arena_alloc(arena, sizeof("larder-") + 8);
    snprintf(name, sizeof("larder-") + 8, "larder-%08x", (uint32_t)hash);
    return name;
}

static int by_pattern(const void *a, const void *b)
{
    const struct site_host *left = a, *right = b;
    return span_cmp(left->pattern, right->pattern);
}

static void index_sites(struct settings *settings, struct arena *arena)
{
    size_t count = 0;

    for (size_t i = 0; i < settings->site_count; i++) {
        count += settings->sites[i].host_count;
    }
    settings->site_hosts = arena_alloc(arena, count * sizeof(*settings->site_hosts));
    for (size_t i = 0; i < settings->site_count; i++) {
        const struct site *site = &settings->sites[i];
        for (size_t j = 0; j < site->host_count; j++) {
            if (!site->hosts[j]) {
                continue; /* reported already */
            }
            struct span pattern = span_str(site->hosts[j]);
            settings->site_hosts[settings->site_host_count++] = (struct site_host){pattern, site};
            settings->has_domains |= span_starts(pattern, SPAN("*."));
        }
    }
    qsort(settings->site_hosts, settings->site_host_count, sizeof(*settings->site_hosts),
          by_pattern);
}

static void refuse_doubles(const struct settings *settings, const struct conf_at *at)
{
    for (size_t i = 1; i < settings->site_host_count; i++) {
        const struct site_host *host = &settings->site_hosts[i];
        if (by_pattern(host - 1, host) == 0) {
            size_t left = (size_t)(host[-1].site - settings->sites);
            size_t right = (size_t)(host->site - settings->sites);
            conf_complain(at, "sites", left > right ? left : right,
                          "host \"%.*s\" is listed twice; expected one site with all its origins",
                          SPAN_ARGS(host->pattern));
        }
    }
}

static bool same_endpoint(const struct endpoint *a, const struct endpoint *b)
{
    return a->len && a->len == b->len && memcmp(&a->address, &b->address, a->len) == 0;
}

static bool any_port(const struct endpoint *endpoint)
{
    return span_ends(span_str(endpoint->text), SPAN(":0"));
}

static void refuse_double_addresses(const struct settings *settings, const struct conf_at *at)
{
    for (size_t i = 0; i < settings->listen_count; i++) {
        const struct endpoint *endpoint = &settings->listen[i].at;
        bool twice = same_endpoint(endpoint, &settings->admin);
        for (size_t j = 0; j < i; j++) {
            twice |= same_endpoint(endpoint, &settings->listen[j].at);
        }
        if (twice && !any_port(endpoint)) {
            conf_complain(at, "listen", i, "address %s is listed twice; expected different ones",
                          endpoint->text);
        }
    }
}

/* ---- certificates ---- */

void certificates_finish(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct certificates *tls = bound;
    bool has_file = conf_given(at, "certificate"), has_key = conf_given(at, "key");

    if ((has_file || has_key) && conf_given(at, "certificates")) {
        conf_complain(at, "certificates", 0,
                      "\"certificate\" and \"certificates\" are both given; expected one of them");
    } else if (has_file != has_key) {
        conf_complain(at, has_file ? "certificate" : "key", 0, "%s; expected both",
                      has_file ? "a certificate without its key" : "a key without its certificate");
    }
    if (tls->count == 0 && (has_file || has_key)) {
        tls->list = &tls->one;
        tls->count = 1;
    }
}

/* Gives listeners without certificates those of the top level. */
static void share_certificates(struct settings *settings, const struct conf_at *at)
{
    for (size_t i = 0; i < settings->listen_count; i++) {
        struct listening *listening = &settings->listen[i];
        if (listening->is_tls && listening->tls.count == 0) {
            listening->tls = settings->tls;
        }
        if (listening->is_tls && listening->tls.count == 0 && listening->at.text) {
            conf_complain(at, "listen", i,
                          "%s has no certificate; expected \"certificate\" and \"key\" in its "
                          "\"tls\", or in \"tls\" for all",
                          listening->at.text);
        }
    }
}

/* ---- store folders ---- */

/* The position of the path's last slash. */
static size_t last_part(const char *path, size_t len)
{
    while (len > 0 && path[len - 1] != '/') {
        len--;
    }
    return len ? len - 1 : 0;
}

/* Makes a path absolute, without ".", ".." and doubled slashes. Links are not resolved. */
static struct span plain_path(const char *path, struct arena *arena)
{
    char here[PATH_MAX] = "";

    if (path[0] != '/' && getcwd(here, sizeof(here)) == NULL) {
        here[0] = '\0';
    }
    struct span rest = arena_printf(arena, "%s/%s", here, path);
    char *plain = arena_alloc(arena, rest.len + 1);
    size_t len = 0;
    while (rest.len > 0) {
        struct span part = span_cut(&rest, '/');
        if (span_eq(part, SPAN(".."))) {
            len = last_part(plain, len);
        } else if (part.len > 0 && !span_eq(part, SPAN("."))) {
            plain[len++] = '/';
            memcpy(plain + len, part.at, part.len);
            len += part.len;
        }
    }
    return span_of(plain, len);
}

static bool lies_inside(struct span inner, struct span outer)
{
    return span_starts(inner, outer) && inner.len > outer.len && inner.at[outer.len] == '/';
}

/* Refuses folders that are used twice: a store needs a folder of its own, without other files. */
static void refuse_shared_folders(const struct settings *settings, struct arena *arena,
                                  const struct conf_at *at)
{
    struct span *plain = arena_alloc(arena, settings->store_count * sizeof(*plain));

    for (size_t i = 0; i < settings->store_count; i++) {
        const char *path = settings->stores[i].path;
        plain[i] =
            path ? plain_path(path, arena) : SPAN_EMPTY; /* its absence is reported already */
        for (size_t j = 0; j < i && path; j++) {
            const struct conf_at *item = conf_at_map(at, "directories", i);
            if (!settings->stores[j].path) {
                continue;
            }
            if (span_eq(plain[i], plain[j])) {
                conf_complain(item, "path", 0, "\"%s\" is listed twice; expected different folders",
                              path);
            } else if (lies_inside(plain[i], plain[j]) || lies_inside(plain[j], plain[i])) {
                conf_complain(item, "path", 0,
                              "one of \"%s\" and \"%s\" lies inside the other; expected folders "
                              "beside each other",
                              settings->stores[j].path, path);
            }
        }
    }
}

/* Refuses a path that exists and is not a folder. A missing folder is created later; one that
 * cannot be examined may be right. */
static void refuse_file(const struct conf_at *at, const char *directive, const char *path)
{
    struct stat about;

    if (path && stat(path, &about) == 0 && !S_ISDIR(about.st_mode)) {
        conf_complain(at, directive, 0, "%s is not a folder; expected one, or an unused name",
                      path);
    }
}

void store_finish(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct settings *settings = bound;

    for (size_t i = 0; i < settings->store_count; i++) {
        struct store_folder *folder = &settings->stores[i];
        folder->size = folder->size ? folder->size : settings->store_size;
    }
    if (settings->store_path && settings->store_count) {
        conf_complain(at, "directories", 0,
                      "\"path\" and \"directories\" are both given; expected one of them");
    } else if (settings->store_count > STORE_FOLDERS_MAX) {
        conf_complain(at, "directories", STORE_FOLDERS_MAX, "%zu directories; expected at most %d",
                      settings->store_count, STORE_FOLDERS_MAX);
    } else if (settings->store_path) {
        refuse_file(at, "path", settings->store_path);
        settings->stores = arena_alloc(arena, sizeof(*settings->stores));
        settings->stores[0] = (struct store_folder){settings->store_path, settings->store_size};
        settings->store_count = 1;
    } else {
        refuse_shared_folders(settings, arena, at);
    }
}

/* Rules that name users need a password file. */
static void refuse_unknown_users(const struct settings *settings, const struct conf_at *at)
{
    for (size_t i = 0; i < settings->access_count; i++) {
        const struct access_rule *rule = &settings->access[i];
        bool needs_user = rule->needs_user, needs_groups = rule->group_count > 0;
        for (size_t n = 0; n < rule->except_count; n++) {
            needs_user |= rule->except[n].needs_user;
            needs_groups |= rule->except[n].group_count > 0;
        }
        if (needs_user && !settings->users.file) {
            conf_complain(
                at, "access", i,
                "a rule about users, but no users are configured; expected \"users: {file: "
                "...}\" with names and passwords");
        } else if (needs_groups && !settings->users.groups) {
            conf_complain(
                at, "access", i,
                "a rule about groups, but none are configured; expected \"users: {groups: "
                "...}\" with a file that says who is in them");
        } else if (rule->limits.quota && !settings->state) {
            conf_complain(at, "access", i,
                          "a quota, but no place to record its use; expected \"state: "
                          "FOLDER\", such as /var/lib/larder");
        }
    }
}

void settings_finish(void *bound, struct arena *arena, const struct conf_at *at)
{
    struct settings *settings = bound;

    if (settings->workers == 0) {
        settings->workers = cpus();
    }
    if (!settings->name) {
        settings->name = settings_own_name(settings, arena);
    }
    refuse_unknown_users(settings, at);
    refuse_file(at, "state", settings->state);
    index_sites(settings, arena);
    refuse_doubles(settings, at);
    refuse_double_addresses(settings, at);
    mirrors_finish(settings, arena, at);
    share_certificates(settings, at);
}

/* ---- life ---- */

static atomic_uint_fast64_t alive, made;

uint64_t settings_alive(void)
{
    return atomic_load(&alive);
}

static void settings_free(struct settings *settings)
{
    if (settings->access_set) {
        settings->access_set->free(settings->access_set);
    }
    if (settings->parts) {
        settings->parts->free(settings->parts);
    }
    if (settings->logs) {
        settings->logs->free(settings->logs);
    }
    arena_fini(settings->memory);
    free(settings->memory);
    free(settings);
    atomic_fetch_sub(&alive, 1);
}

static void describe(struct conf *conf, struct settings *settings, const struct settings *running)
{
    struct buf text = BUF_INIT;

    conf_flatten(conf, settings->memory, &settings->flat);
    settings->in_force = settings->flat;
    settings->wanted = settings->listen;
    settings->wanted_count = settings->listen_count;
    if (running) {
        settings_hold(settings, running);
        conf_hold(conf, &running->in_force);
        conf_flatten(conf, settings->memory, &settings->in_force);
    }
    conf_print(conf, &text);
    settings->printed = arena_copy(settings->memory, buf_span(&text));
    buf_fini(&text);
}

int settings_load_beside(int argc, char **argv, const struct settings *running, struct buf *errors,
                         struct settings **out)
{
    struct settings *settings = xcalloc(1, sizeof(*settings));
    struct arena *memory = xcalloc(1, sizeof(*memory));
    struct conf *conf = conf_new(&settings_table, errors);

    atomic_fetch_add(&alive, 1);
    arena_init(memory, NULL, 0);
    conf_arguments(conf, settings_options, argc, argv);
    int err = conf_bind(conf, settings, memory);
    settings->memory = memory;
    settings->broken = err != 0;
    settings->number = atomic_fetch_add(&made, 1);
    atomic_init(&settings->refs, 1);
    conf_paths(conf, memory, &settings->paths);
    if (!err) {
        describe(conf, settings, running);
    }
    conf_free(&conf);
    *out = settings;
    return err;
}

int settings_load(int argc, char **argv, struct buf *errors, struct settings **out)
{
    int err = settings_load_beside(argc, argv, NULL, errors, out);

    if (err) {
        settings_unref(out);
    }
    return err;
}

struct settings *settings_ref(struct settings *settings)
{
    atomic_fetch_add_explicit(&settings->refs, 1, memory_order_relaxed);
    return settings;
}

void settings_unref(struct settings **settings)
{
    struct settings *old = *settings;

    *settings = NULL;
    if (old && atomic_fetch_sub_explicit(&old->refs, 1, memory_order_acq_rel) == 1) {
        settings_free(old);
    }
}

bool settings_have_limits(const struct settings *settings)
{
    bool some = settings->shares.total > 0;

    for (size_t i = 0; i < settings->access_count; i++) {
        some |= settings->access[i].limits.given;
    }
    return some;
}

const char *settings_origin(const struct settings *settings, struct span path)
{
    for (size_t i = 0; i < settings->paths.count; i++) {
        if (span_eq(span_str(settings->paths.at[i].path), path)) {
            return settings->paths.at[i].origin;
        }
    }
    return NULL;
}

/* ---- output for people ---- */

bool settings_flag(int argc, char **argv, const char *name)
{
    return conf_flag(settings_options, argc, argv, name);
}

void settings_print(const struct settings *settings, struct buf *out)
{
    buf_append(out, settings->printed);
}

void settings_help(struct buf *out)
{
    buf_printf(out, "larder-proxy " LARDER_VERSION " - a caching HTTP proxy\n\n"
                    "usage: larder-proxy [--config FILE] [OPTION]...\n\n");
    conf_options_help(settings_options, out);
    buf_printf(
        out,
        "\nExample: larder-proxy --listen 0.0.0.0:3128 --allow 10.0.0.0/8 --store /srv/cache\n\n"
        "Signals: TERM and INT finish requests in progress and stop; a second one stops at "
        "once.\nHUP reloads the configuration, USR1 reopens the logs.\n"
        "Exit status: 0 stopped by a signal, 1 invalid configuration or failed start.\n"
        "Manual: larder-proxy(8), larder.yaml(5).\n");
}

void settings_directives(struct buf *out)
{
    conf_help(&settings_table, out);
}

void settings_manual(struct buf *out)
{
    buf_printf(out, "```\n");
    conf_options_help(settings_options, out);
    buf_printf(out, "```\n\n");
    conf_manual(&settings_table, out);
}

/* ---- lookups ---- */

static const struct site *find_pattern(const struct settings *settings, struct span pattern)
{
    struct site_host wanted = {pattern, NULL};
    const struct site_host *found = bsearch(&wanted, settings->site_hosts,
                                            settings->site_host_count, sizeof(wanted), by_pattern);

    return found ? found->site : NULL;
}

/* The site with the longest matching "*.domain". */
static const struct site *find_domain(const struct settings *settings, struct span host)
{
    char pattern[258]; /* for "*." and a host of at most 255 bytes */
    const struct site *site = NULL;

    pattern[0] = '*';
    for (size_t dot = span_find(host, '.'); !site && dot < host.len; dot = span_find(host, '.')) {
        host = span_skip(host, dot);
        if (host.len < sizeof(pattern)) {
            memcpy(pattern + 1, host.at, host.len);
            site = find_pattern(settings, span_of(pattern, host.len + 1));
        }
        host = span_skip(host, 1);
    }
    return site;
}

const struct site *settings_site(const struct settings *settings, struct span host)
{
    if (settings->site_host_count == 0) {
        return NULL;
    }
    if (span_ends(host, SPAN("."))) {
        host.len--;
    }
    const struct site *site = find_pattern(settings, host);
    if (site == NULL && settings->has_domains) {
        site = find_domain(settings, host);
    }
    return site ? site : find_pattern(settings, SPAN("*"));
}
