/*
 * statedb - what a redirector must not forget, in one small LMDB file: tables of keys and values.
 * It knows nothing of what these mean.
 *
 * Only one process at a time can have the file open. After statedb_open() it belongs to one thread,
 * which may wait for the disk.
 *
 * Nothing in the file is trusted: its structure is checked before LMDB sees it
 * (base/lmdb_sound.h), every value has a checksum, and a page that cannot be read while it is in
 * use is an error of statedb_work() and not a signal.
 */
#ifndef LARDER_DNSREDIR_STATE_STATEDB_H
#define LARDER_DNSREDIR_STATE_STATEDB_H

#include "base/span.h"

#define STATEDB_FILE "larder-dns.mdb"

enum statedb_table {
    STATEDB_DYNAMIC, /* name → its records, see dynamic.h */
    STATEDB_SERIALS, /* apex of a zone → the serial of its SOA, 4 bytes */
    STATEDB_SIGNED,  /* name of a key → what was signed last with it, see replay.h */
    STATEDB_DRAINED, /* name of a replica → nothing */
    STATEDB_TABLES
};

struct statedb;

/* Opens or creates the file in the folder `dir`, which is made if it does not exist. Returns 0;
 * ERR_BUSY: another process has it, or this process had to give it up earlier; ERR_CORRUPT: it is
 * damaged, and was not changed; or -errno or ERR_IO. */
int statedb_open(const char *dir, struct statedb **out);
void statedb_close(struct statedb **db); /* accepts NULL; sets *db to NULL */

/* Runs call(arg) and returns its result. Everything below may only be called from in there. If a
 * page cannot be read, or LMDB finds it impossible, the call is abandoned where it stands
 * (longjmp): memory and locks that it holds are leaked, the file is given up, *db becomes NULL, and
 * -EIO or ERR_CORRUPT is returned. */
int statedb_work(struct statedb **db, int (*call)(void *arg), void *arg);

/* Begins a transaction; only one at a time. Returns 0 or an error. ERR_CLOSED, here and from
 * statedb_commit(): a commit failed in such a way that the file has to be closed and opened again.
 */
int statedb_begin(struct statedb *db);
/* Commits; the changes are on the disk when it returns 0. */
int statedb_commit(struct statedb *db);
void statedb_abort(struct statedb *db);
/* Begins a nested transaction, which can be undone by itself. */
int statedb_part_begin(struct statedb *db);
/* Ends the nested transaction; its changes are kept or undone. */
int statedb_part_end(struct statedb *db, bool keep);

/* The following are for inside a transaction, and return 0 or an error. *value is valid until the
 * next put. ERR_NOT_FOUND: there is no such key; ERR_CORRUPT: the value is not what was put. */
int statedb_get(struct statedb *db, enum statedb_table table, struct span key, struct span *value);
int statedb_put(struct statedb *db, enum statedb_table table, struct span key, struct span value);
int statedb_drop(struct statedb *db, enum statedb_table table, struct span key);
/* The number of entries. */
size_t statedb_count(struct statedb *db, enum statedb_table table);
/* Visits every entry in the order of the keys. Damaged ones are left out, and ERR_CORRUPT is
 * returned at the end. */
int statedb_each(struct statedb *db, enum statedb_table table,
                 void (*visit)(void *arg, struct span key, struct span value), void *arg);

#endif
