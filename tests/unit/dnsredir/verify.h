/*
 * verify - a validator of its own for the tests: reads a response, and holds every signature in it
 * against the set it covers, by OpenSSL and the text of RFC 4034 alone.
 */
#ifndef LARDER_TESTS_VERIFY_H
#define LARDER_TESTS_VERIFY_H

#include "dialogue.h"

#include "dnsredir/zone/dnssec.h"

/* How many signatures the last answer has. Fails the test when one is wrong, of a key that is not
 * of the zone, or when a set of the answer or authority section has none, but for NS records in
 * the authority section, which a referral has. */
unsigned verify_answer(const struct dialogue *d);

/* The bytes under the signature of OpenSSL's verification: `bytes` by the public half of `key`. */
bool verify_bytes(const struct dnssec_key *key, struct span bytes, const uint8_t *signature);

/* RFC 4034 6.1: < 0, 0, > 0. */
int compare_names(const struct name *a, const struct name *b);

/* Does the last answer have an NSEC record that covers the name? */
bool has_cover(const struct dialogue *d, const char *name);

#endif
