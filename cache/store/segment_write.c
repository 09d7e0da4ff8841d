/* segment_write - the write transaction of an open segment: appends objects and chunks. */
#include "cache/store/segment_parts.h"

#include "base/err.h"

#include <unistd.h>

/* Pages that a commit may need besides the values: new copies of the right edge of each tree, the
 * free list, and the databases' heads. */
#define SLACK_PAGES 32

/* ---- room ---- */

/* What a value needs: pages of its own, and bytes in a leaf. */
static void account(const size_t page_size, size_t size, uint64_t *pages, uint64_t *leaf_bytes)
{
    if (size < page_size / 2 - 32) {
        *leaf_bytes += size + 16;
    } else {
        *pages += (size + 16 + page_size - 1) / page_size;
        *leaf_bytes += 24;
    }
}

/* A leaf may stay a third empty if the next record does not fit. */
static bool fits(uint64_t capacity, size_t page_size, uint64_t pages, uint64_t leaf_bytes)
{
    uint64_t tree = leaf_bytes * 3 / 2 / page_size;

    return (pages + tree + tree / 64 + SLACK_PAGES) * page_size <= capacity;
}

bool segment_has_room(const struct segment *segment, size_t size)
{
    uint64_t pages =
        segment->txn ? segment->base_pages + segment->overflow_pages : env_pages(&segment->env);
    uint64_t leaf_bytes = segment->txn ? segment->leaf_bytes : 0;

    account(segment->env.page_size, size, &pages, &leaf_bytes);
    return fits(segment->capacity, segment->env.page_size, pages, leaf_bytes);
}

bool segment_could_hold(uint64_t capacity, size_t size)
{
    size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
    uint64_t pages = SLACK_PAGES;
    uint64_t leaf_bytes = 0;

    account(page_size, size, &pages, &leaf_bytes);
    return fits(capacity, page_size, pages, leaf_bytes);
}

/* ---- a transaction ---- */

enum { TREE_OBJECTS, TREE_CHUNKS, TREE_OWNERS, TREES };

/* LMDB will follow the pages at the end of each tree. */
static int vouch_for_ends(struct segment *segment)
{
    static const struct vouch_tree trees[TREES] = {
        [TREE_OBJECTS] = {.name = {"o", 1},
                          .key_len = sizeof(uint32_t),
                          .numbers = true,
                          .large = true},
        [TREE_CHUNKS] = {.name = {"b", 1},
                         .key_len = sizeof(uint32_t),
                         .numbers = true,
                         .large = true},
        [TREE_OWNERS] = {.name = {"c", 1}, .key_len = sizeof(uint32_t), .numbers = true},
    };
    int err =
        vouch_begin(&segment->vouch, &segment->env, mdb_txn_id(segment->txn) - 1, trees, TREES);

    for (unsigned tree = 0; tree < TREES && !err; tree++) {
        err = vouch_last(&segment->vouch, tree);
    }
    return err;
}

/* An error of LMDB as one of ours. Only we write to the file, so a last key that is not below the
 * next one is damage, and so are more pages than it may have. */
static int write_error(int result)
{
    return result == MDB_KEYEXIST || result == MDB_MAP_RESIZED ? ERR_CORRUPT : env_error(result);
}

int segment_write_begin(struct segment *segment)
{
    if (segment->txn) {
        return 0;
    }
    int err = mdb_txn_begin(segment->env.lmdb, NULL, 0, &segment->txn);
    if (err) {
        segment->txn = NULL;
        return err == MDB_PANIC ? ERR_FULL : write_error(err);
    }
    segment->base_pages = env_pages(&segment->env);
    segment->overflow_pages = 0;
    segment->leaf_bytes = 0;
    err = vouch_for_ends(segment);
    if (err) {
        segment_abort(segment);
    }
    return err;
}

static int append(struct segment *segment, MDB_dbi db, uint32_t *next, size_t size, void **at,
                  uint32_t *number)
{
    MDB_val key = env_val(next, sizeof(*next));
    MDB_val val = {size, NULL};
    int err = write_error(mdb_put(segment->txn, db, &key, &val, MDB_APPEND | MDB_RESERVE));

    if (!err) {
        *at = val.mv_data;
        *number = (*next)++;
        account(segment->env.page_size, size, &segment->overflow_pages, &segment->leaf_bytes);
    }
    return err;
}

int segment_add_object(struct segment *segment, size_t size, void **at, uint32_t *number)
{
    return append(segment, segment->objects, &segment->next_object, size, at, number);
}

static int add_owner(struct segment *segment, uint32_t number, const uint8_t owner[STORE_HASH])
{
    MDB_val key = env_val(&number, sizeof(number));
    MDB_val val = env_val(owner, STORE_HASH);
    int err = write_error(mdb_put(segment->txn, segment->owners, &key, &val, MDB_APPEND));

    account(segment->env.page_size, STORE_HASH, &segment->overflow_pages, &segment->leaf_bytes);
    return err;
}

int segment_add_chunk(struct segment *segment, const uint8_t owner[STORE_HASH], size_t size,
                      void **at, uint32_t *number)
{
    /* so large that LMDB gives it pages of its own, which never move and can be lent */
    size_t floor = segment->env.page_size / 2;
    size_t padded = size < floor ? floor : size;
    int err = add_owner(segment, segment->next_chunk, owner);

    if (!err) { /* last, because a reserved value must be filled before another one is put */
        err = append(segment, segment->chunks, &segment->next_chunk, padded, at, number);
    }
    if (!err) {
        memset((char *)*at + size, 0, padded - size);
    }
    return err;
}

int segment_peek(struct segment *segment, uint32_t number, struct span *value)
{
    MDB_val key = env_val(&number, sizeof(number));
    MDB_val val;
    int err =
        vouch_key(&segment->vouch, TREE_OBJECTS, span_of(&number, sizeof(number)), VOUCH_READ);

    if (!err) {
        err = env_error(mdb_get(segment->txn, segment->objects, &key, &val));
    }
    if (!err) {
        *value = span_of(val.mv_data, val.mv_size);
    }
    return err;
}

int segment_commit(struct segment *segment)
{
    if (!segment->txn) {
        return 0;
    }
    segment_watch_begin(segment);
    int err = env_error(mdb_txn_commit(segment->txn));
    segment_watch_end(segment);
    segment->txn = NULL;
    vouch_fini(&segment->vouch);
    if (err) {
        segment->next_object = segment->committed_objects;
        segment->next_chunk = segment->committed_chunks;
        return err;
    }
    segment->committed_objects = segment->next_object;
    segment->committed_chunks = segment->next_chunk;
    return 0;
}

void segment_abort(struct segment *segment)
{
    if (segment->txn) {
        mdb_txn_abort(segment->txn);
        segment->txn = NULL;
        vouch_fini(&segment->vouch);
        segment->next_object = segment->committed_objects;
        segment->next_chunk = segment->committed_chunks;
    }
}
