/*
 * env - what index and segments have in common: opening an LMDB environment, its error codes, and
 * read transactions that are reused. Reads are thread-safe and short: begin, get, end. A
 * transaction belongs to the caller until env_read_end(). It must not outlive the call that began
 * it, or LMDB could not reuse pages.
 */
#ifndef LARDER_CACHE_STORE_ENV_H
#define LARDER_CACHE_STORE_ENV_H

#include "base/file_place.h"
#include "base/span.h"
#include "cache/store/readers_file.h"

#include <lmdb.h>

#define ENV_LANES 8
#define ENV_READERS 254 /* threads that read one environment at the same moment */

/* Idle read transactions, one cache line for each: each thread uses its own. */
struct env_lane {
    _Atomic(MDB_txn *) txn;
    char pad[64 - sizeof(void *)];
};

/* The root of a tree, as left by a commit: cached, since each lookup needs it. */
struct env_root {
    _Atomic uint32_t turn; /* odd while it is being changed */
    _Atomic uint64_t commit, page;
    _Atomic uint32_t depth;
};
#define ENV_ROOTS 3

struct env {
    MDB_env *lmdb;
    struct readers_file readers;
    bool is_view;   /* opened without LMDB */
    bool is_mapped; /* LMDB may be left: `map` and `fd` are from env_map() */
    size_t page_size;
    size_t map_size;
    int fd;                           /* LMDB's unless is_view or is_mapped */
    const char *map;                  /* the mapping of the file; NULL until env_locate() */
    struct env_root roots[ENV_ROOTS]; /* used by walk.c */
    _Atomic uint64_t file_pages;      /* used by walk.c: the file has at least so many */
    struct env_lane lanes[ENV_LANES];
};

/* Returns 0, or ERR_UNSUPPORTED: the layout relies on undocumented properties of LMDB 0.9. */
int env_check_version(void);

/* Index of the calling thread's lane, below ENV_LANES. */
unsigned env_lane(void);

/* Translates an LMDB result: 0, ERR_NOT_FOUND, ERR_FULL, ERR_CORRUPT, -errno or ERR_IO. */
int env_error(int result);

/* Opens or creates the file at `path`; `flags` are added to the usual ones. *env is initialised
 * completely, and needs no env_close() after an error. */
int env_open(struct env *env, const char *path, uint64_t map_size, unsigned flags);
/* The same only for walking (walk.h), without LMDB; nothing is written. The file must not change
 * meanwhile. Returns 0, ERR_CORRUPT, or -errno. */
int env_view(struct env *env, const char *path);
/* No transaction may be in use. Accepts a zeroed env. */
void env_close(struct env *env);

/* Maps the file a second time for walking, so that LMDB can be left. From then on only transactions
 * need LMDB. Returns 0 or -errno. */
int env_map(struct env *env, const char *path);
/* Frees what LMDB holds: descriptors, its mapping, and, of a writer, lists of 3 MiB and the pages
 * of its largest transaction. Walks in the mapping of env_map() go on. No transaction may be open,
 * or begin later. May be called again. */
void env_leave(struct env *env);

/* Returns 0, -EIO, ERR_CLOSED, or an LMDB error. ERR_CLOSED: LMDB has given up the file, because a
 * root could not be written; nobody writes to it any more. */
int env_read_begin(struct env *env, MDB_txn **txn);
void env_read_end(struct env *env, MDB_txn *txn);

/* The bytes that a guard for a walk in it must cover. */
struct span env_range(const struct env *env);

/* Finds the mapping from a value that `txn` (read-only) has read, and keeps its first two pages in
 * memory if possible. */
void env_locate(struct env *env, const MDB_val *val);

/* mdb_dbi_open() in a read transaction. ERR_CORRUPT: the tree is damaged. */
int env_open_database(MDB_txn *txn, const char *name, unsigned flags, MDB_dbi *db);

/* mdb_get(), but safe for damaged files and disks. ERR_CORRUPT: LMDB would have aborted, or a
 * length leads out of the file. -EIO: the disk could not be read. */
int env_get(const struct env *env, MDB_txn *txn, MDB_dbi db, MDB_val *key, MDB_val *val);

/* Returns call(arg), which uses LMDB; or ERR_CORRUPT where LMDB would abort, or -EIO where the
 * disk cannot be read. Then the call was left by a jump: whatever it holds must be known to the
 * caller. */
int env_lookup(const struct env *env, int (*call)(void *arg), void *arg);

/* The place in the file of a byte of the mapping. After env_locate(). */
struct file_place env_place(const struct env *env, const char *at);

/* Has LMDB given up the environment, because a commit could not write its root? Then it cannot even
 * be read. Only for the writer's thread. */
bool env_is_given_up(const struct env *env);

/* How many transactions have written to the file. */
uint64_t env_commits(const struct env *env);

/* Pages used by the last commit, including free ones; 0: unknown. */
uint64_t env_pages(const struct env *env);

static inline MDB_val env_val(const void *at, size_t len)
{
    MDB_val val = {len, NULL};

    memcpy(&val.mv_data, &at, sizeof(at)); /* not const, but LMDB never writes there */
    return val;
}

#endif
