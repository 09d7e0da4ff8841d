#include "cache/store/segment.h"

#include "base/check.h"
#include "base/err.h"
#include "base/mem.h"
#include "cache/store/guard.h"
#include "cache/store/lookup.h"
#include "cache/store/sound.h"
#include "cache/store/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include <xxhash.h>

#define PIN_LIVE (UINT64_C(1) << 31)
#define PIN_COUNT (PIN_LIVE - 1)

#define SEGMENT_MAGIC UINT64_C(0x47455352444c0a01) /* "\1\nLDRSEG" */

/* Pages a commit may need beside the values: new copies of the right edge of each tree, the free
 * list, the databases' heads. */
#define SLACK_PAGES 32

/* What `h` holds under 0. */
struct identity {
    uint64_t magic;
    uint8_t uuid[16];
    uint32_t id;
    uint32_t zero;
};

static uint64_t pin_state(uint32_t id, uint64_t rest)
{
    return (uint64_t)id << 32 | rest;
}

/* ---- names ---- */

void segment_path(const struct segment_home *home, uint32_t id, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/seg-%08x.mdb", home->dir, id);
}

void segment_unlink(const struct segment_home *home, uint32_t id)
{
    char path[PATH_MAX];

    segment_path(home, id, path);
    unlink(path);
    snprintf(path, PATH_MAX, "%s/seg-%08x.mdb-lock", home->dir, id);
    unlink(path);
}

/* ---- bitmaps: untouched parts cost no memory, they are zero pages ---- */

static void bitmap_init(struct bitmap *map, uint64_t bits)
{
    map->bits = (size_t)bits / 64 * 64;
    map->words = xcalloc(map->bits / 64, sizeof(*map->words));
}

static bool bitmap_has(const struct bitmap *map, size_t bit)
{
    return bit < map->bits &&
           (atomic_load_explicit(&map->words[bit / 64], memory_order_relaxed) >> bit % 64 & 1);
}

static void bitmap_set(struct bitmap *map, size_t bit)
{
    if (bit < map->bits) {
        atomic_fetch_or_explicit(&map->words[bit / 64], UINT64_C(1) << bit % 64,
                                 memory_order_relaxed);
    }
}

static void bitmap_fini(struct bitmap *map)
{
    free(map->words);
    *map = (struct bitmap){0};
}

/* ---- pins ---- */

bool segment_pin(struct segment *segment, uint32_t id, bool retired)
{
    uint64_t state = atomic_load_explicit(&segment->pin.state, memory_order_relaxed);

    do {
        bool open = state & PIN_LIVE || (retired && state & PIN_COUNT);
        if (state >> 32 != id || !open) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&segment->pin.state, &state, state + 1,
                                                    memory_order_seq_cst, memory_order_relaxed));
    return true;
}

bool segment_unpin(struct segment *segment)
{
    uint64_t before = atomic_fetch_sub_explicit(&segment->pin.state, 1, memory_order_release);

    CHECK(before & PIN_COUNT);
    return !(before & PIN_LIVE) && (before & PIN_COUNT) == 1;
}

bool segment_is_live(const struct segment *segment, uint32_t id)
{
    uint64_t state = atomic_load_explicit(&segment->pin.state, memory_order_acquire);

    return state >> 32 == id && (state & PIN_LIVE);
}

bool segment_is_idle(const struct segment *segment)
{
    uint64_t state = atomic_load_explicit(&segment->pin.state, memory_order_acquire);

    return state != 0 && (state & (PIN_LIVE | PIN_COUNT)) == 0;
}

uint32_t segment_pins(const struct segment *segment, bool *live, uint32_t *pins)
{
    uint64_t state = atomic_load_explicit(&segment->pin.state, memory_order_acquire);

    *live = state & PIN_LIVE;
    *pins = (uint32_t)(state & PIN_COUNT);
    return (uint32_t)(state >> 32);
}

bool segment_retire(struct segment *segment)
{
    return atomic_fetch_and_explicit(&segment->pin.state, ~PIN_LIVE, memory_order_acq_rel) &
           PIN_LIVE;
}

/* ---- opening ---- */

