#include "cache/store/resident.h"

#include "base/minmax.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    STEP_PAGES = 512,
    WAYS = 4, /* ways of a set, which is one cache line */
    SET_BITS = 9,
    SETS = 1 << SET_BITS,
    SET_SHIFT = 64 - SET_BITS,
};

struct seen {
    const void *at;
    uint32_t len;
    uint32_t when_ms; /* modulo 49 days; an entry that is older but seems recent costs at most one
                         page fault */
};

static _Thread_local _Alignas(64) struct seen seen[SETS][WAYS];
static atomic_uint_least64_t missed_ms; /* when any thread last found a page missing */

static size_t system_page(void)
{
    static atomic_size_t known;
    size_t size = atomic_load_explicit(&known, memory_order_relaxed);

    if (size == 0) {
        size = (size_t)sysconf(_SC_PAGESIZE);
        atomic_store_explicit(&known, size, memory_order_relaxed);
    }
    return size;
}

static bool all(const char *from, size_t pages, size_t page_size)
{
    unsigned char vector[STEP_PAGES];
    void *at;

    memcpy(&at, &from, sizeof(at)); /* mincore() takes no const, but does not write */
    if (mincore(at, pages * page_size, vector) != 0) {
        return false;
    }
    unsigned char each = 1;
    /* without an early exit, so that the compiler can vectorise it */
    for (size_t i = 0; i < pages; i++) {
        each &= vector[i];
    }
    return each;
}

bool resident(const void *at, size_t len)
{
    size_t page_size = system_page();
    size_t before = (uintptr_t)at & (page_size - 1);
    const char *from = (const char *)at - before;
    size_t pages = (before + len + page_size - 1) / page_size;

    while (pages > 0) {
        size_t step = pages < STEP_PAGES ? pages : STEP_PAGES;
        if (!all(from, step, page_size)) {
            return false;
        }
        from += step * page_size;
        pages -= step;
    }
    return true;
}

static uint32_t believed_ms(uint64_t now_ms)
{
    uint64_t missed = atomic_load_explicit(&missed_ms, memory_order_relaxed);
    /* another thread's clock may be ahead of `now_ms` by a moment */
    uint64_t calm = now_ms > missed ? now_ms - missed : 0;

    return (uint32_t)min_u64(max_u64(calm / RESIDENT_CALM_PART, RESIDENT_MS), RESIDENT_CALM_MS);
}

static struct seen *find_seen(struct seen *set, const void *at)
{
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].at == at) {
            return &set[i];
        }
    }
    return NULL;
}

static struct seen *oldest(struct seen *set, uint32_t now_ms)
{
    struct seen *found = set;

    for (size_t i = 1; i < WAYS; i++) {
        if (now_ms - set[i].when_ms > now_ms - found->when_ms) {
            found = &set[i];
        }
    }
    return found;
}

bool resident_lately(const void *at, size_t len, uint64_t now_ms)
{
    struct seen *set = seen[((uintptr_t)at >> 12) * UINT64_C(0x9e3779b97f4a7c15) >> SET_SHIFT];
    struct seen *known = find_seen(set, at);

    if (known && known->len >= len && (uint32_t)now_ms - known->when_ms < believed_ms(now_ms)) {
        return true;
    }
    if (!resident(at, len)) {
        atomic_store_explicit(&missed_ms, now_ms, memory_order_relaxed);
        return false;
    }
    known = known ? known : oldest(set, (uint32_t)now_ms);
    *known = (struct seen){at, len <= UINT32_MAX ? (uint32_t)len : 0, (uint32_t)now_ms};
    return true;
}

void resident_forget(void)
{
    memset(seen, 0, sizeof(seen));
    atomic_store_explicit(&missed_ms, 0, memory_order_relaxed);
}
