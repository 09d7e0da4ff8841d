/*
 * account - counts each user's bytes in the current day, week and month, keeps the counts on disk,
 * and limits rates.
 *
 * An account belongs to a user, or to a network of clients that have not authenticated (by default
 * IPv4 /32, IPv6 /64). A rate is a token bucket for each account, with a burst of a quarter of a
 * second. A total rate is divided five times a second by max-min fairness: who wants less than an
 * equal share gets what it wants, and the others share the rest equally.
 *
 * Thread-safe. One thread writes changed counts to the disk once a second. A crash loses less than
 * that second, and never makes a count smaller than it was on disk.
 */
#ifndef LARDER_PROXY_ACCESS_ACCOUNT_H
#define LARDER_PROXY_ACCESS_ACCOUNT_H

#include "base/period.h"
#include "base/prefix.h"

enum {
    ACCOUNTS_MAX = 262144,
    ACCOUNTS_MANY = ACCOUNTS_MAX / 8 * 7, /* above this, unused accounts are removed */
};

struct accounts;
struct account;

/* Opens the accounts kept in `folder`; NULL: they are not kept on disk. Returns 0, or an error,
 * which is logged. */
int accounts_open(const char *folder, struct accounts **out);
/* The same while an older process may still use the folder: begins with zero counts, tries again
 * each second, and then adds the counts found there. */
int accounts_open_late(const char *folder, struct accounts **out);
void accounts_close(struct accounts **accounts); /* writes what is pending; accepts NULL */

/* Sets the total rate in bytes a second; 0: no limit. Takes effect at once. */
void accounts_set_total(struct accounts *accounts, uint64_t total);

/* By how much of them addresses count as one client where nobody says otherwise. */
#define ACCOUNT_LENGTHS ((struct prefix_lengths){32, 64})

/* The account of a user or, if `user` is empty, of the client's network, with a new reference.
 * NULL: there are ACCOUNTS_MAX. */
struct account *account_take(struct accounts *accounts, struct span user, const struct ip *client,
                             struct prefix_lengths lengths);
void account_give(struct account **account); /* accepts NULL; sets *account to NULL */

/* Counts bytes. `now` is in seconds since 1970. */
void account_add(struct account *account, uint64_t bytes, int64_t now);
/* Bytes counted in the period that contains `now`. */
uint64_t account_used(struct account *account, enum period period, int64_t now);

/* How many of the `wanted` bytes may be sent now, at `rate` bytes a second (0: only the total rate
 * applies); 0: none yet. `now_us` is monotonic. The caller reports what it sends with
 * account_spend(). */
uint64_t account_allowance(struct account *account, uint64_t wanted, uint64_t rate,
                           uint64_t now_us);
void account_spend(struct account *account, uint64_t bytes, uint64_t rate, uint64_t now_us);

struct accounts_stats {
    uint64_t accounts, refused; /* refused: account_take() returned NULL */
    uint64_t written, failures; /* rows written; groups that could not be written */
    uint64_t level;             /* current equal share, in bytes a second; 0: no total rate */
    bool late;                  /* an older process still uses the folder */
};
void accounts_stats(struct accounts *accounts, struct accounts_stats *out);

/* The accounts that have used most today, for /status. */
struct account_view {
    char name[256]; /* "user anna" or "client 10.0.0.1" */
    uint64_t used[PERIODS];
};
size_t accounts_top(struct accounts *accounts, int64_t now, struct account_view *out, size_t max);

#endif