static int judge_identity(const struct segment *segment, struct span value)
{
    struct identity is;

    if (value.len != sizeof(is)) {
        return ERR_CORRUPT;
    }
    memcpy(&is, value.at, sizeof(is));
    bool own = is.magic == SEGMENT_MAGIC && is.id == segment->id &&
               memcmp(is.uuid, segment->home->uuid, sizeof(is.uuid)) == 0;
    return own ? 0 : ERR_CORRUPT;
}

static int check_identity(struct segment *segment, MDB_txn *txn, MDB_dbi db)
{
    uint32_t number = 0;
    MDB_val key = env_val(&number, sizeof(number));
    MDB_val val;
    int err = env_get(&segment->env, txn, db, &key, &val);

    if (err) {
        return err;
    }
    env_locate(&segment->env, &val);
    return judge_identity(segment, span_of(val.mv_data, val.mv_size));
}

static int write_identity(struct segment *segment, MDB_txn *txn, MDB_dbi db)
{
    struct identity is = {.magic = SEGMENT_MAGIC, .id = segment->id};
    uint32_t number = 0;
    MDB_val key = env_val(&number, sizeof(number));
    MDB_val val = env_val(&is, sizeof(is));

    memcpy(is.uuid, segment->home->uuid, sizeof(is.uuid));
    return env_error(mdb_put(txn, db, &key, &val, 0));
}

static int open_databases(struct segment *segment, MDB_txn *txn, bool create)
{
    unsigned flags = MDB_INTEGERKEY | (create ? MDB_CREATE : 0);
    MDB_dbi identity;
    int err = env_open_database(txn, "h", flags, &identity);

    if (!err) {
        err = env_open_database(txn, "o", flags, &segment->objects);
    }
    if (!err) {
        err = env_open_database(txn, "b", flags, &segment->chunks);
    }
    if (!err) {
        err = env_open_database(txn, "c", flags, &segment->owners);
    }
    if (!err) {
        err = create ? write_identity(segment, txn, identity)
                     : check_identity(segment, txn, identity);
    }
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

static int in_first_transaction(struct segment *segment, bool create)
{
    MDB_txn *txn;
    int err = env_error(mdb_txn_begin(segment->env.lmdb, NULL, create ? 0 : MDB_RDONLY, &txn));

    if (err) {
        return err;
    }
    err = open_databases(segment, txn, create);
    if (err) {
        mdb_txn_abort(txn);
        return err;
    }
    return env_error(mdb_txn_commit(txn));
}

/* Blocks set aside now cannot be missing in the middle of a batch. Without support we go on. */
static int preallocate(struct segment *segment)
{
    if (fallocate(segment->env.fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)segment->capacity) != 0 &&
        (errno == ENOSPC || errno == EDQUOT)) {
        return -errno;
    }
    return 0;
}

struct opening {
    struct segment *segment;
    bool create;
};

static int open_to_write(struct segment *segment, const char *path, bool create)
{
    int err = env_open(&segment->env, path, segment->capacity, 0);

    if (err) {
        return err;
    }
    err = create ? preallocate(segment) : 0;
    if (!err && create) {
        err = in_first_transaction(segment, true);
    }
    return err ? err : in_first_transaction(segment, false);
}

