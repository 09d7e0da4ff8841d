/*
 * walk - lookups in an LMDB data file that know which pages are in memory. Does what mdb_get()
 * does, but without touching missing pages: an event loop gets ERR_AGAIN, and a thread that may
 * wait reads them with pread(2) into its own buffer, or through the mapping. It works without LMDB,
 * which gives up a file when a root cannot be written. Every access is checked against page and
 * file, whatever a damaged page says.
 *
 * Thread-safe. The caller makes sure that pages do not change during the walk: by a read
 * transaction, or because nobody writes to the file any more. The one exception is a reader of an
 * index that is being reopened (index.h): it may find nothing or nonsense, but never leaves the
 * file, and verifies what it finds by its checksum.
 */
#ifndef LARDER_CACHE_STORE_WALK_H
#define LARDER_CACHE_STORE_WALK_H

#include "base/lmdb_page.h"
#include "cache/store/env.h"

enum walk_way {
    WALK_NOW,  /* only what is in memory */
    WALK_READ, /* the rest from disk, into memory of its own */
    WALK_MAP,  /* the rest through the mapping, waiting for the disk */
};

/* One lookup; on the stack. */
struct walk {
    struct env *env;
    enum walk_way way;
    uint64_t now_ms;
    char *page; /* owned: the last page read, aligned like a page */
};

/* As a commit number: the file's last commit, when nobody writes to it any more. */
#define WALK_LAST UINT64_MAX

/* A tree of an environment. */
struct walk_tree {
    unsigned slot; /* index of its root in env.roots; one for each name */
    struct span name;
    bool numbers; /* keys are numbers of 32 or 64 bits (MDB_INTEGERKEY) */
};

struct walk_value {
    const char *at;  /* in the leaf, valid until the next call; NULL: in pages of its own */
    uint64_t offset; /* of these pages; the value follows a header of WALK_HEADER bytes */
    uint32_t len;
};
#define WALK_HEADER 16u

void walk_init(struct walk *walk, struct env *env, enum walk_way way);
void walk_fini(struct walk *walk);

/* Finds the value under `key`, as of commit number `commit`. Returns 0, ERR_NOT_FOUND, ERR_AGAIN
 * (WALK_NOW: a page is not in memory), ERR_CORRUPT, or -errno (WALK_READ). */
int walk_get(struct walk *walk, const struct walk_tree *tree, uint64_t commit, struct span key,
             struct walk_value *out);

/* The root of a tree in a commit. */
struct walk_root {
    uint64_t page;
    uint32_t depth; /* 0: the tree is empty */
};

/* Finds the root of a tree. Returns as walk_get(). ERR_AGAIN also: two commits have followed before
 * the root was found, and it is lost. */
int walk_root(struct walk *walk, const struct walk_tree *tree, uint64_t commit,
              struct walk_root *out);

/* A copy of a key. */
struct walk_key {
    uint16_t len;
    char bytes[KEY_MAX];
};

/* Calls `visit` for the values of the one leaf where `from` belongs, from that key on, until it
 * returns false. *next: the first key that another leaf may have; its len is 0 if there is none.
 * For iterating, under a guard, with WALK_MAP or WALK_READ. Returns as walk_get(); ERR_NOT_FOUND:
 * the tree is empty. */
int walk_leaf(struct walk *walk, const struct walk_tree *tree, struct walk_root root,
              struct span from,
              bool (*visit)(void *arg, struct span key, const struct walk_value *value), void *arg,
              struct walk_key *next);

/* How many values a tree has. Returns as walk_get(). */
int walk_count(struct walk *walk, const struct walk_tree *tree, uint64_t commit, uint64_t *out);

/* The last key of a tree of 32-bit numbers. Returns as walk_get(); ERR_NOT_FOUND: it is empty. */
int walk_last(struct walk *walk, const struct walk_tree *tree, uint64_t commit, uint32_t *out);

/* Lends a value with pages of its own from the mapping. ERR_AGAIN (WALK_NOW): not all of it is in
 * memory. ERR_CORRUPT: it is outside the file. */
int walk_lend(const struct walk *walk, const struct walk_value *value, struct span *out);

/* The same, read from disk into *out (malloc'ed, to be freed). */
int walk_read(const struct walk *walk, const struct walk_value *value, char **out);

/* Reads `len` bytes of the file at `offset`. ERR_CORRUPT: the file is shorter. */
int walk_pread(const struct env *env, uint64_t offset, void *to, size_t len);

#endif
