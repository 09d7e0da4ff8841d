#include "base/memory.h"

#include "base/check.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* Counters on cache lines of their own, for one thread or a few threads. */
struct stripe {
    _Alignas(64) _Atomic int64_t drift; /* bytes not yet added to the total */
    _Atomic int64_t sums[MEMORY_COUNT];
};

static struct stripe stripes[MEMORY_STRIPES];
static _Alignas(64) _Atomic int64_t total;

static _Alignas(64) _Atomic size_t limit;
static _Atomic size_t
    uncounted; /* bytes freed without being counted since the last memory_trim() */
static void (*_Atomic relief)(void *arg, size_t bytes);
static void *_Atomic relief_arg;

static const struct {
    const char *word, *text;
    bool limited;
} purposes[MEMORY_COUNT] = {
#define X(id, word, limited, text) [MEMORY_##id] = {word, text, limited},
    MEMORY_PURPOSES(X)
#undef X
};

/* ---- the heap ---- */

enum {
    HEAP_STEP = 512 << 10,
    /* memory_trim() returns memory if at least this much was freed uncounted */
    UNCOUNTED_WORTH = 4 << 20,
};

static bool is_shaped;

void memory_shape_heap(void)
{
    /* Above the size of a body chunk: each chunk would otherwise cost an mmap() and its page
     * faults. */
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TOP_PAD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 2 << 20);
    is_shaped = true;
}

/* glibc ignores M_TOP_PAD for the arenas of threads other than the first: once created they grow
 * only by the size requested, which is one system call for each 4 KiB. Allocating and freeing a
 * large block grows the arena by a whole step, of which no page is resident until it is used.
 * `bytes` is what this thread has allocated since the last call, less what it has freed. */
static void make_heap_ready(int64_t bytes)
{
    static _Thread_local int64_t taken;

    taken = taken + bytes > 0 ? taken + bytes : 0;
    /* half a step, as not all allocations are counted */
    if (is_shaped && taken >= HEAP_STEP / 2) {
        void *volatile step = malloc(HEAP_STEP); /* volatile, or the compiler removes both calls */
        free(step);
        taken = 0;
    }
}

/* ---- counting ---- */

static struct stripe *my_stripe(void)
{
    static atomic_uint next;
    static _Thread_local struct stripe *mine;

    if (mine == NULL) {
        mine = &stripes[atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % MEMORY_STRIPES];
    }
    return mine;
}

static void add(enum memory_purpose purpose, int64_t bytes)
{
    struct stripe *stripe = my_stripe();

    atomic_fetch_add_explicit(&stripe->sums[purpose], bytes, memory_order_relaxed);
    if (!purposes[purpose].limited) {
        return;
    }
    int64_t drift = atomic_fetch_add_explicit(&stripe->drift, bytes, memory_order_relaxed) + bytes;
    if (drift >= MEMORY_SLACK || drift <= -MEMORY_SLACK) {
        drift = atomic_exchange_explicit(&stripe->drift, 0, memory_order_relaxed);
        atomic_fetch_add_explicit(&total, drift, memory_order_relaxed);
        make_heap_ready(drift);
    }
}

void memory_take(enum memory_purpose purpose, size_t bytes)
{
    add(purpose, (int64_t)bytes);
}

void memory_give(enum memory_purpose purpose, size_t bytes)
{
    add(purpose, -(int64_t)bytes);
}

/* ---- the limit ---- */

void memory_set_limit(size_t bytes)
{
    atomic_store(&limit, bytes);
}

size_t memory_limit(void)
{
    return atomic_load_explicit(&limit, memory_order_relaxed);
}

size_t memory_used(void)
{
    int64_t used = atomic_load_explicit(&total, memory_order_relaxed);

    return used > 0 ? (size_t)used : 0;
}

/* Bytes used above this many sixteenths of the limit. */
static size_t above(unsigned sixteenths)
{
    size_t most = memory_limit();
    size_t mark = most / 16 * sixteenths;
    size_t used = memory_used();

    return most && used > mark ? used - mark : 0;
}

size_t memory_excess(void)
{
    return above(12);
}

bool memory_has_free(size_t bytes)
{
    size_t most = memory_limit(), mark = most / 16 * 12, used = memory_used();

    return most == 0 || (used <= mark && bytes <= mark - used);
}

bool memory_is_tight(void)
{
    return above(14) > 0;
}

bool memory_is_scarce(void)
{
    return above(15) > 0;
}

bool memory_is_over(void)
{
    return above(16) > 0;
}

bool memory_lacks(size_t bytes)
{
    size_t most = memory_limit();

    return most && memory_used() + bytes > most;
}

bool memory_is_swamped(void)
{
    return above(18) > 0;
}

static bool promise(size_t bytes, bool (*is_too_much)(void))
{
    memory_take(MEMORY_PROMISED, bytes);
    if (is_too_much()) {
        memory_relieve();
        if (is_too_much()) {
            memory_give(MEMORY_PROMISED, bytes);
            return false;
        }
    }
    return true;
}

bool memory_promise(size_t bytes)
{
    return promise(bytes, memory_is_tight);
}

bool memory_begin(size_t bytes)
{
    return promise(bytes, memory_is_over);
}

void memory_set_relief(void (*call)(void *arg, size_t bytes), void *arg)
{
    atomic_store(&relief, NULL);
    atomic_store(&relief_arg, arg);
    atomic_store(&relief, call);
}

void memory_relieve(void)
{
    size_t excess = memory_excess();
    void (*call)(void *, size_t) = excess ? atomic_load(&relief) : NULL;

    if (call) {
        call(atomic_load(&relief_arg), excess);
    }
}

void memory_freed(size_t bytes)
{
    atomic_fetch_add_explicit(&uncounted, bytes, memory_order_relaxed);
}

bool memory_trim(void)
{
    static size_t most, before;
    static bool had_uncounted;
    size_t used = memory_used();
    size_t worth = memory_limit() / 8;
    size_t freed = atomic_exchange_explicit(&uncounted, 0, memory_order_relaxed);
    /* do not trim while memory use grows or much is being freed */
    bool is_calm = used <= before && freed == 0;

    before = used;
    most = used > most ? used : most;
    had_uncounted = had_uncounted || freed >= UNCOUNTED_WORTH;
    if (!is_calm || (most - used <= worth && !had_uncounted)) {
        return false;
    }
    most = used;
    had_uncounted = false;
    memory_give_back();
    return true;
}

void memory_give_back(void)
{
    malloc_trim(0);
}

/* ---- looking ---- */

const char *memory_word(enum memory_purpose purpose)
{
    return purposes[purpose].word;
}

const char *memory_text(enum memory_purpose purpose)
{
    return purposes[purpose].text;
}

bool memory_is_limited(enum memory_purpose purpose)
{
    return purposes[purpose].limited;
}

uint64_t memory_sum(enum memory_purpose purpose)
{
    int64_t sum = 0;

    for (size_t i = 0; i < MEMORY_STRIPES; i++) {
        sum += atomic_load_explicit(&stripes[i].sums[purpose], memory_order_relaxed);
    }
    return sum > 0 ? (uint64_t)sum : 0;
}

uint64_t memory_resident(void)
{
    unsigned long long kib = 0;
    char line[128];
    FILE *file = fopen("/proc/self/status", "re");

    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "RssAnon: %llu kB", &kib) == 1) {
            break;
        }
    }
    if (file) {
        fclose(file);
    }
    return kib * 1024;
}
