#include "dnsredir/config/directives_dnssec.h"

#include "base/clock.h"
#include "base/list.h"
#include "dnsredir/zone/signatures.h"

#define ZONE(member) CONF_FIELD(struct zone_row, dnssec.member)
#define FIELD(member) CONF_FIELD(struct settings, dnssec.member)

static void check_zone(void *bound, struct arena *arena, const struct conf_at *at)
{
    const struct zone_row *row = bound;

    if (row->dnssec.key_count > DNSSEC_KEYS_MAX) {
        conf_complain(at, "key", 0, "%zu keys; expected at most %d", row->dnssec.key_count,
                      DNSSEC_KEYS_MAX);
    } else if (row->dnssec.key_count == 0 && conf_given(at, "cds")) {
        conf_complain(at, "cds", 0, "there is no key to announce to the parent; expected key");
    }
}

/* clang-format off */
static const struct conf_directive zone_dnssec_directives[] = {
    {"key", CONF_PATH, CONF_LIST(struct zone_row, dnssec.keys, dnssec.key_count),
     NULL, NULL, NULL, CONF_RELOAD,
     "File of the signing key (P-256, PEM), as made by larder-dns --make-key. Of several, "
     "the first signs the zone; all are published and sign the DNSKEY set."},
    {"validity", CONF_SEC, ZONE(validity), "14d", "10s", "365d", CONF_RELOAD,
     "Validity of signatures; they are renewed long before it ends."},
    {"cds", CONF_BOOL, ZONE(cds), "no", NULL, NULL, CONF_RELOAD,
     "Publish CDS and CDNSKEY, so that the parent can pick up new keys (RFC 7344)."},
    {0},
};
const struct conf_table zone_dnssec_table = {
    .rows = zone_dnssec_directives, .finish = check_zone};

static const struct conf_directive dnssec_directives[] = {
    {"signatures-per-second", CONF_INT, FIELD(rate), "2000", "1", "1000000", CONF_RELOAD,
     "Denial proofs that a worker may sign per second, and as many answers that were not "
     "signed in advance. Beyond that, UDP answers are truncated and TCP answers are SERVFAIL."},
    {0},
};
const struct conf_table dnssec_table = {.rows = dnssec_directives};
/* clang-format on */

/* ---- keys ---- */

static void publish(struct compiler *c, const struct zone_row *row, struct zone *zone,
                    uint16_t type, const uint8_t *data, size_t len)
{
    const char *what = NULL;

    c->record->type = type;
    c->record->ttl = row->ttl;
    c->record->len = (uint16_t)len;
    memcpy(c->record->data, data, len);
    if (zone_add_record(c->settings->zones, zone, &zone->apex, c->record, &what)) {
        COMPLAIN(c, "key", 0, "%s; expected fewer keys", what);
    }
}

static void publish_key(struct compiler *c, const struct zone_row *row, struct zone *zone,
                        struct signing *signing, const struct dnssec_key *key)
{
    struct record *record = c->record;
    uint8_t ds[DS_DATA_LEN];

    publish(c, row, zone, TYPE_DNSKEY, key->dnskey, sizeof(key->dnskey));
    dnssec_ds(&zone->apex, key, ds);
    if (row->dnssec.cds) {
        publish(c, row, zone, TYPE_CDS, ds, sizeof(ds));
        publish(c, row, zone, TYPE_CDNSKEY, key->dnskey, sizeof(key->dnskey));
    }
    record->type = TYPE_DS;
    record->ttl = row->ttl;
    record->len = sizeof(ds);
    memcpy(record->data, ds, sizeof(ds));
    CHECK(rrset_add(c->arena, &signing->ds, record) == 0);
}

static bool is_known(const struct signing *signing, const struct dnssec_key *key)
{
    for (unsigned i = 0; i < signing->key_count; i++) {
        if (memcmp(signing->keys[i]->dnskey, key->dnskey, sizeof(key->dnskey)) == 0) {
            return true;
        }
    }
    return false;
}

/* The key in a file, shared by all zones that use the file: reading it takes as long as making two
 * dozen signatures. */
struct key_file {
    struct map_link link;
    const char *path;
    struct dnssec_key *key;
};

static const struct sip_key
    path_key; /* paths come from the configuration, so collisions cannot be forced */

static struct dnssec_key *find_key(const struct map *files, const char *path)
{
    uint64_t hash = sip_hash64(&path_key, span_str(path));

