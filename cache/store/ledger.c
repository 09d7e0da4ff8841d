#include "cache/store/ledger.h"

#include "base/mem.h"
#include "base/memory.h"
#include "cache/store/s3fifo.h"

#include <assert.h>

#define VERIFIED 0x80u
static_assert(S3_HITS_MAX < VERIFIED, "a byte holds the uses and a bit");

enum { SHELF_LINES = LEDGER_LEAF * LEDGER_SHELF };

static uint32_t shelf_count(const struct ledger *ledger)
{
    return ledger->count / SHELF_LINES + (ledger->count % SHELF_LINES != 0);
}

void ledger_init(struct ledger *ledger, uint64_t count)
{
    ledger->count = count < INT32_MAX ? (uint32_t)count : INT32_MAX;
    ledger->shelves = xcalloc(shelf_count(ledger), sizeof(*ledger->shelves));
    memory_take(MEMORY_STORE, shelf_count(ledger) * sizeof(*ledger->shelves));
}

/* ---- shelves and leaves; NULL where no object has needed one so far ---- */

static struct ledger_shelf *shelf_at(const struct ledger *ledger, uint32_t shelf)
{
    return atomic_load_explicit(&ledger->shelves[shelf], memory_order_acquire);
}

static struct ledger_leaf *leaf_in(const struct ledger_shelf *shelf, uint32_t leaf)
{
    return atomic_load_explicit(&shelf->leaves[leaf], memory_order_acquire);
}

static struct ledger_leaf *leaf_of(const struct ledger *ledger, uint32_t number)
{
    const struct ledger_shelf *shelf =
        number < ledger->count ? shelf_at(ledger, number / SHELF_LINES) : NULL;

    return shelf ? leaf_in(shelf, number / LEDGER_LEAF % LEDGER_SHELF) : NULL;
}

static struct ledger_shelf *shelf_get(struct ledger *ledger, uint32_t shelf)
{
    struct ledger_shelf *found = shelf_at(ledger, shelf);

    if (found) {
        return found;
    }
    struct ledger_shelf *fresh = xcalloc(1, sizeof(*fresh));
    if (atomic_compare_exchange_strong_explicit(&ledger->shelves[shelf], &found, fresh,
                                                memory_order_acq_rel, memory_order_acquire)) {
        memory_take(MEMORY_STORE, sizeof(*fresh));
        return fresh;
    }
    free(fresh); /* another thread was faster */
    return found;
}

static struct ledger_leaf *leaf_get(struct ledger *ledger, uint32_t number)
{
    struct ledger_leaf *found = leaf_of(ledger, number);

    if (found || number >= ledger->count) {
        return found;
    }
    struct ledger_shelf *shelf = shelf_get(ledger, number / SHELF_LINES);
    struct ledger_leaf *fresh = xcalloc(1, sizeof(*fresh));
    if (atomic_compare_exchange_strong_explicit(&shelf->leaves[number / LEDGER_LEAF % LEDGER_SHELF],
                                                &found, fresh, memory_order_acq_rel,
                                                memory_order_acquire)) {
        memory_take(MEMORY_STORE, sizeof(*fresh));
        return fresh;
    }
    free(fresh);
    return found;
}

static void free_shelf(struct ledger_shelf *shelf)
{
    for (uint32_t i = 0; i < LEDGER_SHELF; i++) {
        struct ledger_leaf *leaf = leaf_in(shelf, i);
        memory_give(MEMORY_STORE, leaf ? sizeof(*leaf) : 0);
        free(leaf);
    }
    memory_give(MEMORY_STORE, sizeof(*shelf));
    free(shelf);
}

void ledger_fini(struct ledger *ledger)
{
    for (uint32_t i = 0; i < shelf_count(ledger); i++) {
        struct ledger_shelf *shelf = shelf_at(ledger, i);
        if (shelf) {
            free_shelf(shelf);
        }
    }
    memory_give(MEMORY_STORE, shelf_count(ledger) * sizeof(*ledger->shelves));
    free(ledger->shelves);
    *ledger = (struct ledger){0};
}

/* ---- any thread. Of two uses counted at the same moment one may be lost ---- */

static uint8_t byte_of(const struct ledger *ledger, uint32_t number)
{
    const struct ledger_leaf *leaf = leaf_of(ledger, number);

    return leaf ? atomic_load_explicit(&leaf->uses[number % LEDGER_LEAF], memory_order_relaxed) : 0;
}

/* Changes a byte that is still as it was: what is doubted meanwhile must not count as verified
 * again. */
static void change_byte(struct ledger *ledger, uint32_t number, uint8_t from, uint8_t to)
{
    struct ledger_leaf *leaf = leaf_get(ledger, number);

    if (leaf) {
        atomic_compare_exchange_strong_explicit(&leaf->uses[number % LEDGER_LEAF], &from, to,
                                                memory_order_relaxed, memory_order_relaxed);
    }
}

void ledger_use(struct ledger *ledger, uint32_t number, unsigned uses)
{
    uint8_t byte = byte_of(ledger, number);
    uint8_t next = (uint8_t)((byte & VERIFIED) | s3_hits_use(byte & (VERIFIED - 1), uses));

    if (next != byte) { /* so that the cache line of an object in constant use is only read */
        change_byte(ledger, number, byte, next);
    }
}

