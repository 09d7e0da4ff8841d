#include "dnsredir/steering/geo.h"

#include "base/check.h"
#include "base/err.h"
#include "base/guard.h"
#include "base/list.h"

#include <errno.h>
#include <math.h>
#include <maxminddb.h>

#define EARTH_RADIUS 6371.0088 /* mean, km */
/* How many times as many nodes as there are may be walked through. Parts of the tree may stand at
 * several places, but 30 nodes that all do are a thousand million networks. */
#define SHARED_MAX 16

static double radians(double degrees)
{
    return degrees * (M_PI / 180.0);
}

double geo_distance(double latitude_a, double longitude_a, double latitude_b, double longitude_b)
{
    double a = radians(latitude_a);
    double b = radians(latitude_b);
    double x = sin((a - b) / 2);
    double y = sin(radians(longitude_a - longitude_b) / 2);
    double h = x * x + cos(a) * cos(b) * y * y; /* haversine */

    return 2 * EARTH_RADIUS * asin(sqrt(h < 1 ? h : 1));
}

/* ---- the file ---- */

/* Something that is read from a database. */
struct reading {
    MMDB_s db;
    int (*read)(struct reading *reading);
    const char *path;
    const char *what; /* the fault */
    bool open;
};

static int open_and_read(void *arg)
{
    struct reading *reading = arg;

    reading->open = true; /* what it has of a file that ends while it is opened is to be freed */
    int status = MMDB_open(reading->path, MMDB_MODE_MMAP, &reading->db);
    if (status != MMDB_SUCCESS) {
        reading->open = false;
        reading->what = MMDB_strerror(status);
        return ERR_IO;
    }
    return reading->read(reading);
}

/* The file is mapped. If it gets shorter meanwhile, because somebody writes to it at its place,
 * that is a fault of the file like others, and must not be the end of the process. */
static int read_db(struct reading *reading)
{
    guard_install();
    int err = guard_lookup(open_and_read, reading, SPAN_EMPTY);

    if (err == -EIO) {
        reading->what = "it changed or could not be read any more while it was being read";
        err = ERR_IO;
    }
    if (reading->open) {
        MMDB_close(&reading->db);
    }
    return err;
}

/* ---- its networks ---- */

/* A place in the search tree that is still to be visited. */
struct branch {
    uint64_t record;
    uint8_t type;
    uint8_t depth;
    struct ip bits;
    MMDB_entry_s entry;
};

struct walk {
    struct reading reading;
    MMDB_s *db;
    uint64_t v4_node; /* where IPv4 begins in a tree of IPv6; found once, aliases are left out */
    geo_visit *visit;
    void *arg;
    uint64_t nodes;    /* walked through */
    uint64_t networks; /* reported */
    unsigned waiting;
    struct branch branches[130];
};

static bool get_degrees(MMDB_entry_s *entry, const char *name, double *out)
{
    MMDB_entry_data_s data;
    const char *path[] = {"location", name, NULL};

    if (MMDB_aget_value(entry, &data, path) != MMDB_SUCCESS || !data.has_data ||
        data.type != MMDB_DATA_TYPE_DOUBLE) {
        return false;
    }
    *out = data.double_value;
    return isfinite(*out);
}

static bool behind_96_zeros(const struct branch *at)
{
    static const uint8_t zero[12] = {0};
    return at->depth >= 96 && memcmp(at->bits.at, zero, sizeof(zero)) == 0;
}

/* In a tree of IPv6 the IPv4 networks stand behind 96 zeros. */
static struct prefix network_of(const struct walk *w, const struct branch *at)
{
    struct prefix network = {.ip = at->bits, .bits = at->depth};

    if (w->db->metadata.ip_version == 4) {
        network.ip = (struct ip){{0}};
        memcpy(network.ip.at + 12, at->bits.at, 4);
        network.bits = (uint8_t)(at->depth + 96);
    } else if (!behind_96_zeros(at)) {
        return network;
    }
    network.ip.at[10] = 0xff;
    network.ip.at[11] = 0xff;
    return network;
}

static void visit_data(struct walk *w, struct branch *at)
{
    struct prefix network = network_of(w, at);
    double latitude;
    double longitude;

    if (get_degrees(&at->entry, "latitude", &latitude) &&
        get_degrees(&at->entry, "longitude", &longitude)) {
        w->networks++;
        w->visit(w->arg, &network, at->entry.offset, latitude, longitude);
    }
}

static void push(struct walk *w, struct branch branch)
{
    CHECK(w->waiting < ARRAY_LEN(w->branches));
    w->branches[w->waiting++] = branch;
}

