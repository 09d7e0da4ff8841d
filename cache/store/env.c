#include "cache/store/env.h"

#include "base/err.h"
#include "base/guard.h"
#include "base/lmdb_file.h"
#include "base/lmdb_page.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENV_FLAGS (MDB_NOSUBDIR | MDB_NOTLS | MDB_NORDAHEAD)
#define ENV_MODE 0640
#define ENV_DATABASES 8

int env_check_version(void)
{
    int major, minor, patch;

    mdb_version(&major, &minor, &patch);
    return major == 0 && minor == 9 ? 0 : ERR_UNSUPPORTED;
}

unsigned env_lane(void)
{
    static atomic_uint threads;
    static _Thread_local unsigned number;

    if (number == 0) {
        number = 1 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed);
    }
    return number % ENV_LANES;
}

int env_error(int result)
{
    return result == MDB_PANIC ? ERR_IO : lmdb_file_error(result);
}

/* A lookup in a damaged page follows 16-bit offsets and lengths this far behind it. */
#define STRAY_BYTES (128u << 10)

/* Extends a file that has lost its end, as reading there would raise SIGBUS. Holes read as zeros,
 * which checksums (and LMDB, for its pages) detect. */
static int mend_length(const struct env *env, const char *path)
{
    MDB_envinfo info;
    struct stat file;
    int err = env_error(mdb_env_info(env->lmdb, &info));

    if (err) {
        return err;
    }
    if (fstat(env->fd, &file) != 0) {
        return -errno;
    }
    uint64_t need = (info.me_last_pgno + 1) * env->page_size + STRAY_BYTES;
    need = need < info.me_mapsize ? need : info.me_mapsize;
    return (uint64_t)file.st_size >= need || truncate(path, (off_t)need) == 0 ? 0 : -errno;
}

/* ---- damaged trees ---- */

/* Called by LMDB before abort(). A lookup holds nothing that has to be freed, so it is left by a
 * jump. A guarded writer is left, too, and gives up its store and the file for good. */
static void on_impossible(MDB_env *lmdb, const char *message)
{
    const char *path = NULL;

    if (guard_kind() == GUARD_LOOKUP) {
        guard_leave();
    }
    mdb_env_get_path(lmdb, &path);
    log_error("store_damaged", "file=%s what=%s next=%s", path ? path : "", message, "removed");
    if (path) {
        unlink(path);
    }
    guard_leave();
}

struct span env_range(const struct env *env)
{
    return env->map ? span_of(env->map, env->map_size) : SPAN_EMPTY;
}

/* The range for LMDB's own reads. */
static struct span lmdb_range(const struct env *env)
{
    return env->is_mapped ? SPAN_EMPTY : env_range(env);
}

/* Undoes MDB_NORDAHEAD, which is MADV_RANDOM. Since Linux 6.3 that also makes the kernel ignore
 * uses through the mapping when it chooses pages to evict: branch pages of the trees, which every
 * lookup uses, left memory as early as pages used once. Without it the kernel reads around misses,
 * but stops that by itself where they are frequent. */
static void let_use_count(const struct env *env)
{
    void *map;

    memcpy(&map, &env->map, sizeof(map)); /* madvise() takes no const, but does not write */
    madvise(map, env->map_size, MADV_NORMAL);
}

/* Locks the two meta pages, where every transaction begins, as event loops must not wait for the
 * disk when memory is short. Not possible if RLIMIT_MEMLOCK is 0. */
static void keep_in_memory(const struct env *env)
{
    mlock(env->map, 2 * env->page_size);
}

void env_locate(struct env *env, const MDB_val *val)
{
    /* each page begins with its own number */
    uintptr_t page = (uintptr_t)val->mv_data & ~(uintptr_t)(env->page_size - 1);
    size_t number;

    memcpy(&number, (const char *)val->mv_data - ((uintptr_t)val->mv_data - page), sizeof(number));
    env->map =
        (const char *)val->mv_data - ((uintptr_t)val->mv_data - page) - number * env->page_size;
    let_use_count(env);
    keep_in_memory(env);
}

struct file_place env_place(const struct env *env, const char *at)
{
    return (struct file_place){env->fd, (uintptr_t)at - (uintptr_t)env->map};
}

static uint64_t last_page(const struct env *env)
{
    MDB_envinfo info;

    return mdb_env_info(env->lmdb, &info) == 0 ? info.me_last_pgno + 1 : 0;
}

