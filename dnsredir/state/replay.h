/*
 * replay - remembers which signed messages were accepted (RFC 8945 5.2.3), so that none is carried
 * out twice. Pure.
 *
 * For each key it keeps the second of the newest message, and of each message accepted in that
 * second a hash of the MAC and the rcode of its answer. An older message is refused. One of the
 * same second whose MAC is known is a repetition, and gets the same answer again.
 *
 * Stored form: the time in 8 bytes, then for each message 8 bytes of hash and 2 of rcode.
 */
#ifndef LARDER_DNSREDIR_STATE_REPLAY_H
#define LARDER_DNSREDIR_STATE_REPLAY_H

#include "base/span.h"

/* Messages of one key in one second; more are answered SERVFAIL. */
#define REPLAY_MAX 256

struct replay {
    uint64_t time;
    size_t count;
    uint64_t macs[REPLAY_MAX];
    uint16_t rcodes[REPLAY_MAX];
};
#define REPLAY_STORED_MAX (8 + REPLAY_MAX * 10)

enum replay_verdict {
    REPLAY_NEW,
    REPLAY_OLD,     /* older than the newest: delayed, or replayed */
    REPLAY_AGAIN,   /* a repetition: *rcode is that of its answer */
    REPLAY_TOO_MANY /* in this second */
};

/* Reads the stored form. If that is damaged, all messages of its second count as accepted. */
void replay_load(struct replay *replay, struct span stored);
/* Writes the stored form to `out`, which has REPLAY_STORED_MAX bytes. Returns its length. */
size_t replay_store(const struct replay *replay, uint8_t *out);

/* Judges a message signed at `time`, seconds since 1970. */
enum replay_verdict replay_look(const struct replay *replay, uint64_t time, struct span mac,
                                uint16_t *rcode);
/* Notes a message that was REPLAY_NEW, and the rcode it is answered with. */
void replay_take(struct replay *replay, uint64_t time, struct span mac, uint16_t rcode);

#endif
