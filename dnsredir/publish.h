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

/* Makes one for the readers 0..readers-1. `free_value` is called on the writer's thread. */
struct publish *publish_new(size_t readers, void (*free_value)(void *value));
/* Frees it with all values, also the current one. No reader may be inside. Accepts NULL; sets
 * *publish to NULL. */
void publish_free(struct publish **publish);

/* Publishes `value` to readers that enter from now on, and owns it. */
void publish_set(struct publish *publish, void *value);
/* The value that was set last. For the writer. */
void *publish_current(const struct publish *publish);
/* Frees the values that no reader can see any more. Returns how many still wait for that. */
size_t publish_collect(struct publish *publish);

/* How many values wait to be freed, and how many were freed. For the writer. */
struct publish_report {
    size_t waiting;
    uint64_t freed;
};
struct publish_report publish_report(const struct publish *publish);

/* Returns the current value, which stays alive until the same reader calls publish_leave(). Calls
 * do not nest. */
const void *publish_enter(struct publish *publish, size_t reader);
void publish_leave(struct publish *publish, size_t reader);

#endif