static bool is_inside(const struct env *env, const MDB_val *val)
{
    uint64_t size = last_page(env) * env->page_size;
    uintptr_t offset = (uintptr_t)val->mv_data - (uintptr_t)env->map;

    return offset <= size && val->mv_size <= size - offset;
}

struct opening {
    MDB_txn *txn;
    const char *name;
    unsigned flags;
    MDB_dbi *db;
};

static int call_open(void *arg)
{
    struct opening *opening = arg;

    return env_error(mdb_dbi_open(opening->txn, opening->name, opening->flags, opening->db));
}

int env_open_database(MDB_txn *txn, const char *name, unsigned flags, MDB_dbi *db)
{
    struct opening opening = {txn, name, flags, db};

    return guard_lookup(call_open, &opening, SPAN_EMPTY);
}

struct getting {
    const struct env *env;
    MDB_txn *txn;
    MDB_dbi db;
    MDB_val *key, *val;
};

static int call_get(void *arg)
{
    struct getting *get = arg;
    int err = env_error(mdb_get(get->txn, get->db, get->key, get->val));

    return !err && get->env->map && !is_inside(get->env, get->val) ? ERR_CORRUPT : err;
}

int env_lookup(const struct env *env, int (*call)(void *arg), void *arg)
{
    return guard_lookup(call, arg, env_range(env));
}

int env_get(const struct env *env, MDB_txn *txn, MDB_dbi db, MDB_val *key, MDB_val *val)
{
    struct getting get = {env, txn, db, key, val};

    return guard_lookup(call_get, &get, env_range(env));
}

static int open_lmdb(struct env *env, const char *path, uint64_t map_size, unsigned flags)
{
    MDB_stat stat;
    int err = mdb_env_set_mapsize(env->lmdb, map_size);

    if (!err) {
        err = mdb_env_set_maxdbs(env->lmdb, ENV_DATABASES);
    }
    if (!err) {
        err = mdb_env_set_maxreaders(env->lmdb, ENV_READERS);
    }
    if (!err) {
        err = mdb_env_set_assert(env->lmdb, on_impossible);
    }
    if (!err && !(flags & MDB_NOLOCK)) {
        err = readers_file_make(path, ENV_READERS, ENV_MODE, &env->readers);
    }
    if (!err) {
        err = mdb_env_open(env->lmdb, path, ENV_FLAGS | flags, ENV_MODE);
    }
    if (!err) {
        err = mdb_env_stat(env->lmdb, &stat);
    }
    if (!err) {
        err = mdb_env_get_fd(env->lmdb, &env->fd);
    }
    if (err) {
        return env_error(err);
    }
    env->page_size = stat.ms_psize;
    return mend_length(env, path);
}

int env_open(struct env *env, const char *path, uint64_t map_size, unsigned flags)
{
    *env = (struct env){.map_size = map_size};
    int err = env_error(mdb_env_create(&env->lmdb));

    if (err) {
        return err;
    }
    err = open_lmdb(env, path, map_size, flags);
    if (err) {
        mdb_env_close(env->lmdb);
        env->lmdb = NULL;
        readers_file_release(&env->readers);
    }
    return err;
}

/* Maps a file for walking. 0 or -errno. */
static int map_file(int fd, size_t size, const char **out)
{
    char *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

    if (map == MAP_FAILED) {
        return -errno;
    }
    *out = map;
    return 0;
}

static int view_file(struct env *env)
{
    struct stat file;
    struct meta meta;

    if (fstat(env->fd, &file) != 0) {
        return -errno;
    }
    ssize_t n = pread(env->fd, &meta, sizeof(meta), sizeof(struct page));
    if (n != (ssize_t)sizeof(meta)) {
        return n < 0 ? -errno : ERR_CORRUPT;
    }
    env->page_size = meta.free.pad;
    if (meta.magic != META_MAGIC || env->page_size != (size_t)sysconf(_SC_PAGESIZE)) {
        return ERR_CORRUPT;
    }
    env->map_size = (uint64_t)file.st_size / env->page_size * env->page_size;
    if (env->map_size < 2 * env->page_size) {
        return ERR_CORRUPT;
    }
    return map_file(env->fd, env->map_size, &env->map);
}

int env_view(struct env *env, const char *path)
{
    *env = (struct env){.fd = open(path, O_RDONLY | O_CLOEXEC), .is_view = true};
    if (env->fd < 0) {
        return -errno;
    }
    int err = view_file(env);
    if (err) {
        close(env->fd);
        *env = (struct env){0};
    }
    return err;
}

/* ---- a map of our own ---- */

