#include "cache/store/ledger.h"

#include "base/mem.h"
#include "base/memory.h"
#include "cache/store/s3fifo.h"

#include <assert.h>

#define VERIFIED 0x80u
static_assert(S3_HITS_MAX < VERIFIED, "a byte holds the uses and a bit");

void ledger_init(struct ledger *ledger, uint64_t count)
{
    uint64_t blocks = (count + LEDGER_BLOCK - 1) / LEDGER_BLOCK;

    ledger->block_count =
        blocks < UINT32_MAX / LEDGER_BLOCK ? (uint32_t)blocks : UINT32_MAX / LEDGER_BLOCK;
    ledger->blocks = xcalloc(ledger->block_count, sizeof(*ledger->blocks));
    memory_take(MEMORY_STORE, ledger->block_count * sizeof(*ledger->blocks));
}

void ledger_fini(struct ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->block_count; i++) {
        struct ledger_block *block = atomic_load_explicit(&ledger->blocks[i], memory_order_relaxed);
        memory_give(MEMORY_STORE, sizeof(ledger->blocks[i]) + (block ? sizeof(*block) : 0));
        free(block);
    }
    free(ledger->blocks);
    *ledger = (struct ledger){0};
}

static struct ledger_block *block_at(const struct ledger *ledger, uint32_t block)
{
    return block < ledger->block_count
               ? atomic_load_explicit(&ledger->blocks[block], memory_order_acquire)
               : NULL;
}

static struct ledger_block *block_get(struct ledger *ledger, uint32_t block)
{
    struct ledger_block *found = block_at(ledger, block);

    if (found || block >= ledger->block_count) {
        return found;
    }
    struct ledger_block *fresh = xcalloc(1, sizeof(*fresh));
    if (atomic_compare_exchange_strong_explicit(&ledger->blocks[block], &found, fresh,
                                                memory_order_acq_rel, memory_order_acquire)) {
        memory_take(MEMORY_STORE, sizeof(*fresh));
        return fresh;
    }
    free(fresh); /* another thread was faster */
    return found;
}

/* ---- any thread. Two that count at the same moment may count once; a bit that is lost in it is
 * set again ---- */

static uint8_t byte_of(const struct ledger *ledger, uint32_t number)
{
    const struct ledger_block *block = block_at(ledger, number / LEDGER_BLOCK);

    return block ? atomic_load_explicit(&block->uses[number % LEDGER_BLOCK], memory_order_relaxed)
                 : 0;
}

static void set_byte(struct ledger *ledger, uint32_t number, uint8_t byte)
{
    struct ledger_block *block = block_get(ledger, number / LEDGER_BLOCK);

    if (block) {
        atomic_store_explicit(&block->uses[number % LEDGER_BLOCK], byte, memory_order_relaxed);
    }
}

void ledger_use(struct ledger *ledger, uint32_t number, unsigned uses)
{
    uint8_t byte = byte_of(ledger, number);
    uint8_t next = (uint8_t)((byte & VERIFIED) | s3_hits_use(byte & (VERIFIED - 1), uses));

    if (next != byte) { /* what is used all the time stays a line that is only read */
        set_byte(ledger, number, next);
    }
}

uint8_t ledger_uses(const struct ledger *ledger, uint32_t number)
{
    return byte_of(ledger, number) & (VERIFIED - 1);
}

uint64_t ledger_hot(const struct ledger *ledger)
{
    uint64_t hot = 0;

    for (uint32_t i = 0; i < ledger->block_count; i++) {
        const struct ledger_block *block = block_at(ledger, i);
        for (uint32_t at = 0; block && at < LEDGER_BLOCK; at++) {
            uint8_t byte = atomic_load_explicit(&block->uses[at], memory_order_relaxed);
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
    set_byte(ledger, number, byte_of(ledger, number) | VERIFIED);
}

/* ---- sizes: an exponent and three bits behind the first ---- */

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
    struct ledger_block *block = block_get(ledger, number / LEDGER_BLOCK);

    if (block) {
        block->tag[number % LEDGER_BLOCK] = line->tag;
        block->size[number % LEDGER_BLOCK] = class_of(line->size);
        set_byte(ledger, number, line->uses);
    }
}

struct ledger_line ledger_read(const struct ledger *ledger, uint32_t number)
{
    const struct ledger_block *block = block_at(ledger, number / LEDGER_BLOCK);

    if (!block) {
        return (struct ledger_line){0};
    }
    return (struct ledger_line){
        .tag = block->tag[number % LEDGER_BLOCK],
        .size = size_of_class(block->size[number % LEDGER_BLOCK]),
        .uses = ledger_uses(ledger, number),
    };
}

bool ledger_save(const struct ledger *ledger, uint32_t block, uint8_t out[LEDGER_BLOCK])
{
    bool any = false;

    if (!block_at(ledger, block)) {
        return false;
    }
    for (uint32_t i = 0; i < LEDGER_BLOCK; i++) {
        out[i] = ledger_uses(ledger, block * LEDGER_BLOCK + i);
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
            set_byte(ledger, number,
                     (uint8_t)((byte & VERIFIED) | s3_hits_add(byte & (VERIFIED - 1), stored)));
        }
    }
}

size_t ledger_memory(const struct ledger *ledger)
{
    size_t bytes = ledger->block_count * sizeof(*ledger->blocks);

    for (uint32_t i = 0; i < ledger->block_count; i++) {
        bytes += block_at(ledger, i) ? sizeof(struct ledger_block) : 0;
    }
    return bytes;
}
