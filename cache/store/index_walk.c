/* index_walk - iterating over the trees of the index, for any thread. */
#include "cache/store/index_parts.h"

#include "base/err.h"

/* Commits may overtake the first step of a walk, but hardly several times. */
enum { ATTEMPTS = 4 };

static const struct walk_tree walk_trees[INDEX_TREES] = {
    [INDEX_OBJECTS] = {0, {"obj", 3}, false},
    [INDEX_SEGMENTS] = {1, {"seg", 3}, true},
    [INDEX_USES] = {2, {"uses", 4}, true},
};

struct walking {
    struct walk walk;
    const struct walk_tree *tree;
    uint64_t commit;
    struct span from;
    bool (*visit)(void *arg, struct span key, struct span value);
    void *arg;
    bool is_over;
    uint64_t count;
};

static int in_one_reading(struct index *index, struct walking *walking, int (*call)(void *arg))
{
    MDB_txn *txn;
    int err = env_read_begin(&index->env, &txn);

    if (err) {
        return err;
    }
    walking->commit = mdb_txn_id(txn);
    walk_init(&walking->walk, &index->env, WALK_MAP);
    err = env_lookup(&index->env, call, walking);
    walk_fini(&walking->walk);
    env_read_end(&index->env, txn);
    return err;
}

static int in_reading(struct index *index, struct walking *walking, int (*call)(void *arg))
{
    int err = ERR_AGAIN;

    for (int i = 0; i < ATTEMPTS && err == ERR_AGAIN; i++) {
        err = in_one_reading(index, walking, call);
    }
    return err == ERR_NOT_FOUND ? 0 : err == ERR_AGAIN ? ERR_IO : err;
}

static bool visit_value(void *arg, struct span key, const struct walk_value *value)
{
    struct walking *walking = arg;
    struct span bytes = value->at ? span_of(value->at, value->len) : SPAN_EMPTY;

    walking->is_over = !walking->visit(walking->arg, key, bytes);
    return !walking->is_over;
}

/* The root is looked up once: its pages stay as long as the transaction, the meta page that leads
 * to it does not. */
static int call_walk(void *arg)
{
    struct walking *walking = arg;
    struct walk_key keys[2];
    struct walk_root root;
    unsigned turn = 0;
    int err = walk_root(&walking->walk, walking->tree, walking->commit, &root);

    while (!err && !walking->is_over) {
        struct walk_key *next = &keys[turn++ % 2];
        err = walk_leaf(&walking->walk, walking->tree, root, walking->from, visit_value, walking,
                        next);
        walking->from = span_of(next->bytes, next->len);
        walking->is_over |= next->len == 0;
    }
    return err;
}

int index_walk(struct index *index, enum index_tree tree, struct span from,
               bool (*visit)(void *arg, struct span key, struct span value), void *arg)
{
    struct walking walking = {.tree = &walk_trees[tree], .from = from, .visit = visit, .arg = arg};

    return in_reading(index, &walking, call_walk);
}

static int call_count(void *arg)
{
    struct walking *walking = arg;

    return walk_count(&walking->walk, walking->tree, walking->commit, &walking->count);
}

int index_count(struct index *index, enum index_tree tree, uint64_t *out)
{
    struct walking walking = {.tree = &walk_trees[tree]};
    int err = in_reading(index, &walking, call_count);

    if (!err) {
        *out = walking.count;
    }
    return err;
}
