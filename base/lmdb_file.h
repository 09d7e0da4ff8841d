/*
 * lmdb_file - one LMDB file that a daemon keeps its own records in: opening it, and what LMDB says
 * in the terms of err.h. Thread-safe.
 */
#ifndef LARDER_BASE_LMDB_FILE_H
#define LARDER_BASE_LMDB_FILE_H

#include "base/span.h"

#include <lmdb.h>

struct lmdb_file_plan {
    size_t map_size;                /* address space, not memory */
    unsigned tables;                /* that have names; 0: there is only one, without */
    unsigned flags;                 /* beside MDB_NOSUBDIR and MDB_NOTLS */
    MDB_assert_func *on_impossible; /* damage that LMDB stumbles over; NULL: it ends the process */
};

/* Opens or makes the file (mode 0640). ERR_CORRUPT also if it has lost its end, which would raise
 * SIGBUS at the first read there, or if its trees are damaged, which LMDB would not notice. *env is
 * NULL until there is one, and is to be closed after errors, too. */
int lmdb_file_open(const char *path, const struct lmdb_file_plan *plan, MDB_env **env);

/* 0, ERR_NOT_FOUND, ERR_FULL, ERR_CORRUPT, ERR_CLOSED (an error before was fatal), -errno or ERR_IO
 * for a result of LMDB. */
int lmdb_file_error(int result);

/* The bytes themselves, not a copy. */
MDB_val lmdb_file_val(struct span bytes);

#endif
