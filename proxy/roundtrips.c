#include "proxy/roundtrips.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/siphash.h"

#include <inttypes.h>

enum {
    WAYS = 8,
    SETS = ROUNDTRIPS_MAX / WAYS / 2, /* for each address family */
    COUNT_MAX = 65535,
    HALVED_S = 3600, /* seconds in which a network without samples loses half of its weight */
    REPEAT_S = 60, /* seconds after which an unchanged network is reported again, as it is in use */
};

/* Divisors for smoothing: the time falls by a quarter of the difference and rises by a sixteenth. A
 * sample is the time of the path plus queueing, so shorter samples say more. */
enum { FALL = 4, RISE = 16 };

struct entry {
    struct list link; /* in roundtrips->changes while the entry is in use */
    uint64_t network; /* 0: free */
    uint64_t change;
    uint64_t at;      /* seconds; time of the last sample */
    uint64_t told_at; /* when it was last reported, in seconds */
    uint32_t us, told_us;
    uint32_t count;
};

struct roundtrips {
    struct sip_key key; /* secret, as clients choose their networks */
    uint64_t epoch;
    uint64_t change;     /* number of the latest change */
    struct list changes; /* entries in use, ordered by the number of their last change */
    size_t count;
    struct entry sets[2 * SETS][WAYS];
};

struct roundtrips *roundtrips_new(void)
{
    struct roundtrips *r = xcalloc(1, sizeof(*r));

    r->key = sip_key_random();
    r->epoch = sip_key_random().k0;
    list_init(&r->changes);
    return r;
}

void roundtrips_free(struct roundtrips **roundtrips)
{
    free(*roundtrips);
    *roundtrips = NULL;
}

size_t roundtrips_count(const struct roundtrips *r)
{
    return r->count;
}

static size_t set_of(const struct roundtrips *r, uint64_t network)
{
    size_t place = sip_hash64(&r->key, span_of(&network, sizeof(network))) % SETS;
    return network_is_v4(network) ? place : SETS + place;
}

uint32_t roundtrips_of(const struct roundtrips *r, uint64_t network)
{
    const struct entry *set = r->sets[set_of(r, network)];

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].network == network) {
            return set[i].us;
        }
    }
    return 0;
}

static uint64_t worth(const struct entry *entry, uint64_t now)
{
    uint64_t hours = (now - entry->at) / HALVED_S;
    return hours < 32 ? (uint64_t)entry->count << 16 >> hours : 0;
}

/* Should `a` be evicted before `b`? */
static bool leaves_before(const struct entry *a, const struct entry *b, uint64_t now)
{
    uint64_t of_a = a->network ? worth(a, now) + 1 : 0;
    uint64_t of_b = b->network ? worth(b, now) + 1 : 0;

    return of_a != of_b ? of_a < of_b : a->at < b->at;
}

/* The entry of a network; a new one if there is none. */
static struct entry *entry_of(struct roundtrips *r, uint64_t network, uint64_t now)
{
    struct entry *set = r->sets[set_of(r, network)];
    struct entry *at = &set[0];

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].network == network) {
            return &set[i];
        }
        at = leaves_before(&set[i], at, now) ? &set[i] : at;
    }
    if (at->network) {
        list_remove(&at->link);
    } else {
        r->count++;
    }
    *at = (struct entry){.network = network};
    list_init(&at->link);
    return at;
}

static void smooth(struct entry *entry, uint32_t us)
{
    int64_t is = entry->us;
    int64_t difference = (int64_t)us - is;
    uint32_t most = difference < 0 ? FALL : RISE;
    int64_t parts = entry->count < most ? entry->count : most;

    if (entry->count == 1) {
        entry->us = us;
        return;
    }
    difference = difference > is ? is : difference; /* limited, because a sample with seconds of
                                                       queueing says little about the path */
    is += difference / parts;
    entry->us = (uint32_t)(is > 1 ? is : 1);
}

/* Has it changed enough to be reported? */
static bool is_news(const struct entry *entry, uint64_t now)
{
    uint32_t apart =
        entry->us > entry->told_us ? entry->us - entry->told_us : entry->told_us - entry->us;
    bool step =
        entry->count <= 4 || (entry->count < COUNT_MAX && !(entry->count & (entry->count - 1)));

    return step || apart > entry->told_us / 32 + 50 || now - entry->told_at >= REPEAT_S;
}

void roundtrips_note(struct roundtrips *r, uint64_t network, uint32_t us, uint64_t now)
{
    if (us == 0 || us > ROUNDTRIPS_US_MAX || network == 0) {
        return;
    }
    struct entry *entry = entry_of(r, network, now);
    entry->count += entry->count < COUNT_MAX;
    entry->at = now;
    smooth(entry, us);
    if (is_news(entry, now)) {
        entry->told_us = entry->us;
        entry->told_at = now;
        entry->change = ++r->change;
        list_remove(&entry->link);
        list_push_back(&r->changes, &entry->link);
    }
}

/* ---- the report ---- */

/* The first entry whose last change is later than `since`. */
static struct list *first_after(const struct roundtrips *r, uint64_t since)
{
    struct list *link = r->changes.prev;

    while (link != &r->changes && list_entry(link, struct entry, link)->change > since) {
        link = link->prev;
    }
    return link->next;
}

static void write_entry(const struct entry *entry, uint64_t now, struct buf *out)
{
    struct prefix prefix = network_prefix(entry->network);
    char text[PREFIX_TEXT_MAX];

    buf_printf(out, "%s %" PRIu32 " %" PRIu32 " %" PRIu64 "\n", prefix_text(&prefix, text),
               entry->us, entry->count, now - entry->at);
}

void roundtrips_write(const struct roundtrips *r, uint64_t epoch, uint64_t since, uint64_t now,
                      struct buf *out)
{
    struct buf lines = BUF_INIT;
    size_t count = 0;

    if (epoch != r->epoch || since > r->change) {
        since = 0;
    }
    struct list *link = first_after(r, since);
    for (; link != &r->changes && count < ROUNDTRIPS_LINES; link = link->next, count++) {
        const struct entry *entry = list_entry(link, const struct entry, link);
        write_entry(entry, now, &lines);
        since = entry->change;
    }
    buf_printf(out, "larder-rtt 1 epoch=%016" PRIx64 " next=%" PRIu64 " more=%d networks=%zu\n",
               r->epoch, since, link != &r->changes, r->count);
    buf_append(out, buf_span(&lines));
    buf_fini(&lines);
}
