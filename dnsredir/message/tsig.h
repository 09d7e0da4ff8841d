/*
 * tsig - signatures of messages with a shared secret (RFC 8945): HMAC of SHA-2. Pure, except that
 * OpenSSL allocates memory; signed messages are rare enough for that. For any thread.
 *
 * query_read() finds the record, tsig_check() judges it and says which record the reply needs, and
 * tsig_sign() adds that record to the finished reply.
 *
 * MACs may be truncated to half of their length, not further (5.2.2.1). A fudge of more than five
 * minutes counts as five.
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
#define TSIG_KEY_NAME_MAX 64 /* bytes of its text, so that signed errors fit every message */
#define TSIG_LEN_MAX 180     /* bytes of a record with such a name */
#define TSIG_BADKEY_LEN_MAX (2 * NAME_MAX_LEN + 26) /* bytes of a record with an unknown name */

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

/* Reads base64 of at least 16 bytes. Returns 0, or ERR_SYNTAX with a description of the fault,
 * which is static text, in *what. */
int tsig_secret_parse(struct span text, struct tsig_secret *out, const char **what);
/* The same for the content of a file: base64 alone, or what tsig-keygen and ddns-confgen write. */
int tsig_secret_parse_file(struct span text, struct tsig_secret *out, const char **what);

/* The key of this name, or NULL. `keys` may be NULL. */
const struct tsig_key *tsig_key_find(const struct tsig_keys *keys, const struct name *name);

/* A TSIG record as received. */
struct tsig {
    size_t at; /* its offset in the message */
    struct name key, algorithm;
    uint64_t time; /* when it was signed: seconds since 1970 */
    uint16_t fudge, original_id, error;
    struct span mac, other; /* in the message */
};

/* Reads the record at offset `at`, which must be the last one of `message`. Returns 0 or
 * ERR_SYNTAX. */
int tsig_read(struct span message, size_t at, struct tsig *out);

/* The TSIG record that the reply is to have. */
struct tsig_reply {
    size_t len;                 /* bytes of the record; 0: the reply has none */
    bool good;                  /* the message was signed with `key`, and in time */
    const struct tsig_key *key; /* signs the reply; NULL: it is not signed */
    uint16_t error, original_id, fudge;
    uint64_t time; /* of the message */
    uint8_t mac_len;
    uint8_t mac[TSIG_MAC_MAX]; /* of the message */
    struct name key_name, algorithm;
};

/* Judges the record of `message` at offset `at`. Returns the rcode to answer with: RCODE_NOERROR if
 * the signature is good, FORMERR, or NOTAUTH with out->error. `now` is in seconds since 1970;
 * `keys` may be NULL. */
unsigned tsig_check(const struct tsig_keys *keys, struct span message, size_t at, uint64_t now,
                    struct tsig_reply *out);

/* Leaves the reply's record out if it has more than `room` bytes, as it may have with the name of
 * an unknown key or algorithm. */
void tsig_reply_fit(struct tsig_reply *reply, size_t room);

/* Turns a good result into BADTIME, because a later message was accepted before (5.2.3). */
void tsig_reply_late(struct tsig_reply *reply);

/* Adds the record to a finished message of `len` bytes, behind which there is room for reply->len
 * more. Returns the new length. */
size_t tsig_sign(const struct tsig_reply *reply, void *message, size_t len, uint64_t now);

/* For clients: signs a query. Writes the MAC to `mac` (may be NULL), and its length to *mac_len.
 * Returns the new length. */
size_t tsig_sign_query(const struct tsig_key *key, void *message, size_t len, uint64_t now,
                       uint16_t fudge, uint8_t mac[TSIG_MAC_MAX], size_t *mac_len);
/* For clients: is the record at offset `at` a good signature of the answer to a query with this
 * MAC? */
bool tsig_is_answer(const struct tsig_key *key, struct span message, size_t at,
                    struct span query_mac);

#endif
