#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "dnsredir/steering/geo.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

/* ---- a MaxMind database of IPv4, format 2.0 ---- */

enum { KIND_STRING = 2, KIND_DOUBLE = 3, KIND_UINT16 = 5, KIND_UINT32 = 6, KIND_MAP = 7 };
enum { PADDED_LEN = 64 << 10 }; /* several pages, whatever their size */

static void put(struct buf *out, unsigned kind, const void *bytes, size_t len)
{
    const char control = (char)(kind << 5 | len);

    buf_append(out, span_of(&control, 1));
    buf_append(out, span_of(bytes, kind == KIND_MAP ? 0 : len));
}

static void put_string(struct buf *out, const char *text)
{
    put(out, KIND_STRING, text, strlen(text));
}

static void put_number(struct buf *out, const char *name, unsigned kind, uint8_t number)
{
    put_string(out, name);
    put(out, kind, &number, 1);
}

static void put_degrees(struct buf *out, const char *name)
{
    static const uint8_t fifty[8] = {0x40, 0x49}; /* 50.0 as an IEEE 754 double */

    put_string(out, name);
    put(out, KIND_DOUBLE, fifty, sizeof(fifty));
}

static void put_metadata(struct buf *out, uint8_t node_count)
{
    buf_append(out, SPAN("\xab\xcd\xefMaxMind.com"));
    put(out, KIND_MAP, NULL, 9);
    put_number(out, "binary_format_major_version", KIND_UINT16, 2);
    put_number(out, "binary_format_minor_version", KIND_UINT16, 0);
    put_string(out, "build_epoch");
    buf_append(out, SPAN("\x01\x02\x01")); /* uint64, an extended kind */
    put_string(out, "database_type");
    put_string(out, "test");
    put_string(out, "description");
    put(out, KIND_MAP, NULL, 0);
    put_number(out, "ip_version", KIND_UINT16, 4);
    put_string(out, "languages");
    buf_append(out, span_of("\x00\x04", 2)); /* an empty array, an extended kind */
    put_number(out, "node_count", KIND_UINT32, node_count);
    put_number(out, "record_size", KIND_UINT16, 24);
}

struct node {
    uint8_t left, right;
};

/* The database of a tree; records from 0 are nodes, from `count` + 16 on data, which begins with an
 * empty map, of no place, and has a place behind it. */
static void write_db(const char *path, const struct node *nodes, uint8_t count)
{
    static const char zero[PADDED_LEN];
    struct buf db = {0};

    for (uint8_t i = 0; i < count; i++) {
        const char node[6] = {0, 0, (char)nodes[i].left, 0, 0, (char)nodes[i].right};
        buf_append(&db, span_of(node, sizeof(node)));
    }
    buf_append(&db, span_of(zero, 16));
    put(&db, KIND_MAP, NULL, 0);
    put(&db, KIND_MAP, NULL, 1);
    put_string(&db, "location");
    put(&db, KIND_MAP, NULL, 2);
    put_degrees(&db, "latitude");
    put_degrees(&db, "longitude");
    buf_append(&db, span_of(zero, sizeof(zero)));
    put_metadata(&db, count);

    FILE *file = fopen(path, "w");
    cr_assert(file && fwrite(db.data + db.start, buf_len(&db), 1, file) == 1);
    cr_assert_eq(fclose(file), 0);
    buf_fini(&db);
}

enum { NOWHERE = 16, PLACE = 17 }; /* to be added to the number of nodes */

static char path[] = "/tmp/larder-geo.XXXXXX";

static void make(void)
{
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    close(fd);
}

static void drop(void)
{
    unlink(path);
}

/* ---- what is read from it ---- */

static void count(void *arg, const struct prefix *network, uint32_t record, double latitude,
                  double longitude)
{
    size_t *networks = arg;

    cr_expect(latitude == 50.0 && longitude == 50.0);
    ++*networks;
}

static void cut(void *arg, const struct prefix *network, uint32_t record, double latitude,
                double longitude)
{
    count(arg, network, record, latitude, longitude);
    cr_assert_eq(truncate(path, 0), 0);
}

/* 0.0.0.0/1 is a place, 128.0.0.0/2 is none, and 192.0.0.0/2 is that place, too. */
static const struct node halves[] = {{2 + PLACE, 1}, {2 + NOWHERE, 2 + PLACE}};

Test(geo, networks_with_a_location, .init = make, .fini = drop)
{
    size_t networks = 0;
    const char *what = NULL;
    struct prefix found;
    struct ip ip;
    char text[PREFIX_TEXT_MAX];

    write_db(path, halves, 2);
    cr_assert_eq(geo_check(path, &what), 0, "%s", what);
    cr_assert_eq(geo_each(path, count, &networks, &what), 0, "%s", what);
    cr_expect_eq(networks, 2);
    cr_assert_eq(ip_parse(SPAN("200.1.2.3"), &ip), 0);
    cr_assert(geo_find(path, &ip, &found));
    cr_expect_str_eq(prefix_text(&found, text), "192.0.0.0/2");
    cr_assert_eq(ip_parse(SPAN("130.1.2.3"), &ip), 0);
    cr_expect_not(geo_find(path, &ip, &found));
}

Test(geo, file_cut_while_it_is_read, .init = make, .fini = drop)
{
    size_t networks = 0;
    const char *what = NULL;

    write_db(path, halves, 2);
    cr_assert_eq(geo_each(path, cut, &networks, &what), ERR_IO);
    cr_expect_eq(networks, 1);
    cr_expect_not_null(strstr(what, "changed"));
}

Test(geo, tree_that_contains_itself, .init = make, .fini = drop)
{
    static const struct node circle[] = {{0, 0}};
    size_t networks = 0;
    const char *what = NULL;

    write_db(path, circle, 1);
    cr_assert_eq(geo_each(path, count, &networks, &what), ERR_CORRUPT);
    cr_expect_str_eq(what, "the search tree is damaged");
}

/* Both sides of each node lead to the next: 30 nodes are 2^30 networks. */
Test(geo, tree_of_few_nodes_and_no_end, .init = make, .fini = drop, .timeout = 30)
{
    struct node doubled[30];
    size_t networks = 0;
    const char *what = NULL;

    for (uint8_t i = 0; i < 30; i++) {
        doubled[i].left = doubled[i].right = (uint8_t)(i < 29 ? i + 1 : 30 + NOWHERE);
    }
    write_db(path, doubled, 30);
    cr_assert_eq(geo_each(path, count, &networks, &what), ERR_CORRUPT);
    cr_expect_str_eq(what, "the search tree is damaged");
}

/* Databases of countries or providers have no locations: with one, all clients would be nowhere. */
Test(geo, no_location_at_all, .init = make, .fini = drop)
{
    static const struct node nowhere[] = {{1 + NOWHERE, 1 + NOWHERE}};
    size_t networks = 0;
    const char *what = NULL;

    write_db(path, nowhere, 1);
    cr_assert_eq(geo_each(path, count, &networks, &what), ERR_NOT_FOUND);
    cr_expect_str_eq(what, "no network in it has a location");
}