static bool is_alias(const struct walk *w, const struct branch *at)
{
    return at->record == w->v4_node && !behind_96_zeros(at);
}

/* Visits one branch: reports a network, or leaves both halves waiting. */
static int step(struct walk *w)
{
    struct branch at = w->branches[--w->waiting];
    unsigned most = w->db->metadata.ip_version == 4 ? 32 : 128;
    MMDB_search_node_s node;

    if (at.type == MMDB_RECORD_TYPE_DATA) {
        visit_data(w, &at);
        return 0;
    }
    if (at.type != MMDB_RECORD_TYPE_SEARCH_NODE || is_alias(w, &at)) {
        return at.type == MMDB_RECORD_TYPE_INVALID ? ERR_CORRUPT : 0;
    }
    if (at.depth >= most || ++w->nodes > SHARED_MAX * (uint64_t)w->db->metadata.node_count ||
        MMDB_read_node(w->db, (uint32_t)at.record, &node) != MMDB_SUCCESS) {
        return ERR_CORRUPT;
    }
    struct branch left = {node.left_record, node.left_record_type, (uint8_t)(at.depth + 1), at.bits,
                          node.left_record_entry};
    struct branch right = {node.right_record, node.right_record_type, (uint8_t)(at.depth + 1),
                           at.bits, node.right_record_entry};
    right.bits.at[at.depth / 8] |= (uint8_t)(0x80 >> at.depth % 8);
    push(w, right);
    push(w, left);
    return 0;
}

static uint64_t find_v4_node(MMDB_s *db)
{
    uint64_t record = 0;
    MMDB_search_node_s node;

    for (int depth = 0; depth < 96 && record < db->metadata.node_count; depth++) {
        if (MMDB_read_node(db, (uint32_t)record, &node) != MMDB_SUCCESS) {
            return UINT64_MAX;
        }
        record = node.left_record;
    }
    return record < db->metadata.node_count ? record : UINT64_MAX;
}

static int walk(struct reading *reading)
{
    struct walk *w = container_of(reading, struct walk, reading);
    int err = 0;

    w->db = &reading->db;
    w->v4_node = w->db->metadata.ip_version == 6 ? find_v4_node(w->db) : UINT64_MAX;
    push(w, (struct branch){.type = MMDB_RECORD_TYPE_SEARCH_NODE});
    while (w->waiting && !err) {
        err = step(w);
    }
    if (err) {
        reading->what = "the search tree is damaged";
    } else if (w->networks == 0) {
        reading->what = "no network in it has a location";
        err = ERR_NOT_FOUND;
    }
    return err;
}

int geo_each(const char *path, geo_visit *visit, void *arg, const char **what)
{
    struct walk w = {.reading = {.path = path, .read = walk}, .visit = visit, .arg = arg};
    int err = read_db(&w.reading);

    *what = w.reading.what;
    return err;
}

static int read_nothing(struct reading *reading)
{
    return 0;
}

int geo_check(const char *path, const char **what)
{
    struct reading reading = {.path = path, .read = read_nothing};
    int err = read_db(&reading);

    *what = reading.what;
    return err;
}

/* ---- one network ---- */

struct search {
    struct reading reading;
    const struct ip *ip;
    struct prefix *out;
};

static int find(struct reading *reading)
{
    struct search *search = container_of(reading, struct search, reading);
    const struct ip *ip = search->ip;
    struct sockaddr_storage address;
    double degrees;
    int err = MMDB_SUCCESS;

    ip_to_sockaddr(ip, 0, &address);
    MMDB_lookup_result_s hit =
        MMDB_lookup_sockaddr(&reading->db, (struct sockaddr *)&address, &err);
    bool found = err == MMDB_SUCCESS && hit.found_entry &&
                 get_degrees(&hit.entry, "latitude", &degrees) &&
                 get_degrees(&hit.entry, "longitude", &degrees);
    unsigned bits = hit.netmask + (ip_is_v4(ip) && reading->db.metadata.ip_version == 4 ? 96u : 0u);
    if (!found || bits > 128) {
        return ERR_NOT_FOUND;
    }
    *search->out = (struct prefix){*ip, (uint8_t)bits};
    for (unsigned bit = bits; bit < 128; bit++) {
        search->out->ip.at[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
    }
    return 0;
}

bool geo_find(const char *path, const struct ip *ip, struct prefix *out)
{
    struct search search = {.reading = {.path = path, .read = find}, .ip = ip, .out = out};

    return read_db(&search.reading) == 0;
}
