/*
 * key - cache keys: the primary key (RFC 9111 2) and those of variants (4.1). Pure.
 *
 * Primary key text: "<zone> <uri>", the URI with scheme, lower-case host and explicit port, its
 * path and query unchanged. GET and HEAD share it; no other method has one. A variant's key text is
 * the primary text, LF, the Vary specification, LF, and the normalised selecting values. Field
 * names and values contain no LF, so two different selections never collide.
 */
#ifndef LARDER_CACHE_KEY_H
#define LARDER_CACHE_KEY_H

#include "base/siphash.h"
#include "http/uri.h"

#define KEY_HASH_SIZE 16

struct cache_key {
    uint8_t hash[KEY_HASH_SIZE]; /* SipHash-1-3-128 of `text`, keyed with the store's secret */
    struct span text;
};

/* `zone` names the part of the configuration that the request belongs to; "" for forward proxy
 * requests. */
void key_primary(const struct uri *uri, struct span zone, const struct sip_key *secret,
                 struct arena *arena, struct cache_key *out);

/* The Vary specification of a response: field names in lower case, sorted, unique, joined by ",".
 * Empty without Vary. False: no other request can match, because a member is "*" or no field name,
 * or there are more than 64. */
bool key_vary_spec(const struct http_fields *response, struct arena *arena, struct span *spec);

/* Are both responses selected by the same fields? A 304 may change Vary (RFC 9111 3.2): then the
 * updated response is under a key that no longer says whom it is for (4.1), and must not answer
 * others. */
bool key_same_vary(const struct http_fields *a, const struct http_fields *b, struct arena *arena);

/* The key of the variant that `request` selects under `spec` (not empty). In values, lines are
 * joined and white space around commas is dropped; Accept-Language is also lowered and ordered by
 * weight. An absent field differs from an empty one. */
void key_variant(const struct cache_key *primary, struct span spec,
                 const struct http_fields *request, const struct sip_key *secret,
                 struct arena *arena, struct cache_key *out);

/* Changes the hash, not the text. */
void key_add_salt(struct cache_key *key, uint64_t salt);

/* Makes the key of a known text, which is borrowed. */
void key_of_text(struct span text, const struct sip_key *secret, struct cache_key *out);

/* The key of the piece that begins at `from`, of the representation under `whole`
 * (cache/partial.h): the text of `whole`, LF, "@" and both numbers. No field name begins with "@",
 * so no variant has such a key. */
void key_piece(const struct cache_key *whole, uint64_t version, uint64_t from,
               const struct sip_key *secret, struct arena *arena, struct cache_key *out);

#endif
