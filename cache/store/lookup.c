#include "cache/store/lookup.h"

#include "base/err.h"
#include "base/guard.h"
#include "base/mem.h"
#include "cache/store/sum.h"

#include <errno.h>
#include <stdatomic.h>
#include <xxhash.h>

/* A commit may overtake a lookup, but hardly several times. */
enum { ATTEMPTS = 4 };

static const struct walk_tree index_objects_tree = {0, {"obj", 3}, false};
static const struct walk_tree records_tree = {0, {"o", 1}, true};
static const struct walk_tree chunks_tree = {1, {"b", 1}, true};
static const struct walk_tree owners_tree = {2, {"c", 1}, true};

struct found {
    struct span bytes;
    void *copy; /* owned, or NULL */
    char *room; /* where a small value is copied; NULL: to an allocated copy */
    size_t room_len;
};

/* Small values are copied, as their pages may change; large ones are lent or read. */
static int take(struct walk *walk, const struct walk_value *value, struct found *out)
{
    char *copy = NULL;
    int err = 0;

    if (value->len == 0) {
        out->bytes = SPAN_EMPTY; /* not a record of ours; its parser will notice */
    } else if (value->at) {
        char *to = value->len <= out->room_len ? out->room : (copy = xmalloc(value->len));
        /* set before the page is touched, as a fault leaves this function by a jump */
        out->copy = copy;
        memcpy(to, value->at, value->len);
        out->bytes = span_of(to, value->len);
    } else if (walk->way == WALK_READ) {
        err = walk_read(walk, value, &copy);
        out->bytes = span_of(copy, value->len);
    } else {
        err = walk_lend(walk, value, &out->bytes);
    }
    out->copy = copy;
    return err;
}

struct getting {
    struct walk *walk;
    const struct walk_tree *tree;
    uint64_t commit;
    struct span key;
    struct found *out;
};

static int call_get(void *arg)
{
    struct getting *get = arg;
    struct walk_value value;
    int err = walk_get(get->walk, get->tree, get->commit, get->key, &value);

    return err ? err : take(get->walk, &value, get->out);
}

/* -EIO: a page that was in memory a moment ago is gone, and the disk does not deliver it. */
static int get(struct walk *walk, const struct walk_tree *tree, uint64_t commit, struct span key,
               struct found *out)
{
    struct getting get = {walk, tree, commit, key, out};

    int err = guard_lookup(call_get, &get, env_range(walk->env));
    if (err) {
        free(out->copy);
        out->copy = NULL;
    }
    return err;
}

/* For a file that is being written: reads the last commit in a transaction. If LMDB has given up
 * the file, and the writer has not noted that so far, the walk reads the last commit without a
 * transaction. */
static int get_in_transaction(struct walk *walk, const struct walk_tree *tree, struct span key,
                              struct found *out, uint64_t *commit)
{
    int err = ERR_AGAIN;

    for (int i = 0; i < ATTEMPTS && err == ERR_AGAIN; i++) {
        MDB_txn *txn;
        err = env_read_begin(walk->env, &txn);
        if (err == ERR_CLOSED) {
            *commit = WALK_LAST;
            return get(walk, tree, WALK_LAST, key, out);
        }
        if (err) {
            return err;
        }
        *commit = mdb_txn_id(txn);
        err = get(walk, tree, *commit, key, out);
        env_read_end(walk->env, txn);
        if (walk->way == WALK_NOW) {
            return err;
        }
    }
    return err == ERR_AGAIN ? ERR_IO : err;
}

int lookup_location(struct index *index, const uint8_t hash[STORE_HASH], enum walk_way way,
                    struct location *out, uint64_t *commit)
{
    char room[LOCATION_MAX];
    struct walk walk;
    struct found found = {.room = room, .room_len = sizeof(room)};

    struct span key = span_of(hash, STORE_HASH);

    walk_init(&walk, &index->env, way);
    *commit = WALK_LAST;
    int err = atomic_load_explicit(&index->given_up, memory_order_acquire)
                  ? get(&walk, &index_objects_tree, WALK_LAST, key, &found)
                  : get_in_transaction(&walk, &index_objects_tree, key, &found, commit);
    walk_fini(&walk);
    /* the tree is damaged, not the record: deleting it would walk the same pages */
    if (err == ERR_CORRUPT) {
        return ERR_IO;
    }
    if (!err) {
        err = location_read(found.bytes, hash, out);
        free(found.copy);
    }
    return err;
}

static int get_value(struct segment *segment, const struct walk_tree *tree, uint32_t number,
                     enum walk_way way, struct found *out)
{
    struct walk walk;
    uint64_t commit;
    struct span key = span_of(&number, sizeof(number));

    walk_init(&walk, &segment->env, way);
    segment_watch(segment, walk.now_ms);
    int err;
    if (segment_enter(segment)) {
        err = get_in_transaction(&walk, tree, key, out, &commit);
        segment_exit(segment);
    } else {
        err = get(&walk, tree, WALK_LAST, key, out);
    }
    walk_fini(&walk);
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err; /* only committed numbers are handed out */
}