uint8_t ledger_uses(const struct ledger *ledger, uint32_t number)
{
    return byte_of(ledger, number) & (VERIFIED - 1);
}

uint64_t ledger_hot(const struct ledger *ledger)
{
    uint64_t hot = 0;

    for (uint32_t first = 0; first < ledger->count; first += LEDGER_LEAF) {
        const struct ledger_leaf *leaf = leaf_of(ledger, first);
        for (uint32_t at = 0; leaf && at < LEDGER_LEAF; at++) {
            uint8_t byte = atomic_load_explicit(&leaf->uses[at], memory_order_relaxed);
            hot += (byte & (VERIFIED - 1)) >= S3_HITS_NEW + S3_HITS_USE;
        }
    }
    return hot;
}

bool ledger_is_verified(const struct ledger *ledger, uint32_t number)
{
    return byte_of(ledger, number) & VERIFIED;
}

void ledger_set_verified(struct ledger *ledger, uint32_t number)
{
    struct ledger_leaf *leaf = leaf_get(ledger, number);

    if (leaf) {
        atomic_fetch_or_explicit(&leaf->uses[number % LEDGER_LEAF], VERIFIED, memory_order_relaxed);
    }
}

void ledger_doubt(struct ledger *ledger)
{
    for (uint32_t first = 0; first < ledger->count; first += LEDGER_LEAF) {
        struct ledger_leaf *leaf = leaf_of(ledger, first);
        for (uint32_t at = 0; leaf && at < LEDGER_LEAF; at++) {
            atomic_fetch_and_explicit(&leaf->uses[at], VERIFIED - 1, memory_order_relaxed);
        }
    }
}

/* ---- sizes: the exponent and the three bits after the first ---- */

#define SIZE_MAX_KNOWN ((UINT64_C(16) << 31) - 1)

static uint8_t class_of(uint64_t size)
{
    size = size < SIZE_MAX_KNOWN ? size : SIZE_MAX_KNOWN;
    unsigned exponent = 63u - (unsigned)__builtin_clzll(size | 8);

    return (uint8_t)((exponent - 3) << 3 | ((size >> (exponent - 3)) & 7));
}

static uint64_t size_of_class(uint8_t class)
{
    return (UINT64_C(8) | (class & 7)) << (class >> 3);
}

/* ---- the writer ---- */

void ledger_write(struct ledger *ledger, uint32_t number, const struct ledger_line *line)
{
    struct ledger_leaf *leaf = leaf_get(ledger, number);

    if (leaf) {
        leaf->tag[number % LEDGER_LEAF] = line->tag;
        leaf->size[number % LEDGER_LEAF] = class_of(line->size);
        atomic_store_explicit(&leaf->uses[number % LEDGER_LEAF], line->uses, memory_order_relaxed);
    }
}

struct ledger_line ledger_read(const struct ledger *ledger, uint32_t number)
{
    const struct ledger_leaf *leaf = leaf_of(ledger, number);

    if (!leaf) {
        return (struct ledger_line){0};
    }
    return (struct ledger_line){
        .tag = leaf->tag[number % LEDGER_LEAF],
        .size = size_of_class(leaf->size[number % LEDGER_LEAF]),
        .uses = ledger_uses(ledger, number),
    };
}

uint32_t ledger_blocks(const struct ledger *ledger)
{
    return ledger->count / LEDGER_BLOCK + (ledger->count % LEDGER_BLOCK != 0);
}

bool ledger_save(const struct ledger *ledger, uint32_t block, uint8_t out[LEDGER_BLOCK])
{
    uint32_t first = block * LEDGER_BLOCK;
    bool any = false;

    if (first >= ledger->count || !shelf_at(ledger, first / SHELF_LINES)) {
        return false;
    }
    for (uint32_t i = 0; i < LEDGER_BLOCK; i++) {
        out[i] = ledger_uses(ledger, first + i);
        any = any || out[i];
    }
    return any;
}

void ledger_load(struct ledger *ledger, uint32_t block, struct span uses)
{
    size_t count = uses.len < LEDGER_BLOCK ? uses.len : LEDGER_BLOCK;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = block * LEDGER_BLOCK + i;
        uint8_t byte = byte_of(ledger, number);
        uint8_t stored = (uint8_t)uses.at[i] & (VERIFIED - 1);
        if (stored) {
            change_byte(ledger, number, byte,
                        (uint8_t)((byte & VERIFIED) | s3_hits_add(byte & (VERIFIED - 1), stored)));
        }
    }
}

size_t ledger_memory(const struct ledger *ledger)
{
    size_t bytes = shelf_count(ledger) * sizeof(*ledger->shelves);

    for (uint32_t i = 0; i < shelf_count(ledger); i++) {
        const struct ledger_shelf *shelf = shelf_at(ledger, i);
        bytes += shelf ? sizeof(*shelf) : 0;
        for (uint32_t at = 0; shelf && at < LEDGER_SHELF; at++) {
            bytes += leaf_in(shelf, at) ? sizeof(struct ledger_leaf) : 0;
        }
    }
    return bytes;
}
