/*
 * vouch - vouches for the pages that a write transaction of LMDB is about to follow. LMDB 0.9
 * believes what it reads: a damaged page can lead it over the memory of the process. lmdb_sound.h
 * checks a file before the first write to it; this checks, in each transaction, the pages of the
 * last commit that are read or copied, each once. What LMDB has copied is in memory, and its own.
 *
 * For the writer's thread, under its guard. The mapping must be known (env_locate()).
 */
#ifndef LARDER_CACHE_STORE_VOUCH_H
#define LARDER_CACHE_STORE_VOUCH_H

#include "base/lmdb_tree.h"
#include "cache/store/env.h"

#define VOUCH_TREES 4

/* A named tree, and what its keys are. */
struct vouch_tree {
    struct span name;
    unsigned key_len; /* of each key; 0: any */
    bool numbers;     /* of key_len bytes (MDB_INTEGERKEY): 4 or 8 */
    bool large;       /* values may have pages of their own; they cannot be deleted */
    size_t value_max; /* bytes of a value; 0: any */
};

/* A page on the way from a root, and the child in it that the way goes on to. */
struct vouch_step {
    uint64_t page;
    unsigned child, children;
};

struct vouch_way {
    struct vouch_step steps[DEPTH_MAX];
    unsigned depth;
};

/* The last key: what is looked up is often changed right after. */
struct vouch_last {
    unsigned tree, len; /* len 0: none */
    char key[24];
    struct vouch_way way;
};

/* How far the pages beside a leaf were checked: what is deleted together is often near together. */
struct vouch_beside {
    unsigned tree;
    uint64_t leaf; /* 0: none */
    struct vouch_way low, high;
};

struct vouched;

struct vouch {
    const struct vouch_tree *trees;
    struct lmdb_image image;        /* the file as of the last commit */
    struct tree roots[VOUCH_TREES]; /* of `trees` */
    struct vouched *pages;          /* those checked so far: a hash table; NULL: none */
    size_t mask, count;
    uint8_t *visited; /* of visited_len bytes, for lmdb_sound_commit(); NULL: none yet */
    size_t visited_len;
    uint32_t turn;  /* of the transaction; entries of others are free */
    unsigned stray; /* how many keys may have been put to pages beside those on the way to them */
    struct vouch_last last;
    struct vouch_beside beside;
};

/* For a transaction that follows this commit: checks the meta page, the names and the free list. 0
 * or ERR_CORRUPT. `trees` (at most VOUCH_TREES) must outlive *vouch, which is zeroed at first. */
int vouch_begin(struct vouch *vouch, const struct env *env, uint64_t commit,
                const struct vouch_tree *trees, size_t count);
/* Frees its memory. Accepts a zeroed one. */
void vouch_fini(struct vouch *vouch);

enum vouch_use { VOUCH_READ, VOUCH_PUT, VOUCH_DELETE };

/* To be called before each use of `key` of trees[tree]. A deletion may merge pages, so their
 * neighbours are checked, too. 0 or ERR_CORRUPT. */
int vouch_key(struct vouch *vouch, unsigned tree, struct span key, enum vouch_use use);
/* The same before keys are appended behind the last one. */
int vouch_last(struct vouch *vouch, unsigned tree);

#endif
