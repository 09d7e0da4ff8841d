/*
 * object_kit - what the store has, as the cache reads it.
 */
#ifndef LARDER_TESTS_OBJECT_KIT_H
#define LARDER_TESTS_OBJECT_KIT_H

#include "cache/object.h"
#include "tests/unit/cache/store_kit.h"

/* A response of status 200 whose body is kit_body(key), stored and read back: its body stays in the
 * store when it is longer than `copy_max`. */
struct object *kit_object(struct store *store, const char *key, size_t len, size_t copy_max);
/* Reads what is left of the source in bites of at most `bite` bytes and compares them with `want`.
 * What a place is told of is read from there, too, and counted into *placed. False when anything
 * differs. */
bool kit_reads(struct source *source, struct span want, size_t bite, size_t *placed);

#endif