static int open_to_read(struct segment *segment, const char *path)
{
    static const struct walk_tree tree = {0, {"h", 1}, true};
    uint32_t number = 0;
    struct walk_value value;
    struct walk walk;
    int err = env_view(&segment->env, path);

    if (err) {
        return err;
    }
    walk_init(&walk, &segment->env, WALK_READ);
    err = walk_get(&walk, &tree, WALK_LAST, span_of(&number, sizeof(number)), &value);
    if (!err) {
        err = value.at ? judge_identity(segment, span_of(value.at, value.len)) : ERR_CORRUPT;
    }
    walk_fini(&walk);
    memset(segment->env.roots, 0, sizeof(segment->env.roots)); /* they are for other trees */
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

/* May be left by a jump. */
static int call_open(void *arg)
{
    struct segment *segment = ((struct opening *)arg)->segment;
    char path[PATH_MAX];

    segment_path(segment->home, segment->id, path);
    int err = segment->writable ? open_to_write(segment, path, ((struct opening *)arg)->create)
                                : open_to_read(segment, path);
    if (err) {
        env_close(&segment->env);
    }
    return err;
}

/* What cannot be read while it is opened is no segment of ours: ERR_CORRUPT. */
static int open_file(struct segment *segment, bool create)
{
    struct opening opening = {segment, create};
    int err = guard_lookup(call_open, &opening, SPAN_EMPTY);

    if (err && segment->env.lmdb) { /* left by a jump */
        guard_bury(segment->env.lmdb);
        segment->env = (struct env){0};
    }
    if (err) {
        env_close(&segment->env);
    }
    return err == -EIO ? ERR_CORRUPT : err;
}

static void segment_init(struct segment *segment, const struct segment_home *home,
                         const struct segment_spec *spec, bool writable)
{
    CHECK(atomic_load(&segment->pin.state) == 0);
    segment->id = spec->id;
    segment->log = spec->log;
    segment->capacity = spec->capacity;
    segment->created = spec->created;
    segment->home = home;
    segment->writable = writable;
    segment->listed = segment->counted = segment->uses_loaded = false;
    segment->next_object = segment->committed_objects = 1;
    segment->next_chunk = segment->committed_chunks = 1;
    segment->env = (struct env){0};
    atomic_store(&segment->opened, false);
    atomic_store(&segment->sealed, !writable);
    pthread_mutex_init(&segment->opening, NULL);
    /* No record is shorter than 70 bytes with its node, no chunk than half a page. */
    ledger_init(&segment->ledger, spec->capacity / 64);
    bitmap_init(&segment->verified_chunks, spec->capacity / 2048);
    bitmap_init(&segment->bad_chunks, spec->capacity / 2048);
}

static void segment_fini(struct segment *segment)
{
    env_close(&segment->env);
    pthread_mutex_destroy(&segment->opening);
    ledger_fini(&segment->ledger);
    bitmap_fini(&segment->verified_chunks);
    bitmap_fini(&segment->bad_chunks);
}

int segment_create(struct segment *segment, const struct segment_home *home,
                   const struct segment_spec *spec)
{
    segment_init(segment, home, spec, true);
    int err = open_file(segment, true);
    if (err) {
        segment_unlink(home, spec->id);
        segment_fini(segment);
        return err;
    }
    segment->counted = segment->uses_loaded = true;
    atomic_store(&segment->opened, true);
    atomic_store(&segment->pin.state, pin_state(spec->id, PIN_LIVE));
    return 0;
}

void segment_adopt(struct segment *segment, const struct segment_home *home,
                   const struct segment_spec *spec, bool writable)
{
    segment_init(segment, home, spec, writable);
    segment->listed = true;
    atomic_store(&segment->pin.state, pin_state(spec->id, PIN_LIVE));
}

int segment_count(struct segment *segment)
{
    char path[PATH_MAX];

    if (segment->counted) {
        return 0;
    }
    segment_path(segment->home, segment->id, path);
    int err = sound_check(path);
    if (!err) {
        err = lookup_next(segment, &segment->next_object, &segment->next_chunk);
    }
    segment->committed_objects = segment->next_object;
    segment->committed_chunks = segment->next_chunk;
    segment->counted = !err;
    return err;
}

int segment_resume(struct segment *segment)
{
    CHECK(segment->writable);
    return segment_count(segment);
}

void segment_seal(struct segment *segment)
{
    CHECK(segment->txn == NULL);
    atomic_store_explicit(&segment->sealed, true, memory_order_release);
}

/* Who pins it from now on finds it closed and waits; who was there before is counted. */
static bool is_left_by_all(struct segment *segment)
{
    atomic_store(&segment->opened, false);
    if ((atomic_load(&segment->pin.state) & PIN_COUNT) == 0) {
        return true;
    }
    atomic_store(&segment->opened, true);
    return false;
}

void segment_shed(struct segment *segment)
{
    uint64_t state = atomic_load(&segment->pin.state);
    struct env view;

    if (!(state & PIN_LIVE) || state & PIN_COUNT || !segment->writable ||
        !atomic_load(&segment->sealed) || !atomic_load(&segment->opened)) {
        return;
    }
    if (env_view_of(&view, &segment->env) != 0) {
        return; /* no descriptor left: it stays as it is */
    }
    pthread_mutex_lock(&segment->opening);
    if (is_left_by_all(segment)) {
        env_close(&segment->env);
        memcpy(&segment->env, &view, sizeof(view));
        segment->writable = false;
        atomic_store(&segment->opened, true);
    } else {
        env_close(&view);
    }
    pthread_mutex_unlock(&segment->opening);
}

int segment_ready(struct segment *segment)
{
    int err = 0;

    if (!atomic_load(&segment->opened)) {
        pthread_mutex_lock(&segment->opening);
        if (!atomic_load(&segment->opened)) {
            err = open_file(segment, false);
            atomic_store(&segment->opened, !err);
        }
        pthread_mutex_unlock(&segment->opening);
    }
    return err;
}

void segment_close(struct segment *segment)
{
    CHECK((atomic_load(&segment->pin.state) & PIN_COUNT) == 0);
    segment_abort(segment);
    segment_fini(segment);
    atomic_store_explicit(&segment->pin.state, 0, memory_order_release);
}

/* ---- reading ---- */

struct file_place segment_place(const struct segment *segment, struct span lent)
{
    struct file_place place = env_place(&segment->env, lent.at);

    CHECK(place.offset <= segment->capacity && lent.len <= segment->capacity - place.offset);
    return place;
}

void segment_condemn_chunk(struct segment *segment, uint32_t number)
{
    bitmap_set(&segment->bad_chunks, number);
}

int segment_judge(struct segment *segment, const struct store_chunk *chunk, struct span bytes,
                  bool again)
{
    if (!again && bitmap_has(&segment->verified_chunks, chunk->number)) {
        return 0;
    }
    int err = guard_touch(bytes);
    if (!err && XXH3_64bits(bytes.at, bytes.len) != chunk->sum) {
        err = ERR_CORRUPT;
    }
    if (err) {
        segment_condemn_chunk(segment, chunk->number);
        return err;
    }
    bitmap_set(&segment->verified_chunks, chunk->number);
    return 0;
}

bool segment_chunk_is_bad(const struct segment *segment, uint32_t number)
{
    return bitmap_has(&segment->bad_chunks, number);
}

/* ---- writing ---- */

/* What a value takes: pages of its own, and bytes in the leaves of the tree. */
static void account(const size_t page_size, size_t size, uint64_t *pages, uint64_t *leaf_bytes)
{
    if (size < page_size / 2 - 32) {
        *leaf_bytes += size + 16;
    } else {
        *pages += (size + 16 + page_size - 1) / page_size;
        *leaf_bytes += 24;
    }
}

/* A leaf may stay a third empty when the next record does not fit. */
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

int segment_write_begin(struct segment *segment)
{
    if (segment->txn) {
        return 0;
    }
    int err = mdb_txn_begin(segment->env.lmdb, NULL, 0, &segment->txn);
    if (err) {
        segment->txn = NULL;
        return err == MDB_PANIC ? ERR_FULL : env_error(err);
    }
    segment->base_pages = env_pages(&segment->env);
    segment->overflow_pages = 0;
    segment->leaf_bytes = 0;
    return 0;
}

static int append(struct segment *segment, MDB_dbi db, uint32_t *next, size_t size, void **at,
                  uint32_t *number)
{
    MDB_val key = env_val(next, sizeof(*next));
    MDB_val val = {size, NULL};
    int err = env_error(mdb_put(segment->txn, db, &key, &val, MDB_APPEND | MDB_RESERVE));

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
    int err = env_error(mdb_put(segment->txn, segment->owners, &key, &val, MDB_APPEND));

    account(segment->env.page_size, STORE_HASH, &segment->overflow_pages, &segment->leaf_bytes);
    return err;
}

int segment_add_chunk(struct segment *segment, const uint8_t owner[STORE_HASH], size_t size,
                      void **at, uint32_t *number)
{
    size_t floor = segment->env.page_size / 2; /* so that it can be lent */
    size_t padded = size < floor ? floor : size;
    int err = add_owner(segment, segment->next_chunk, owner);

    if (!err) { /* last: what is reserved must be filled before anything else is put */
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
    int err = env_error(mdb_get(segment->txn, segment->objects, &key, &val));

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
    int err = env_error(mdb_txn_commit(segment->txn));
    segment->txn = NULL;
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
        segment->next_object = segment->committed_objects;
        segment->next_chunk = segment->committed_chunks;
    }
}
