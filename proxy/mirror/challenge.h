/*
 * challenge - how a registry asks for a token (the distribution specification's "token
 * authentication"), and what its token server answers. Pure; memory from the arena.
 */
#ifndef LARDER_PROXY_MIRROR_CHALLENGE_H
#define LARDER_PROXY_MIRROR_CHALLENGE_H

#include "http/uri.h"

/* What the server that gives tokens may answer with. */
enum { TOKEN_ANSWER_MAX = 64 * 1024, TOKEN_MAX = 16 * 1024 };

/* Of the WWW-Authenticate fields of a 401: where a token for it is given, service and scope as its
 * query. False: it asks for something else, or makes no sense. Takes no more of the arena than some
 * times the length of the fields. */
bool challenge_read(const struct http_fields *response, struct arena *arena, struct uri *out);

/* The token, and for how many seconds it is good. False: there is none that could be sent. */
bool token_read(struct span answer, struct arena *arena, struct span *token, int64_t *seconds);

#endif
