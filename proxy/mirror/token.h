/*
 * token - the tokens that registries have given to anybody who asked, so that not every request has
 * to be refused first. Belongs to one loop; some dozens, the oldest goes first.
 *
 * A mirror never sends what a client knows: it pulls as nobody in particular, and so everything it
 * keeps is what everybody may pull. That is why one copy of a blob can be for all.
 */
#ifndef LARDER_PROXY_MIRROR_TOKEN_H
#define LARDER_PROXY_MIRROR_TOKEN_H

#include "base/span.h"

struct tokens;

struct tokens *tokens_new(void);
/* Accepts NULL, sets it to NULL. */
void tokens_free(struct tokens **tokens);

/* `repository`: what it is for. Empty: none. Valid until the next call. Seconds since 1970. */
struct span tokens_find(const struct tokens *tokens, struct span repository, int64_t now);
/* Takes the place of the one there was. */
void tokens_keep(struct tokens *tokens, struct span repository, struct span token, int64_t until);
void tokens_drop(struct tokens *tokens, struct span repository);

#endif