int env_map(struct env *env, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return -errno;
    }
    int err = map_file(fd, env->map_size, &env->map);
    if (err) {
        close(fd);
        return err;
    }
    env->fd = fd;
    env->is_mapped = true;
    return 0;
}

static void unmap(struct env *env)
{
    void *map;

    memcpy(&map, &env->map, sizeof(map)); /* munmap() does not write */
    munmap(map, env->map_size);
    close(env->fd);
    *env = (struct env){0};
}

void env_leave(struct env *env)
{
    for (unsigned i = 0; i < ENV_LANES; i++) {
        MDB_txn *txn = atomic_exchange(&env->lanes[i].txn, NULL);
        if (txn) {
            mdb_txn_abort(txn);
        }
    }
    if (env->lmdb) {
        mdb_env_close(env->lmdb);
        env->lmdb = NULL;
    }
    readers_file_release(&env->readers);
}

void env_close(struct env *env)
{
    env_leave(env);
    if (env->is_view || env->is_mapped) {
        unmap(env);
    }
}

static int begin_error(int result)
{
    return result == MDB_PANIC ? ERR_CLOSED : env_error(result);
}

static int call_renew(void *arg)
{
    return begin_error(mdb_txn_renew(arg));
}

struct beginning {
    MDB_env *lmdb;
    MDB_txn **txn;
};

static int call_begin(void *arg)
{
    struct beginning *begin = arg;

    return begin_error(mdb_txn_begin(begin->lmdb, NULL, MDB_RDONLY, begin->txn));
}

int env_read_begin(struct env *env, MDB_txn **txn)
{
    unsigned lane = env_lane();

    for (unsigned i = 0; i < ENV_LANES; i++) {
        struct env_lane *resting = &env->lanes[(lane + i) % ENV_LANES];
        *txn = atomic_exchange_explicit(&resting->txn, NULL, memory_order_acquire);
        if (*txn) {
            int err = guard_lookup(call_renew, *txn, lmdb_range(env));
            if (err) {
                mdb_txn_abort(*txn);
            }
            return err;
        }
    }
    /* a jump out of LMDB would lose a transaction and a reader slot, so the pages are touched
     * before */
    int err = env->map ? guard_touch(span_of(env->map, 2 * env->page_size)) : 0;
    struct beginning begin = {env->lmdb, txn};
    return err ? err : guard_lookup(call_begin, &begin, lmdb_range(env));
}

void env_read_end(struct env *env, MDB_txn *txn)
{
    unsigned lane = env_lane();

    mdb_txn_reset(txn);
    for (unsigned i = 0; i < ENV_LANES; i++) {
        struct env_lane *resting = &env->lanes[(lane + i) % ENV_LANES];
        MDB_txn *none = NULL;
        if (atomic_compare_exchange_strong_explicit(&resting->txn, &none, txn, memory_order_release,
                                                    memory_order_relaxed)) {
            return;
        }
    }
    mdb_txn_abort(txn);
}

bool env_is_given_up(const struct env *env)
{
    MDB_txn *txn;
    int err = mdb_txn_begin(env->lmdb, NULL, MDB_RDONLY, &txn);

    if (err == 0) {
        mdb_txn_abort(txn);
    }
    return err == MDB_PANIC;
}

struct counting {
    const struct env *env;
    uint64_t commits, pages;
};

/* Reads both meta pages in a mapping of our own; the newer one counts. */
static void count_in_map(struct counting *count)
{
    for (unsigned i = 0; i < 2; i++) {
        struct meta meta;
        memcpy(&meta, count->env->map + i * count->env->page_size + sizeof(struct page),
               sizeof(meta));
        if (meta.magic == META_MAGIC && meta.transaction >= count->commits) {
            count->commits = meta.transaction;
            count->pages = meta.last_page + 1;
        }
    }
}

static int call_count(void *arg)
{
    struct counting *count = arg;
    MDB_envinfo info;

    if (count->env->is_view || count->env->is_mapped) {
        count_in_map(count);
    } else if (mdb_env_info(count->env->lmdb, &info) == 0) {
        count->commits = info.me_last_txnid;
        count->pages = info.me_last_pgno + 1;
    }
    return 0;
}

uint64_t env_commits(const struct env *env)
{
    struct counting count = {.env = env};

    guard_lookup(call_count, &count, env_range(env));
    return count.commits;
}

uint64_t env_pages(const struct env *env)
{
    struct counting count = {.env = env};

    guard_lookup(call_count, &count, env_range(env));
    return count.pages;
}
