/*
 * statedb - what a redirector must not forget, in one small LMDB file: tables of keys and values.
 * Knows nothing of what they mean.
 *
 * One process at a time has it open. After statedb_open() it belongs to one thread, which may wait
 * for the disk.
 *
 * Nothing of the file is trusted: its structure is looked at before LMDB is (cache/store/sound.h),
 * every value has a checksum, and pages that cannot be read while it is in use are an error of
 * statedb_work(), and no signal.
 */
#ifndef LARDER_DNSREDIR_STATE_STATEDB_H
#define LARDER_DNSREDIR_STATE_STATEDB_H

#include "base/span.h"

#define STATEDB_FILE "larder-dns.mdb"

enum statedb_table {
    STATEDB_BOUND,   /* name → its records, see bound.h */
    STATEDB_SERIALS, /* apex of a zone → the serial of its SOA, 4 bytes */
    STATEDB_SIGNED,  /* name of a key → what was signed last with it, see replay.h */
    STATEDB_DRAINED, /* name of a replica → nothing */
    STATEDB_TABLES
};

struct statedb;

/* Opens or creates the file in the folder `dir`, which is made if need be. ERR_BUSY: another
 * process has it, or this one gave it up; ERR_CORRUPT: it is damaged, and was not touched; -errno,
 * ERR_IO. */
int statedb_open(const char *dir, struct statedb **out);
void statedb_close(struct statedb **db); /* accepts NULL; sets *db to NULL */

/* call(arg), and its result. All that follows is only called in there. If a page cannot be read, or
 * LMDB finds it impossible, the call is left where it is, what it holds is lost, and so is the
 * file: -EIO or ERR_CORRUPT, and *db is NULL. */
int statedb_work(struct statedb **db, int (*call)(void *arg), void *arg);

/* A transaction; one at a time. What is not committed has not been. 0 or an error; ERR_CLOSED: a
 * commit failed so that nothing can be done but to close it and open it again. */
int statedb_begin(struct statedb *db);
int statedb_commit(struct statedb *db); /* the disk has it then */
void statedb_abort(struct statedb *db);
/* A part of the transaction that can be undone by itself. */
int statedb_part_begin(struct statedb *db);
int statedb_part_end(struct statedb *db, bool keep);

/* Inside a transaction. *value is valid until the next put. ERR_NOT_FOUND; ERR_CORRUPT: it is not
 * what was put. */
int statedb_get(struct statedb *db, enum statedb_table table, struct span key, struct span *value);
int statedb_put(struct statedb *db, enum statedb_table table, struct span key, struct span value);
int statedb_drop(struct statedb *db, enum statedb_table table, struct span key); /* or ERR_NOT_FOUND
                                                                                  */
size_t statedb_count(struct statedb *db, enum statedb_table table);
/* Every entry, in order of the keys, but those that are damaged: then ERR_CORRUPT. */
int statedb_each(struct statedb *db, enum statedb_table table,
                 void (*visit)(void *arg, struct span key, struct span value), void *arg);

#endif
