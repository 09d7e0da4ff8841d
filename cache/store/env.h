/*
 * env - what the index and the segments have in common: opening an LMDB environment, its error
 * codes, and read transactions that are reused.
 *
 * Reads are thread-safe and short: begin, get, end. A begun transaction belongs to the caller until
 * env_read_end(); it must not outlive the call that began it, or pages stop being reused.
 */
#ifndef LARDER_CACHE_STORE_ENV_H
#define LARDER_CACHE_STORE_ENV_H

#include "base/file_place.h"
#include "base/span.h"
#include "cache/store/readers_file.h"

#include <lmdb.h>

#define ENV_LANES 8
#define ENV_READERS 254 /* threads that read one environment at the same moment */

/* Resting read transactions, a cache line apart: each thread takes and leaves its own one. */
struct env_lane {
    _Atomic(MDB_txn *) txn;
    char pad[64 - sizeof(void *)];
};

/* Where a tree begins, as a commit left it. Remembered, for it is asked for at each lookup. */
struct env_root {
    _Atomic uint32_t turn; /* odd while it is changed */
    _Atomic uint64_t commit, page;
    _Atomic uint32_t depth;
};
#define ENV_ROOTS 3

struct env {
    MDB_env *lmdb;
    struct readers_file readers;
    bool is_view;   /* LMDB has no part in it */
    bool is_mapped; /* LMDB has, but `map` and `fd` are our own: env_map() */
    size_t page_size;
    size_t map_size;
    int fd;                           /* LMDB's, unless is_view or is_mapped */
    const char *map;                  /* where the file is mapped; NULL until env_locate() */
    struct env_root roots[ENV_ROOTS]; /* walk.c's */
    _Atomic uint64_t file_pages;      /* walk.c's: it has so many, or more by now */
    struct env_lane lanes[ENV_LANES];
};

/* 0, or ERR_UNSUPPORTED: the layout rests on properties of LMDB 0.9 that are not documented. */
int env_check_version(void);

/* The calling thread's lane, 0..ENV_LANES-1. */
unsigned env_lane(void);

/* Our code for a result of LMDB: 0, ERR_NOT_FOUND, ERR_FULL, ERR_CORRUPT, -errno or ERR_IO. */
int env_error(int result);

/* Opens or creates the file at `path`. `flags` are added to those of every environment of ours.
 * *env is filled whole; on failure it needs no env_close(). */
int env_open(struct env *env, const char *path, uint64_t map_size, unsigned flags);
/* The same for who only walks (walk.h): without LMDB and what it sets aside for a writer, and
 * nothing is written. The file is not changed meanwhile. 0, ERR_CORRUPT, or -errno. */
int env_view(struct env *env, const char *path);
/* No transaction may be in use. Harmless on a zeroed env. */
void env_close(struct env *env);

/* Maps the file once more, for who walks, so that LMDB can be left. After that only transactions
 * need LMDB. 0 or -errno. */
int env_map(struct env *env, const char *path);
/* Gives back what LMDB holds: descriptors, its mapping, and for a writer lists of 3 MiB and the
 * small pages of its largest transaction. Who walks goes on in the map of env_map(), meanwhile,
 * too. Nobody may be in a transaction, or begin one again. Harmless when it is done. */
void env_leave(struct env *env);

/* 0, -EIO, ERR_CLOSED, or a code of LMDB. ERR_CLOSED: it has given the file up, as a root could not
 * be written, and neither it nor anybody else writes there any more. */
int env_read_begin(struct env *env, MDB_txn **txn);
void env_read_end(struct env *env, MDB_txn *txn);

/* What a guard for a walk in it is to cover. */
struct span env_range(const struct env *env);

/* Finds out where the file is mapped, from a value that `txn` (reading, not writing) has read, and
 * keeps its first two pages in memory, if it may. */
void env_locate(struct env *env, const MDB_val *val);

/* mdb_dbi_open() in a reading transaction, surviving a damaged tree: ERR_CORRUPT. */
int env_open_database(MDB_txn *txn, const char *name, unsigned flags, MDB_dbi *db);

/* mdb_get() that survives a damaged tree: ERR_CORRUPT where LMDB would stop the process, and when a
 * length leads out of the file; and a disk that cannot be read: -EIO. */
int env_get(const struct env *env, MDB_txn *txn, MDB_dbi db, MDB_val *key, MDB_val *val);

/* call(arg), which looks something up with LMDB, and its result; ERR_CORRUPT where LMDB would stop
 * the process, -EIO where the disk cannot be read. The call is left by a jump then: what it holds
 * must be known to the caller. */
int env_lookup(const struct env *env, int (*call)(void *arg), void *arg);

/* Where a byte of the mapping lies in the file. After env_locate(). */
struct file_place env_place(const struct env *env, const char *at);

/* A commit that could not write its root leaves an environment that LMDB lets nobody use any more,
 * not even to read. The writer's thread. */
bool env_is_given_up(const struct env *env);

/* How many transactions have written to the file. */
uint64_t env_commits(const struct env *env);

/* Pages in use up to the last commit, free ones inside included; 0 when that cannot be read. */
uint64_t env_pages(const struct env *env);

static inline MDB_val env_val(const void *at, size_t len)
{
    MDB_val val = {len, NULL};

    memcpy(&val.mv_data, &at, sizeof(at)); /* mv_data is not const, LMDB never writes there */
    return val;
}

#endif
