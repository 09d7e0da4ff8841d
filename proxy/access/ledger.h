/*
 * ledger - what accounts have used, kept on disk: one small LMDB file, keys and numbers. Knows
 * nothing of what they mean. One process at a time has it open; it belongs to one thread, which may
 * wait for the disk.
 */
#ifndef LARDER_PROXY_ACCESS_LEDGER_H
#define LARDER_PROXY_ACCESS_LEDGER_H

#include "base/period.h"
#include "base/span.h"

#define LEDGER_FILE "larder-quotas.mdb"
enum { LEDGER_KEY_MAX = 256 };

struct ledger;

/* Of each period its beginning (seconds since 1970) and the bytes used in it. */
struct ledger_row {
    int64_t begin[PERIODS];
    uint64_t used[PERIODS];
};

/* Opens or creates the file in the folder, which is made if need be. ERR_BUSY: another process has
 * it; ERR_CORRUPT, -errno, ERR_IO. */
int ledger_open(const char *folder, struct ledger **out);
void ledger_close(struct ledger **ledger); /* accepts NULL; sets *ledger to NULL */

/* Every row, until `visit` returns false. */
int ledger_each(struct ledger *ledger,
                bool (*visit)(void *arg, struct span key, const struct ledger_row *row), void *arg);

/* A group of rows: nothing is kept before ledger_commit(), and all of it after. A row never goes
 * back: of the same period the larger number counts, and of two periods the later one. */
int ledger_begin(struct ledger *ledger);
int ledger_put(struct ledger *ledger, struct span key, const struct ledger_row *row);
/* Rows whose periods have all ended before `now` are of no use. Drops some of them. */
int ledger_tidy(struct ledger *ledger, const struct period_now *now);
int ledger_commit(struct ledger *ledger);
void ledger_abort(struct ledger *ledger);

#endif
