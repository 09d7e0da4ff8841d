/* Pages of an index that are wrong in ways of which chance finds few (property-damaged-index has
 * the others): where LMDB would go, and what it would believe. */
#include "cache/store/vouch.h"

#include "base/check.h"
#include "base/err.h"
#include "base/guard.h"
#include "cache/store/index.h"
#include "cache/store/walk.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RECORDS = 20000, PAGE = 4096 };

static void hash_of(uint8_t hash[STORE_HASH], uint32_t i)
{
    static const struct sip_key fixed = {3, 4};

    sip_hash128(&fixed, span_of(&i, sizeof(i)), hash);
}

/* An index whose tree of records has two levels of branches. */
static void setup(char dir[64], struct index *index)
{
    uint8_t hash[STORE_HASH];

    snprintf(dir, 64, "/tmp/larder-vouch-XXXXXX");
    guard_install();
    CHECK(mkdtemp(dir) != NULL);
    CHECK(index_open(index, dir, 64u << 20, NULL) == 0);
    cr_assert_eq(index_begin(index), 0);
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct location location = {.segment = 1, .object = i, .low_segment = 1};
        hash_of(hash, i);
        cr_assert_eq(index_put(index, hash, &location), 0);
    }
    cr_assert_eq(index_commit(index), 0);
}

static void teardown(const char *dir, struct index *index)
{
    index_close(index);
    index_remove(dir);
    cr_expect_eq(rmdir(dir), 0);
}

/* ---- its pages ---- */

static struct lmdb_image image_of(const struct index *index)
{
    return (struct lmdb_image){.at = index->env.map,
                               .page_size = PAGE,
                               .in_file = env_pages(&index->env),
                               .pages = env_pages(&index->env)};
}

static uint64_t root_of_objects(struct index *index)
{
    static const struct walk_tree objects = {0, {"obj", 3}, false};
    struct walk walk;
    struct walk_root root;

    walk_init(&walk, &index->env, WALK_MAP);
    cr_assert_eq(walk_root(&walk, &objects, env_commits(&index->env), &root), 0);
    walk_fini(&walk);
    cr_assert_eq(root.depth, 3);
    return root.page;
}

static struct lmdb_item item_of(const struct index *index, uint64_t number, bool leaf, unsigned i)
{
    struct lmdb_image image = image_of(index);
    struct lmdb_item item;
    struct page page;

    cr_assert(lmdb_page_read(&image, number, leaf, &page));
    i = i == UINT_MAX ? page_nodes(&page) - 1 : i;
    cr_assert(lmdb_item_read(image.page_size, lmdb_page_at(&image, number), &page, i, &item));
    return item;
}

static uint64_t child_of(const struct index *index, uint64_t number, unsigned i)
{
    struct lmdb_item item = item_of(index, number, false, i);

    return node_child(&item.node);
}

/* Writes over bytes of the mapping in the file. */
static void write_at(const struct index *index, const char *dir, const char *at, const void *bytes,
                     size_t len)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/index.mdb", dir);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    cr_assert(fd >= 0 && pwrite(fd, bytes, len, at - index->env.map) == (ssize_t)len);
    close(fd);
}

static int drop(struct index *index, const uint8_t hash[STORE_HASH])
{
    cr_assert_eq(index_begin(index), 0);
    int err = index_drop(index, hash);
    if (err) {
        index_abort(index);
        return err;
    }
    return index_commit(index);
}

/* ---- cases ---- */

/* LMDB moves its cursor on to the next key, although nobody asks for it. */
Test(vouch, a_deletion_of_the_last_key_in_a_leaf_goes_to_the_next_leaf)
{
    struct index index;
    uint8_t hash[STORE_HASH];
    char dir[64], rubbish[PAGE];

    setup(dir, &index);
    memset(rubbish, 0xff, sizeof(rubbish));
    uint64_t root = root_of_objects(&index);
    uint64_t leaf = child_of(&index, child_of(&index, root, 0), UINT_MAX);
    memcpy(hash, item_of(&index, leaf, true, UINT_MAX).key, sizeof(hash));
    write_at(&index, dir, index.env.map + child_of(&index, root, 1) * PAGE, rubbish, PAGE);
    cr_expect_eq(drop(&index, hash), ERR_CORRUPT);
    cr_expect(index.is_unsound);
    teardown(dir, &index);
}

