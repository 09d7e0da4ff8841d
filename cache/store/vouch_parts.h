/*
 * vouch_parts - between vouch.c, which checks pages and goes the ways to keys, and vouch_merges.c,
 * which follows what the transaction may make of the pages.
 */
#ifndef LARDER_CACHE_STORE_VOUCH_PARTS_H
#define LARDER_CACHE_STORE_VOUCH_PARTS_H

#include "cache/store/vouch.h"

/* A page of the last commit that was checked, and what this transaction may have made of it: each
 * number is the most that is possible. */
struct vouched {
    uint64_t page;
    uint32_t turn;
    uint16_t filled;  /* bytes */
    uint16_t largest; /* bytes of a node */
    uint16_t nodes;
    uint32_t taken; /* nodes */
    uint32_t puts;  /* nodes that were added, or replaced by smaller ones */
    bool is_branch;
    bool has_lowest; /* the way to the lowest key below it was checked */
    bool is_weak;    /* it may have been merged with another one, or split */
    bool has_lent;   /* a node may have been moved to a page beside it */
};

/* The entry of a page, or the free one where it belongs. */
struct vouched *vouch_page(const struct vouch *vouch, uint64_t page);

enum edge { EDGE_NONE, EDGE_FIRST, EDGE_LAST };

/* Goes down from the step at `level` to the one at `to`, the last of which is checked, too: to
 * `key`, or at an edge. */
int vouch_descend(struct vouch *vouch, const struct vouch_tree *tree, struct vouch_way *way,
                  unsigned level, unsigned to, struct span key, enum edge edge);
/* Goes to the page beside the one at `level`, forwards or back. ERR_NOT_FOUND: there is none. */
int vouch_aside(struct vouch *vouch, const struct vouch_tree *tree, struct vouch_way *way,
                unsigned level, bool forwards);

/* A key is put to the leaf at the end of the way. */
void vouch_note_put(struct vouch *vouch, const struct vouch_tree *tree,
                    const struct vouch_way *way);

/* A leaf from which a key is deleted: it may be merged; or not, and something was changed in it
 * before, or nothing. */
enum vouch_leaf { LEAF_MERGED, LEAF_CHANGED, LEAF_UNTOUCHED };

/* A key is deleted from the leaf at the end of the way: checks all pages that may be merged. 0 or
 * ERR_CORRUPT. */
int vouch_check_merges(struct vouch *vouch, unsigned tree, const struct vouch_way *way,
                       enum vouch_leaf *out);

#endif
