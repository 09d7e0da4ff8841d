/*
 * replay - which signed messages were taken before (RFC 8945 5.2.3): none is taken twice. Pure.
 *
 * Kept for each key is the second of its newest message, and a hash of the MAC of each that was
 * taken of that second, with the code it was answered with. What is older is refused; what is of
 * the same second and there already is a repetition, and gets the same answer again.
 *
 * Stored as the time in 8 bytes, and for each message 8 bytes of hash and 2 of code.
 */
#ifndef LARDER_DNSREDIR_STATE_REPLAY_H
#define LARDER_DNSREDIR_STATE_REPLAY_H

#include "base/span.h"

/* Of one key and second; more are put off. */
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
    REPLAY_OLD,     /* older than the newest: late, or played back */
    REPLAY_AGAIN,   /* *rcode is what it was answered with */
    REPLAY_TOO_MANY /* in this second */
};

/* From what was stored; anything damaged is as if all of its second had been taken. */
void replay_load(struct replay *replay, struct span stored);
/* Into REPLAY_STORED_MAX bytes; returns how many. */
size_t replay_store(const struct replay *replay, uint8_t *out);

enum replay_verdict replay_look(const struct replay *replay, uint64_t time, struct span mac,
                                uint16_t *rcode);
/* Takes a message that is REPLAY_NEW. */
void replay_take(struct replay *replay, uint64_t time, struct span mac, uint16_t rcode);

#endif
