/*
 * walk - lookups in a data file of LMDB, page by page, by somebody who knows which pages are in
 * memory. What mdb_get() does, but a page that is not there is not touched: an event loop is told
 * ERR_AGAIN, and a thread that may wait reads it with pread(2) into a buffer of its own, or through
 * the mapping. It needs no consent of LMDB, which gives a file up when a root cannot be written.
 *
 * Every access is held inside the page and the file, whatever a damaged page says: what leads out
 * of it is damage, and no disk that cannot be read.
 *
 * Any thread. The caller sees to it that the pages do not change under the walk: by a read
 * transaction, or because nobody writes to the file any more. There is one that cannot: who is in
 * an index while it is opened anew (index.h). There a walk may find nothing or nonsense, but
 * nothing that it could be led out of the file by, and what it finds is judged by its own checksum.
 */
#ifndef LARDER_CACHE_STORE_WALK_H
#define LARDER_CACHE_STORE_WALK_H

#include "cache/store/env.h"

enum walk_way {
    WALK_NOW,  /* only what is in memory */
    WALK_READ, /* the rest from the disk, into memory of its own */
    WALK_MAP,  /* the rest through the mapping, which waits for the disk */
};

/* One lookup, on the stack. */
struct walk {
    struct env *env;
    enum walk_way way;
    uint64_t now_ms;
    char *page; /* owned: the page that was read last; aligned like a page */
};

/* Nobody writes to the file any more, and this commit is its last. */
#define WALK_LAST UINT64_MAX

/* A tree of an environment. */
struct walk_tree {
    unsigned slot; /* below ENV_ROOTS: where its root is remembered; one for each name */
    struct span name;
    bool numbers; /* its keys are numbers of 32 bits (MDB_INTEGERKEY) */
};

struct walk_value {
    const char *at;  /* in the leaf: valid until the next call; NULL: in pages of its own */
    uint64_t offset; /* of these in the file; the value follows a header of WALK_HEADER bytes */
    uint32_t len;
};
#define WALK_HEADER 16u

void walk_init(struct walk *walk, struct env *env, enum walk_way way);
void walk_fini(struct walk *walk);

/* The value under `key` in the tree as commit number `commit` left it. 0, ERR_NOT_FOUND, ERR_AGAIN
 * (WALK_NOW: a page is not in memory), ERR_CORRUPT, or -errno (WALK_READ). */
int walk_get(struct walk *walk, const struct walk_tree *tree, uint64_t commit, struct span key,
             struct walk_value *out);

/* The last key of a tree of numbers. 0, and then as walk_get(): ERR_NOT_FOUND when it is empty. */
int walk_last(struct walk *walk, const struct walk_tree *tree, uint64_t commit, uint32_t *out);

/* A value in pages of its own, as it lies in the mapping. ERR_AGAIN (WALK_NOW) when not all of it
 * is in memory, ERR_CORRUPT when it is not there. */
int walk_lend(const struct walk *walk, const struct walk_value *value, struct span *out);

/* The same, read from the disk into *out (malloc'ed, to be freed). */
int walk_read(const struct walk *walk, const struct walk_value *value, char **out);

/* `len` bytes of the file from `offset` on. ERR_CORRUPT when it ends before. */
int walk_pread(const struct env *env, uint64_t offset, void *to, size_t len);

#endif
