/*
 * ledger - what is known in memory of each object of one segment: how often it was used, about how
 * large it is, and a tag of its key. Six bytes an object, in leaves that come as they are needed:
 *
 *   shelves ─▸ shelf ─▸ leaf: LEDGER_LEAF objects
 *
 * Readers count uses, and say which checksums have held; the rest is the writer's. Nothing here is
 * needed to read an object: it may be lost.
 */
#ifndef LARDER_CACHE_STORE_LEDGER_H
#define LARDER_CACHE_STORE_LEDGER_H

#include "base/span.h"

#include <stdatomic.h>

#define LEDGER_BLOCK 1024 /* objects whose uses are saved together */
#define LEDGER_LEAF 256
#define LEDGER_SHELF 64 /* leaves */

struct ledger_leaf {
    _Atomic uint8_t uses[LEDGER_LEAF]; /* and whether the checksum has held */
    uint8_t size[LEDGER_LEAF];         /* as a class */
    uint32_t tag[LEDGER_LEAF];         /* 0: not known, the object is of an earlier run */
};

struct ledger_shelf {
    struct ledger_leaf *_Atomic leaves[LEDGER_SHELF];
};

struct ledger {
    struct ledger_shelf *_Atomic *shelves;
    uint32_t count; /* numbers are below it */
};

/* For objects with numbers below `count`; others are ignored everywhere. */
void ledger_init(struct ledger *ledger, uint64_t count);
void ledger_fini(struct ledger *ledger);

/* ---- any thread ---- */

/* So many more uses. */
void ledger_use(struct ledger *ledger, uint32_t number, unsigned uses);
/* Uses so far, not more than s3fifo.h counts. */
uint8_t ledger_uses(const struct ledger *ledger, uint32_t number);
/* Objects that were used. */
uint64_t ledger_hot(const struct ledger *ledger);
/* Its checksum was held against it, in this process's life. */
bool ledger_is_verified(const struct ledger *ledger, uint32_t number);
void ledger_set_verified(struct ledger *ledger, uint32_t number);

/* ---- the writer ---- */

struct ledger_line {
    uint32_t tag;
    uint64_t size; /* bytes; what is read back is up to an eighth less, and below 32 GiB */
    uint8_t uses;
};

void ledger_write(struct ledger *ledger, uint32_t number, const struct ledger_line *line);
struct ledger_line ledger_read(const struct ledger *ledger, uint32_t number);

/* How many blocks there are. */
uint32_t ledger_blocks(const struct ledger *ledger);
/* The uses of block `block`, to be kept over a restart. False: all are 0. */
bool ledger_save(const struct ledger *ledger, uint32_t block, uint8_t out[LEDGER_BLOCK]);
/* What an earlier run has counted, added to what this one has. */
void ledger_load(struct ledger *ledger, uint32_t block, struct span uses);

/* Bytes of memory. Any thread. */
size_t ledger_memory(const struct ledger *ledger);

#endif