    for (struct map_link *at = files->count ? map_first(files, hash) : NULL; at;
         at = map_next(at)) {
        const struct key_file *file = container_of(at, struct key_file, link);
        if (strcmp(file->path, path) == 0) {
            return file->key;
        }
    }
    return NULL;
}

static void keep_key(struct compiler *c, const char *path, struct dnssec_key *key)
{
    struct map *files = &c->settings->keys_by_path;
    struct key_file *file = arena_zalloc(c->arena, sizeof(*file));

    if (files->count == 0) {
        map_init(files, 0);
    }
    file->path = path;
    file->key = key;
    map_insert(files, &file->link, sip_hash64(&path_key, span_str(path)));
}

/* As dnssec_key_load(), except that the settings own the key. */
static int need_key(struct compiler *c, const char *path, struct dnssec_key **out, char *fault)
{
    *out = find_key(&c->settings->keys_by_path, path);
    if (*out) {
        return 0;
    }
    int err = dnssec_key_load(path, out, fault);
    if (!err) {
        keep_key(c, path, *out);
    }
    return err;
}

/* Loads one key of the row. False: an error was reported. */
static bool load_key(struct compiler *c, const struct zone_row *row, struct signing *signing,
                     size_t index)
{
    const char *path = row->dnssec.keys[index];
    char fault[DNSSEC_FAULT_MAX];
    struct dnssec_key *key;

    if (need_key(c, path, &key, fault)) {
        COMPLAIN(c, "key", index, "%s: %s%s", path, fault,
                 strstr(fault, "expected") ? ""
                                           : "; expected a file that larder-dns --make-key made");
        return false;
    }
    if (is_known(signing, key)) {
        COMPLAIN(c, "key", index, "%s: the same key as one before it; expected each key once",
                 path);
        return false;
    }
    signing->keys[signing->key_count++] = key;
    return true;
}

void compile_signing(struct compiler *c, const struct zone_row *row, struct zone *zone)
{
    if (row->dnssec.key_count == 0) {
        return;
    }
    const struct conf_at *outer = compile_enter(c, "dnssec", 0);
    struct signing *signing = arena_zalloc(c->arena, sizeof(*signing));
    signing->number = c->settings->signings ? c->settings->signings->number + 1 : 0;
    signing->next = c->settings->signings;
    c->settings->signings = signing;
    signing->apex = zone->apex;
    signing->validity = row->dnssec.validity;
    for (size_t i = 0; i < row->dnssec.key_count && load_key(c, row, signing, i); i++) {
        publish_key(c, row, zone, signing, signing->keys[i]);
    }
    zone->signing = signing;
    compile_leave(c, outer);
}

static void free_key(struct map_link *link, void *arg)
{
    dnssec_key_free(&container_of(link, struct key_file, link)->key);
}

void signing_free(struct settings *settings)
{
    if (settings->keys_by_path.count) {
        map_each(&settings->keys_by_path, free_key, NULL);
        map_fini(&settings->keys_by_path);
    }
    settings->signings = NULL;
}

/* ---- using the keys ---- */

static void put_ds(void *arg, const struct zone *zone)
{
    struct buf *out = arg;
    char text[NAME_TEXT_MAX];

    for (unsigned i = 0; zone->signing && i < zone->signing->key_count; i++) {
        uint8_t ds[DS_DATA_LEN];
        dnssec_ds(&zone->apex, zone->signing->keys[i], ds);
        buf_printf(out, "%s IN DS %u %u %u ", name_text(&zone->apex, text), ds[0] << 8 | ds[1],
                   ds[2], ds[3]);
        for (size_t n = 4; n < sizeof(ds); n++) {
            buf_printf(out, "%02X", ds[n]);
        }
        buf_printf(out, "\n");
    }
}

void settings_ds(const struct settings *settings, struct buf *out)
{
    zones_each(settings->zones, put_ds, out);
}

struct signatures *settings_sign(const struct settings *settings, const struct signatures *old)
{
    const struct signatures_plan plan = {.now = (uint32_t)clock_wall(),
                                         .most = SIGNATURES_MAX,
                                         .rate = settings->dnssec.rate,
                                         .old = old,
                                         .rankings = settings->nearest.rankings,
                                         .ranking_count = settings->nearest.ranking_count};

    return signatures_new(settings->zones, &plan);
}