/* Sums bytes that are not lent, which are in memory of our own. */
static int sum_of(const struct segment *segment, struct span bytes, bool lent, enum walk_way way,
                  uint64_t *sum)
{
    if (lent) {
        return sum_lent(&segment->env, bytes, way, sum);
    }
    *sum = XXH3_64bits(bytes.at, bytes.len);
    return 0;
}

/* A verified checksum is not computed again, except for a table of chunks: their checksums are
 * remembered by number, so the numbers must be right each time. */
static int judge_record(struct segment *segment, uint32_t number, enum walk_way way,
                        const struct segment_record *read)
{
    struct span bytes = read->bytes;
    uint64_t sum;

    if (way != WALK_READ && read->record.chunk_count == 0 &&
        ledger_is_verified(&segment->ledger, number)) {
        return guard_touch(span_take(bytes, bytes.len - read->record.body.len));
    }
    int err = sum_of(segment, span_skip(bytes, RECORD_SUMMED_FROM), read->copy == NULL, way, &sum);
    if (!err) {
        err = record_judge(bytes, &read->record, sum);
    }
    if (!err) {
        ledger_set_verified(&segment->ledger, number);
    }
    return err;
}

int lookup_record(struct segment *segment, uint32_t number, enum walk_way way,
                  struct segment_record *out)
{
    struct found found = {0};
    int err = get_value(segment, &records_tree, number, way, &found);

    if (err) {
        return err;
    }
    out->bytes = found.bytes;
    out->copy = found.copy;
    err = record_read(out->bytes, &out->record);
    if (!err) {
        err = judge_record(segment, number, way, out);
    }
    if (err) {
        free(out->copy);
    }
    return err;
}

static int judge_chunk(struct segment *segment, const struct store_chunk *chunk, enum walk_way way,
                       struct span bytes, bool lent)
{
    uint64_t sum;

    if (way != WALK_READ && segment_is_verified(segment, chunk->number)) {
        return 0;
    }
    int err = sum_of(segment, bytes, lent, way, &sum);
    if (!err && sum != chunk->sum) {
        err = ERR_CORRUPT;
    }
    if (!err) {
        segment_set_verified(segment, chunk->number);
    }
    return err;
}

static bool is_damage(int err)
{
    return err == ERR_CORRUPT || err == -EIO;
}

int lookup_chunk(struct segment *segment, const struct store_chunk *chunk, enum walk_way way,
                 struct span *out, void **copy)
{
    struct found found = {0};
    int err = get_value(segment, &chunks_tree, chunk->number, way, &found);

    if (!err && found.bytes.len < chunk->len) {
        err = ERR_CORRUPT;
    }
    if (!err) {
        *out = span_take(found.bytes, chunk->len);
        *copy = found.copy;
        err = judge_chunk(segment, chunk, way, *out, found.copy == NULL);
    }
    if (err) {
        free(found.copy);
    }
    if (is_damage(err)) {
        segment_condemn_chunk(segment, chunk->number);
    }
    return err;
}

int lookup_lend(struct segment *segment, const struct store_chunk *chunk, enum walk_way way,
                struct span *out)
{
    void *copy = NULL;
    int err = lookup_chunk(segment, chunk, way, out, &copy);

    if (!err && copy) { /* chunks are padded so that they can be lent */
        free(copy);
        segment_condemn_chunk(segment, chunk->number);
        err = ERR_CORRUPT;
    }
    return err;
}

struct numbering {
    struct walk walk;
    uint64_t commit;
    uint32_t object, chunk;
};

static int next_number(struct numbering *numbering, const struct walk_tree *tree, uint32_t *next)
{
    uint32_t last = 0;
    int err = walk_last(&numbering->walk, tree, numbering->commit, &last);

    *next = last + 1;
    return err == ERR_NOT_FOUND ? 0 : err;
}

/* A chunk has an owner, under the same number. */
static int call_next(void *arg)
{
    struct numbering *numbering = arg;
    uint32_t owner = 0;
    int err = next_number(numbering, &records_tree, &numbering->object);

    if (!err) {
        err = next_number(numbering, &chunks_tree, &numbering->chunk);
    }
    if (!err) {
        err = next_number(numbering, &owners_tree, &owner);
    }
    return !err && owner != numbering->chunk ? ERR_CORRUPT : err;
}

int lookup_next(struct segment *segment, uint32_t *object, uint32_t *chunk)
{
    struct numbering numbering = {.commit = WALK_LAST};

    if (!atomic_load_explicit(&segment->sealed, memory_order_acquire)) {
        numbering.commit = env_commits(&segment->env);
    }
    walk_init(&numbering.walk, &segment->env, WALK_MAP);
    int err = guard_lookup(call_next, &numbering, env_range(&segment->env));
    walk_fini(&numbering.walk);
    *object = numbering.object;
    *chunk = numbering.chunk;
    return err;
}

int lookup_owner(struct segment *segment, uint32_t number, uint8_t owner[STORE_HASH])
{
    char room[STORE_HASH];
    struct found found = {.room = room, .room_len = sizeof(room)};
    int err = get_value(segment, &owners_tree, number, WALK_MAP, &found);

    if (!err && found.bytes.len != STORE_HASH) {
        err = ERR_CORRUPT;
    }
    if (!err) {
        memcpy(owner, found.bytes.at, STORE_HASH);
    }
    free(found.copy);
    return err;
}
