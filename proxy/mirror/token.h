/*
 * token - tokens that registries give to anybody, kept for the next requests. Belongs to one loop;
 * bounded, the oldest is dropped first.
 *
 * A mirror never sends a client's credentials. So everything it stores is public, and one copy of a
 * blob can serve all.
 */
#ifndef LARDER_PROXY_MIRROR_TOKEN_H
#define LARDER_PROXY_MIRROR_TOKEN_H

#include "base/span.h"

struct tokens;

struct tokens *tokens_new(void);
/* Accepts NULL; sets *tokens to NULL. */
void tokens_free(struct tokens **tokens);

/* The token for a repository; empty: none that is valid. Borrowed until the next call. `now` and
 * `until` are in seconds since 1970. */
struct span tokens_find(const struct tokens *tokens, struct span repository, int64_t now);
/* Replaces the repository's token. */
void tokens_keep(struct tokens *tokens, struct span repository, struct span token, int64_t until);
void tokens_drop(struct tokens *tokens, struct span repository);

#endif
