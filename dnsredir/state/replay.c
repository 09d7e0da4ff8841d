#include "dnsredir/state/replay.h"

#include "base/check.h"
#include "base/wire.h"

void replay_load(struct replay *replay, struct span stored)
{
    struct wire_in in = wire_in_of(stored.at ? stored.at : "", stored.len);

    replay->time = 0;
    replay->count = 0;
    if (stored.len == 0) {
        return;
    }
    replay->time = wire_get_u64(&in);
    while (!in.failed && wire_left(&in) && replay->count < REPLAY_MAX) {
        replay->macs[replay->count] = wire_get_u64(&in);
        replay->rcodes[replay->count++] = wire_get_u16(&in);
    }
    if (in.failed) {
        memset(replay->macs, 0, sizeof(replay->macs));
        memset(replay->rcodes, 0, sizeof(replay->rcodes));
        replay->count = REPLAY_MAX;
    }
}

size_t replay_store(const struct replay *replay, uint8_t *out)
{
    struct wire_out wire = wire_out_of(out, REPLAY_STORED_MAX);

    wire_put_u64(&wire, replay->time);
    for (size_t i = 0; i < replay->count; i++) {
        wire_put_u64(&wire, replay->macs[i]);
        wire_put_u16(&wire, replay->rcodes[i]);
    }
    CHECK(!wire.failed);
    return wire_out_len(&wire);
}

/* MACs look random, so the first bytes of one serve as its hash. */
static uint64_t hash_of(struct span mac)
{
    uint64_t hash = 0;

    CHECK(mac.len >= sizeof(hash));
    memcpy(&hash, mac.at, sizeof(hash));
    return hash;
}

enum replay_verdict replay_look(const struct replay *replay, uint64_t time, struct span mac,
                                uint16_t *rcode)
{
    uint64_t hash = hash_of(mac);

    if (time != replay->time) {
        return time < replay->time ? REPLAY_OLD : REPLAY_NEW;
    }
    for (size_t i = 0; i < replay->count; i++) {
        if (replay->macs[i] == hash) {
            *rcode = replay->rcodes[i];
            return REPLAY_AGAIN;
        }
    }
    return replay->count < REPLAY_MAX ? REPLAY_NEW : REPLAY_TOO_MANY;
}

void replay_take(struct replay *replay, uint64_t time, struct span mac, uint16_t rcode)
{
    if (time != replay->time) {
        replay->time = time;
        replay->count = 0;
    }
    CHECK(replay->count < REPLAY_MAX);
    replay->macs[replay->count] = hash_of(mac);
    replay->rcodes[replay->count++] = rcode;
}
