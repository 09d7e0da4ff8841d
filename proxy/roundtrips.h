/*
 * roundtrips - smoothed round-trip times of clients by network (IPv4 /24, IPv6 /48), and the report
 * of them that larder-dns asks for.
 *
 * Not thread-safe: belongs to the main thread, which takes samples from the workers' rings. Memory
 * is bounded: IPv4 and IPv6 have half of the table each, in sets of eight networks. When a set is
 * full, the network with the least weight leaves: the number of its samples, halved for each hour
 * without one; among equals, the one that was silent longest. So strangers with many addresses can
 * only push each other out.
 */
#ifndef LARDER_PROXY_ROUNDTRIPS_H
#define LARDER_PROXY_ROUNDTRIPS_H

#include "base/buf.h"
#include "base/network.h"

enum {
    ROUNDTRIPS_MAX = 16384,       /* networks */
    ROUNDTRIPS_LINES = 1000,      /* lines of one report */
    ROUNDTRIPS_LINE_MAX = 64,     /* bytes of one line */
    ROUNDTRIPS_US_MAX = 60000000, /* longer times say nothing about distance */
};

struct roundtrips;

struct roundtrips *roundtrips_new(void);
void roundtrips_free(struct roundtrips **roundtrips); /* accepts NULL; sets it to NULL */

/* Adds a sample. `now` is in seconds of a clock that never goes back. Ignores 0 µs. */
void roundtrips_note(struct roundtrips *roundtrips, uint64_t network, uint32_t us, uint64_t now);

/* The smoothed time of a network in µs; 0: unknown. */
uint32_t roundtrips_of(const struct roundtrips *roundtrips, uint64_t network);
size_t roundtrips_count(const struct roundtrips *roundtrips);

/*
 * Writes what has changed since change number `since`, or everything when `epoch` is not that of
 * this table. Text:
 *
 *     larder-rtt 1 epoch=3f0c9a11d2e4b586 next=812 more=0 networks=5123
 *     192.0.2.0/24 12345 37 5
 *
 * with one line for each network: microseconds, samples (at most 65535), seconds since the last
 * sample. The oldest changes come first, at most ROUNDTRIPS_LINES. `next` is the number to ask with
 * next time; when `more` is 1, ask again at once.
 */
void roundtrips_write(const struct roundtrips *roundtrips, uint64_t epoch, uint64_t since,
                      uint64_t now, struct buf *out);

#endif
