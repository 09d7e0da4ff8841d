/*
 * account - who has had how many bytes: in the day, the week and the month of now, kept on disk;
 * and at which pace they may have more.
 *
 * One account is a user's, or that of a network of addresses that nobody has said who they are (by
 * default IPv4 /32, IPv6 /64). A pace is a token bucket for each account: a quarter of a second's
 * bytes at once. With a total for all, those who want more than the others have all the same share
 * of it, and what the others leave (max-min fairness), found anew five times a second.
 *
 * Thread-safe. One thread writes what has changed to the disk, a group a second; what a crash loses
 * is less than that, and no account goes back.
 */
#ifndef LARDER_PROXY_ACCESS_ACCOUNT_H
#define LARDER_PROXY_ACCESS_ACCOUNT_H

#include "base/period.h"
#include "base/prefix.h"

enum {
    ACCOUNTS_MAX = 262144,
    ACCOUNTS_MANY = ACCOUNTS_MAX / 8 * 7, /* with more, room is made */
};

struct accounts;
struct account;

/* `folder`: where they are kept, or NULL: nowhere. 0 or an error, which is logged. */
int accounts_open(const char *folder, struct accounts **out);
/* The same, but while another process has the folder (the one whose place we take) they begin
 * without it, from 0: the thread tries again each second, and then adds what is there. */
int accounts_open_late(const char *folder, struct accounts **out);
void accounts_close(struct accounts **accounts); /* writes the rest; accepts NULL */

/* Bytes a second for all together; 0: no limit. Takes effect at once. */
void accounts_set_total(struct accounts *accounts, uint64_t total);

/* So many bits of an address make a client. */
struct account_lengths {
    unsigned v4, v6; /* of 32, of 128 */
};
#define ACCOUNT_LENGTHS ((struct account_lengths){32, 64}) /* where nobody says otherwise */

/* The user's, or with an empty name that of the address's network; one more reference. NULL: there
 * are too many. */
struct account *account_take(struct accounts *accounts, struct span user, const struct ip *client,
                             struct account_lengths lengths);
void account_give(struct account **account); /* accepts NULL; sets *account to NULL */

/* More bytes, at this time (seconds since 1970). */
void account_add(struct account *account, uint64_t bytes, int64_t now);
/* Those of the period in which `now` is. */
uint64_t account_used(struct account *account, enum period period, int64_t now);

/* How many of the bytes wanted may go now, at `rate` bytes a second (0: no limit of its own);
 * `now_us` is monotonic. 0: none yet. What goes is told by account_spend(). */
uint64_t account_allowance(struct account *account, uint64_t wanted, uint64_t rate,
                           uint64_t now_us);
void account_spend(struct account *account, uint64_t bytes, uint64_t rate, uint64_t now_us);

struct accounts_stats {
    uint64_t accounts, refused; /* refused: there were too many */
    uint64_t written, failures; /* rows; groups that the disk did not take */
    uint64_t level;             /* bytes a second that each may have; 0: no total is set */
    bool late;                  /* another process has the folder still */
};
void accounts_stats(struct accounts *accounts, struct accounts_stats *out);

/* Those who have used most today. */
struct account_view {
    char name[256]; /* "user anna" or "client 10.0.0.1" */
    uint64_t used[PERIODS];
};
size_t accounts_top(struct accounts *accounts, int64_t now, struct account_view *out, size_t max);

#endif