/* A value in pages of its own: LMDB would free as many as are said there. */
Test(vouch, no_value_of_the_index_has_pages_of_its_own)
{
    enum { VICTIM = 3, OTHER = 5 };
    struct index index;
    uint8_t hash[STORE_HASH];
    uint64_t place = 2;
    char dir[64];

    setup(dir, &index);
    uint64_t leaf = child_of(&index, child_of(&index, root_of_objects(&index), 0), 1);
    struct lmdb_item victim = item_of(&index, leaf, true, VICTIM);
    struct lmdb_item other = item_of(&index, leaf, true, OTHER);
    uint16_t lost = (uint16_t)(node_value_len(&victim.node) - sizeof(place));
    memcpy(hash, victim.key, sizeof(hash));
    victim.node.flags = NODE_BIG;
    other.node.low = (uint16_t)(other.node.low + lost); /* so that the page is as full as it says */
    write_at(&index, dir, victim.key + STORE_HASH, &place, sizeof(place));
    write_at(&index, dir, victim.key - sizeof(victim.node), &victim.node, sizeof(victim.node));
    write_at(&index, dir, other.key - sizeof(other.node), &other.node, sizeof(other.node));
    cr_expect_eq(drop(&index, hash), ERR_CORRUPT);
    cr_expect(index.is_unsound);
    teardown(dir, &index);
}

/* A page is checked once in a transaction. What LMDB says of it later is believed, too. */
Test(vouch, damage_that_lmdb_itself_finds_is_damage)
{
    struct index index;
    struct location location = {.segment = 1, .object = 1, .low_segment = 1}, found;
    uint8_t hash[STORE_HASH];
    struct page page;
    char dir[64];

    setup(dir, &index);
    uint64_t leaf = child_of(&index, child_of(&index, root_of_objects(&index), 0), 1);
    memcpy(hash, item_of(&index, leaf, true, 0).key, sizeof(hash));
    cr_assert_eq(index_begin(&index), 0);
    cr_expect_eq(index_peek(&index, hash, &found), 0);
    memcpy(&page, index.env.map + leaf * PAGE, sizeof(page));
    page.flags = 0;
    write_at(&index, dir, index.env.map + leaf * PAGE, &page, sizeof(page));
    cr_expect_eq(index_put(&index, hash, &location), ERR_CORRUPT);
    cr_expect(index.is_unsound);
    index_abort(&index);
    teardown(dir, &index);
}

/* ---- numbers that nothing else shows to be wrong ---- */

/* The store would take itself for fuller than it may be, and give up all that it has. */
Test(vouch, the_last_page_is_not_far_behind_the_end_of_the_file)
{
    const uint64_t last = 200000; /* there is address space for it */
    struct index index;
    char dir[64];

    setup(dir, &index);
    for (size_t meta = 0; meta < 2; meta++) {
        const char *at = index.env.map + meta * PAGE + sizeof(struct page);
        write_at(&index, dir, at + offsetof(struct meta, last_page), &last, sizeof(last));
    }
    cr_expect_eq(index_begin(&index), ERR_CORRUPT);
    cr_expect(index.is_unsound);
    index_abort(&index);
    teardown(dir, &index);
}

/* The record of a named tree, in the mapping. */
static const char *record_of(const struct index *index, struct span name)
{
    const char *at = index->env.map + env_commits(&index->env) % 2 * PAGE + sizeof(struct page);
    struct lmdb_item item;
    struct meta meta;
    unsigned i = 0;

    memcpy(&meta, at, sizeof(meta));
    do {
        item = item_of(index, meta.main.root, true, i++);
    } while (!span_eq(span_of(item.key, item.node.key_len), name));
    return item.key + item.node.key_len;
}

/* By it memory is taken for what was evicted. */
Test(vouch, no_tree_has_more_values_than_its_pages_have_room_for)
{
    const uint64_t entries = UINT64_C(1) << 40;
    struct index index;
    char dir[64];

    setup(dir, &index);
    write_at(&index, dir, record_of(&index, SPAN("obj")) + offsetof(struct tree, entries), &entries,
             sizeof(entries));
    cr_expect_eq(index_begin(&index), ERR_CORRUPT);
    cr_expect(index.is_unsound);
    index_abort(&index);
    teardown(dir, &index);
}

/* They were all of the index before it was known which pages may be merged at most. */
Test(vouch, the_deletion_of_many_keys_checks_few_pages_beside_them)
{
    enum { DELETED = 2000, STEP = 50 };
    struct index index;
    struct index_object found[STEP];
    uint8_t from[STORE_HASH] = {0x40};
    char dir[64];
    size_t got;

    setup(dir, &index);
    cr_assert_eq(index_begin(&index), 0);
    for (unsigned done = 0; done < DELETED; done += STEP) {
        cr_assert_eq(index_next(&index, from, found, STEP, &got), 0);
        for (size_t i = 0; i < got; i++) {
            cr_assert_eq(index_drop(&index, found[i].hash), 0);
        }
    }
    cr_expect_lt(index.vouch.count, 2 * DELETED / 20, "a leaf holds more than 20 of them");
    cr_expect_eq(index_commit(&index), 0);
    teardown(dir, &index);
}
