/*
 * roundtrips - how far clients are: round-trip times by network (IPv4 /24, IPv6 /48), smoothed, in
 * a table of fixed size, and the report of them that larder-dns asks for. Not thread-safe; belongs
 * to the main thread, which takes samples from the workers' rings.
 *
 * The table has sets of eight networks. When a ninth comes, the one leaves that is worth least: its
 * samples, halved for each hour without one; of equals, the one that was silent longest. So what
 * strangers with many addresses can do is to push each other out. IPv4 and IPv6 have half of the
 * table each.
 */
#ifndef LARDER_PROXY_ROUNDTRIPS_H
#define LARDER_PROXY_ROUNDTRIPS_H

#include "base/buf.h"
#include "base/network.h"

enum {
    ROUNDTRIPS_MAX = 16384,       /* networks */
    ROUNDTRIPS_LINES = 1000,      /* of one report */
    ROUNDTRIPS_LINE_MAX = 64,     /* bytes of one */
    ROUNDTRIPS_US_MAX = 60000000, /* longer ones say nothing about distance */
};

struct roundtrips;

struct roundtrips *roundtrips_new(void);
void roundtrips_free(struct roundtrips **roundtrips); /* accepts NULL; sets it to NULL */

/* A sample of a client in `network`. `now`: seconds that only go forward. 0 µs is none. */
void roundtrips_note(struct roundtrips *roundtrips, uint64_t network, uint32_t us, uint64_t now);

/* The smoothed time of a network, in µs; 0: it is not known. */
uint32_t roundtrips_of(const struct roundtrips *roundtrips, uint64_t network);
size_t roundtrips_count(const struct roundtrips *roundtrips);

/*
 * Writes what has changed since change number `since` of life `epoch`: of another life, all. Text:
 *
 *     larder-rtt 1 epoch=3f0c9a11d2e4b586 next=812 more=0 networks=5123
 *     192.0.2.0/24 12345 37 5
 *
 * with a line for each network: microseconds, samples (up to 65535), seconds since the last one.
 * The oldest changes come first, at most ROUNDTRIPS_LINES of them; `next` is the number to ask with
 * the next time, at once if `more` is 1.
 */
void roundtrips_write(const struct roundtrips *roundtrips, uint64_t epoch, uint64_t since,
                      uint64_t now, struct buf *out);

#endif
