/*
 * ledger - facts in memory about each object of one segment: how often it was used, its rough size,
 * and a tag of its key. Six bytes for each object, in leaves that are allocated as needed:
 *
 *   shelves ─▸ shelf ─▸ leaf: LEDGER_LEAF objects
 *
 * Readers count uses and note verified checksums; the rest is for the writer. None of it is needed
 * to read an object.
 */
#ifndef LARDER_CACHE_STORE_LEDGER_H
#define LARDER_CACHE_STORE_LEDGER_H

#include "base/span.h"

#include <stdatomic.h>

#define LEDGER_BLOCK 1024 /* objects whose uses are saved together */
#define LEDGER_LEAF 256
#define LEDGER_SHELF 64 /* leaves */

struct ledger_leaf {
    _Atomic uint8_t uses[LEDGER_LEAF]; /* and whether the checksum was verified */
    uint8_t size[LEDGER_LEAF];         /* in classes */
    uint32_t tag[LEDGER_LEAF];         /* 0: unknown, written by an earlier run */
};

struct ledger_shelf {
    struct ledger_leaf *_Atomic leaves[LEDGER_SHELF];
};

struct ledger {
    struct ledger_shelf *_Atomic *shelves;
    uint32_t count; /* numbers are below it */
};

/* For objects with numbers below `count`; all calls ignore others. */
void ledger_init(struct ledger *ledger, uint64_t count);
void ledger_fini(struct ledger *ledger);

/* ---- any thread ---- */

/* Adds uses. */
void ledger_use(struct ledger *ledger, uint32_t number, unsigned uses);
/* Uses so far, as s3fifo.h counts them. */
uint8_t ledger_uses(const struct ledger *ledger, uint32_t number);
/* How many objects were used. */
uint64_t ledger_hot(const struct ledger *ledger);
/* Was its checksum verified during this run? */
bool ledger_is_verified(const struct ledger *ledger, uint32_t number);
void ledger_set_verified(struct ledger *ledger, uint32_t number);
/* Forgets that of all. */
void ledger_doubt(struct ledger *ledger);

/* ---- the writer ---- */

struct ledger_line {
    uint32_t tag;
    uint64_t size; /* in bytes; read back up to an eighth smaller, and below 32 GiB */
    uint8_t uses;
};

void ledger_write(struct ledger *ledger, uint32_t number, const struct ledger_line *line);
struct ledger_line ledger_read(const struct ledger *ledger, uint32_t number);

/* How many blocks there are. */
uint32_t ledger_blocks(const struct ledger *ledger);
/* The uses of a block, to survive a restart. False: all are 0. */
bool ledger_save(const struct ledger *ledger, uint32_t block, uint8_t out[LEDGER_BLOCK]);
/* Adds the uses that an earlier run has counted. */
void ledger_load(struct ledger *ledger, uint32_t block, struct span uses);

/* Bytes of memory. Thread-safe. */
size_t ledger_memory(const struct ledger *ledger);

#endif
