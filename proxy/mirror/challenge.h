/*
 * challenge - parses how a registry asks for a token (the distribution specification's "token
 * authentication"), and the token server's response. Pure; memory from the arena.
 */
#ifndef LARDER_PROXY_MIRROR_CHALLENGE_H
#define LARDER_PROXY_MIRROR_CHALLENGE_H

#include "http/uri.h"

/* Limits of a token server's response, and of a token in it. */
enum { TOKEN_ANSWER_MAX = 64 * 1024, TOKEN_MAX = 16 * 1024 };

/* From the WWW-Authenticate fields of a 401: the URL to get a token from, with service and scope in
 * its query. False: it asks for another kind of authentication, or is malformed. Uses at most a few
 * times the length of the fields from the arena. */
bool challenge_read(const struct http_fields *response, struct arena *arena, struct uri *out);

/* The token and how many seconds it is valid. False: there is none, or it cannot be sent in a
 * field. */
bool token_read(struct span answer, struct arena *arena, struct span *token, int64_t *seconds);

#endif
