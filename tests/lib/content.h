/*
 * content - bodies that nobody has to keep: every byte follows from a seed and its offset. Pure.
 */
#ifndef LARDER_TESTS_CONTENT_H
#define LARDER_TESTS_CONTENT_H

#include "base/span.h"

/* The seed of what `path` holds in its `version`. */
uint64_t content_seed(struct span path, uint64_t version);

/* The bytes [offset, offset + len). */
void content_fill(uint64_t seed, uint64_t offset, void *out, size_t len);

/* Where `bytes`, found at `offset`, first differ; bytes.len when they do not. */
size_t content_compare(uint64_t seed, uint64_t offset, struct span bytes);

#endif
