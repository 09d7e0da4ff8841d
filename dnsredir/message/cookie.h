/*
 * cookie - DNS cookies (RFC 7873) in the form that all servers of an anycast set share (RFC 9018).
 * A client that brings one back has received an answer at its address, so the address is not
 * forged. Pure; nothing is kept about clients.
 */
#ifndef LARDER_DNSREDIR_MESSAGE_COOKIE_H
#define LARDER_DNSREDIR_MESSAGE_COOKIE_H

#include "base/prefix.h"
#include "base/siphash.h"

#define COOKIE_CLIENT_LEN 8
#define COOKIE_SERVER_LEN 16 /* of version 1, the one that is made here */
#define COOKIE_SECRETS_MAX 4

/* The first secret makes cookies; all of them are valid for checking (RFC 9018 5). With a count of
 * 0 there are no cookies at all. */
struct cookie_secrets {
    unsigned count;
    struct sip_key keys[COOKIE_SECRETS_MAX];
};

enum cookie_mode { COOKIES_OFF, COOKIES_ON, COOKIES_REQUIRED };

/* Reads 32 hexadecimal digits, such as "e5e973e5a6b2a43f48e7dc849e37bfcf". Returns 0 or ERR_SYNTAX.
 */
int cookie_secret_parse(struct span text, struct sip_key *out);

enum cookie_state {
    COOKIE_NONE,   /* the query has no cookie option */
    COOKIE_CLIENT, /* the client's half alone */
    COOKIE_BAD,    /* the server's half is not ours, not for this address, or too old */
    COOKIE_GOOD,
};

/* Checks the cookie option of a query: 8, or 16 to 40 bytes; empty: there is none. `now` is in
 * seconds since 1970, and compared so that it works beyond 2106 (RFC 9018 4.3). Unless it returns
 * COOKIE_NONE it writes the server's half for the answer to `reply`: the one that came, as long as
 * it is young, or a new one. */
enum cookie_state cookie_check(const struct cookie_secrets *secrets, struct span option,
                               const struct ip *client, uint32_t now,
                               uint8_t reply[COOKIE_SERVER_LEN]);

#endif
