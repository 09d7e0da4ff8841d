/*
 * publish - one pointer that one thread sets and many threads read without a lock.
 *
 * A reader brackets its use with publish_enter() and publish_leave(): two stores of its own and no
 * waiting. A value that was replaced is freed once every reader has been outside since then. The
 * writer alone calls publish_set() and publish_collect().
 */
#ifndef LARDER_DNSREDIR_PUBLISH_H
#define LARDER_DNSREDIR_PUBLISH_H

#include <stddef.h>
#include <stdint.h>

struct publish;

/* For readers 0..readers-1. `free_value` is called by the writer's thread. */
struct publish *publish_new(size_t readers, void (*free_value)(void *value));
/* No reader may be inside. Frees all values, the current one too. Accepts NULL. */
void publish_free(struct publish **publish);

/* Readers that enter from now on see `value`, which it owns. */
void publish_set(struct publish *publish, void *value);
/* The value set last, for the writer. */
void *publish_current(const struct publish *publish);
/* Frees what no reader can see any more; returns how many values are still waiting. */
size_t publish_collect(struct publish *publish);

/* Values that wait to be freed, and how many have been. The writer. */
struct publish_report {
    size_t waiting;
    uint64_t freed;
};
struct publish_report publish_report(const struct publish *publish);

/* The current value; it stays alive until the same reader leaves. Not nested. */
const void *publish_enter(struct publish *publish, size_t reader);
void publish_leave(struct publish *publish, size_t reader);

#endif
