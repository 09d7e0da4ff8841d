/*
 * cookie - DNS cookies (RFC 7873) as all servers of an anycast set make them (RFC 9018): who brings
 * one back has received an answer at its address, so it is not forged. Pure; keeps nothing about
 * clients.
 */
#ifndef LARDER_DNSREDIR_MESSAGE_COOKIE_H
#define LARDER_DNSREDIR_MESSAGE_COOKIE_H

#include "base/prefix.h"
#include "base/siphash.h"

#define COOKIE_CLIENT_LEN 8
#define COOKIE_SERVER_LEN 16 /* of version 1, the one that is made here */
#define COOKIE_SECRETS_MAX 4

/* The first makes cookies, all are good for checking (RFC 9018 5). count 0: no cookies at all. */
struct cookie_secrets {
    unsigned count;
    struct sip_key keys[COOKIE_SECRETS_MAX];
};

enum cookie_mode { COOKIES_OFF, COOKIES_ON, COOKIES_REQUIRED };

/* "e5e973e5a6b2a43f48e7dc849e37bfcf": 32 hexadecimal digits. 0 or ERR_SYNTAX. */
int cookie_secret_parse(struct span text, struct sip_key *out);

enum cookie_state {
    COOKIE_NONE,   /* no option */
    COOKIE_CLIENT, /* the client's half alone */
    COOKIE_BAD,    /* with a server's half that is not ours, for this address, or too old */
    COOKIE_GOOD,
};

/* What the option of a query (8, or 16 to 40 bytes; empty: none) is worth at `now`, seconds since
 * 1970; the comparison survives 2106 (RFC 9018 4.3). `reply` gets the server's half for the answer,
 * the one that came as long as it is young; nothing with COOKIE_NONE. */
enum cookie_state cookie_check(const struct cookie_secrets *secrets, struct span option,
                               const struct ip *client, uint32_t now,
                               uint8_t reply[COOKIE_SERVER_LEN]);

#endif
