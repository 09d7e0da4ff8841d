/* segment_file - the files of segments: creating, opening, recognising, removing. */
#include "cache/store/segment_parts.h"

#include "base/err.h"
#include "base/guard.h"
#include "base/lmdb_sound.h"
#include "cache/store/lookup.h"
#include "cache/store/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENT_MAGIC UINT64_C(0x47455352444c0a01) /* "\1\nLDRSEG" */

/* The value of `h` under 0. */
struct identity {
    uint64_t magic;
    uint8_t uuid[16];
    uint32_t id;
    uint32_t zero;
};

/* ---- names ---- */

void segment_path(const struct segment_home *home, uint32_t id, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/seg-%08x.mdb", home->dir, id);
}

/* To the letter: a name that only begins like this is somebody else's. */
static bool is_name(const char *name, const char *suffix, uint32_t *id)
{
    char own[32];

    if (sscanf(name, "seg-%8x", id) != 1) {
        return false;
    }
    snprintf(own, sizeof(own), "seg-%08x%s", *id, suffix);
    return strcmp(name, own) == 0;
}

bool segment_is_name(const char *name, uint32_t *id)
{
    return is_name(name, ".mdb", id);
}

bool segment_is_lock_name(const char *name, uint32_t *id)
{
    return is_name(name, ".mdb-lock", id);
}

void segment_unlink(const struct segment_home *home, uint32_t id)
{
    char path[PATH_MAX];

    segment_path(home, id, path);
    unlink(path);
    snprintf(path, PATH_MAX, "%s/seg-%08x.mdb-lock", home->dir, id);
    unlink(path);
}

/* ---- identity of a file ---- */

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

/* ---- opening ---- */

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

/* Allocates all blocks now, so that a batch cannot run out of room halfway. Not supported by all
 * file systems, which is no error. */
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
    struct stat file;
    int err = 0;

    if (!create) { /* LMDB would create a missing file */
        err = stat(path, &file) != 0 ? -errno : file.st_size == 0 ? ERR_CORRUPT : 0;
    }
    if (!err && !create) { /* LMDB divides by the page size in the file */
        err = lmdb_sound_check_only(path, "h");
    }

    if (!err) {
        err = env_open(&segment->env, path, segment->capacity, 0);
    }
    if (!err && create) {
        err = preallocate(segment);
    }
    if (!err && create) {
        err = in_first_transaction(segment, true);
    }
    if (!err) {
        err = in_first_transaction(segment, false);
    }
    return err ? err : env_map(&segment->env, path);
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
    /* the cached roots are those of other trees than lookups use */
    memset(segment->env.roots, 0, sizeof(segment->env.roots));
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

/* A guard may leave this call by a jump. */
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

int segment_open_file(struct segment *segment, bool create)
{
    struct opening opening = {segment, create};
    int err = guard_lookup(call_open, &opening, SPAN_EMPTY);

    if (err && segment->env.lmdb) { /* it was left by a jump */
        guard_bury(segment->env.lmdb);
        segment->env = (struct env){0};
    }
    if (err) {
        env_close(&segment->env);
    } else {
        segment_watch_start(segment);
    }
    return err == -EIO ? ERR_CORRUPT : err;
}

/* ---- how much is in it ---- */

/* The numbers come from the last keys, which no checksum covers: is there room for so many records
 * and chunks? */
static bool has_room(const struct segment *segment)
{
    return segment->next_object - 1 < segment->ledger.count &&
           segment->next_chunk - 1 < segment->verified_chunks.bits;
}

int segment_count(struct segment *segment)
{
    char path[PATH_MAX];

    if (segment->counted) {
        return 0;
    }
    segment_path(segment->home, segment->id, path);
    int err = lmdb_sound_check(path);
    if (!err) {
        err = lookup_next(segment, &segment->next_object, &segment->next_chunk);
    }
    if (!err && !has_room(segment)) {
        err = ERR_CORRUPT;
    }
    segment->committed_objects = segment->next_object;
    segment->committed_chunks = segment->next_chunk;
    segment->counted = !err;
    return err;
}
