/*
 * tsig - signatures of messages with a shared secret (RFC 8945): HMAC of SHA-2. Pure but for what
 * OpenSSL allocates meanwhile; any thread. Signed messages are rare, and may cost that.
 *
 *     query_read() finds the record, tsig_check() judges it and says what the reply is to have,
 *     tsig_sign() adds that behind the finished reply.
 *
 * MACs may be cut to half of their length, not further (5.2.2.1). Fudges of more than five minutes
 * are taken for five.
 */
#ifndef LARDER_DNSREDIR_MESSAGE_TSIG_H
#define LARDER_DNSREDIR_MESSAGE_TSIG_H

#include "dnsredir/message/name.h"

enum tsig_algorithm { TSIG_SHA256, TSIG_SHA384, TSIG_SHA512, TSIG_ALGORITHMS };
extern const char *const tsig_words[TSIG_ALGORITHMS + 1]; /* ends with NULL */

/* In the error field (RFC 8945 3). */
enum tsig_error { TSIG_BADSIG = 16, TSIG_BADKEY = 17, TSIG_BADTIME = 18 };

#define TSIG_FUDGE 300
#define TSIG_MAC_MAX 64
#define TSIG_SECRET_MAX 128
#define TSIG_KEY_NAME_MAX 64 /* as text, so that signed errors fit everywhere */
#define TSIG_LEN_MAX 180     /* of a record with such a name */
#define TSIG_BADKEY_LEN_MAX (2 * NAME_MAX_LEN + 26) /* with a name of a stranger's */

struct tsig_secret {
    size_t len;
    uint8_t at[TSIG_SECRET_MAX];
};

struct tsig_key {
    struct name name;
    enum tsig_algorithm algorithm;
    struct tsig_secret secret;
};

struct tsig_keys {
    const struct tsig_key *list;
    size_t count;
};

/* Base64, at least 16 bytes of it. ERR_SYNTAX, and *what names the fault. */
int tsig_secret_parse(struct span text, struct tsig_secret *out, const char **what);
/* The same from a file's text: base64 alone, or what tsig-keygen and ddns-confgen write. */
int tsig_secret_parse_file(struct span text, struct tsig_secret *out, const char **what);

/* NULL: none is called so. `keys` may be NULL. */
const struct tsig_key *tsig_key_find(const struct tsig_keys *keys, const struct name *name);

/* A record as it came. */
struct tsig {
    size_t at; /* where it begins in the message */
    struct name key, algorithm;
    uint64_t time; /* when it was signed: seconds since 1970 */
    uint16_t fudge, original_id, error;
    struct span mac, other; /* in the message */
};

/* Reads the record that begins at `at` and must be the last of `message`. 0 or ERR_SYNTAX. */
int tsig_read(struct span message, size_t at, struct tsig *out);

/* What the reply's record says. */
struct tsig_reply {
    size_t len;                 /* of the record; 0: the reply has none */
    bool good;                  /* the message is from whoever has `key`, and in time */
    const struct tsig_key *key; /* signs the reply; NULL: it is not signed */
    uint16_t error, original_id, fudge;
    uint64_t time; /* of the message */
    uint8_t mac_len;
    uint8_t mac[TSIG_MAC_MAX]; /* of the message */
    struct name key_name, algorithm;
};

/* Judges the record of `message` at `at`. The code to answer with: RCODE_NOERROR (good), FORMERR,
 * or NOTAUTH with the reply's error. `now` in seconds since 1970; `keys` may be NULL. */
unsigned tsig_check(const struct tsig_keys *keys, struct span message, size_t at, uint64_t now,
                    struct tsig_reply *out);

/* Leaves the reply's record out if it has more than `room` bytes, which only those with the name of
 * a stranger's key or algorithm can. */
void tsig_reply_fit(struct tsig_reply *reply, size_t room);

/* The signature was good, but an older one has been seen since: as BADTIME (5.2.3). */
void tsig_reply_late(struct tsig_reply *reply);

/* Adds the record to a finished message of `len` bytes; `room` has reply->len more. Returns the
 * new length. */
size_t tsig_sign(const struct tsig_reply *reply, void *message, size_t len, uint64_t now);

/* For clients: signs a query. `mac` (may be NULL) gets the MAC, *mac_len its length. */
size_t tsig_sign_query(const struct tsig_key *key, void *message, size_t len, uint64_t now,
                       uint16_t fudge, uint8_t mac[TSIG_MAC_MAX], size_t *mac_len);
/* Is the record of the answer at `at` good, to a query with that MAC? */
bool tsig_is_answer(const struct tsig_key *key, struct span message, size_t at,
                    struct span query_mac);

#endif
