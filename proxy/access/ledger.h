/*
 * ledger - keeps the counts of accounts on disk, as keys and numbers in one small LMDB file. Only
 * one process can open it; it belongs to one thread, which may wait for the disk.
 */
#ifndef LARDER_PROXY_ACCESS_LEDGER_H
#define LARDER_PROXY_ACCESS_LEDGER_H

#include "base/period.h"
#include "base/span.h"

#define LEDGER_FILE "larder-quotas.mdb"
enum { LEDGER_KEY_MAX = 256 };

struct ledger;

/* For each period when it began (seconds since 1970), and the bytes used in it. */
struct ledger_row {
    int64_t begin[PERIODS];
    uint64_t used[PERIODS];
};

/* Opens or creates the file in the folder, which is created if it is missing. Returns 0; ERR_BUSY:
 * another process has it open; ERR_CORRUPT; -errno; ERR_IO. */
int ledger_open(const char *folder, struct ledger **out);
void ledger_close(struct ledger **ledger); /* accepts NULL; sets *ledger to NULL */

/* Visits every row until `visit` returns false. Returns 0 or an error. */
int ledger_each(struct ledger *ledger,
                bool (*visit)(void *arg, struct span key, const struct ledger_row *row), void *arg);

/* A transaction: ledger_commit() keeps all rows since ledger_begin(), ledger_abort() none. Counts
 * never go back: for the same period the larger count is kept, else the later period. */
int ledger_begin(struct ledger *ledger);
int ledger_put(struct ledger *ledger, struct span key, const struct ledger_row *row);
/* Deletes some of the rows whose periods have all ended. */
int ledger_tidy(struct ledger *ledger, const struct period_now *now);
int ledger_commit(struct ledger *ledger);
void ledger_abort(struct ledger *ledger);

#endif
