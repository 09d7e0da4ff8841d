#include "cache/store/placement.h"

#include "base/check.h"
#include "base/err.h"

#include <math.h>
#include <string.h>
#include <xxhash.h>

#define MAGIC UINT64_C(0x43414c5052444c01) /* "\1LDRPLAC" */

void placement_init(struct placement *placement, const struct sip_key *secret)
{
    *placement = (struct placement){.secret = *secret};
    for (size_t i = 0; i < PLACEMENT_SHARES; i++) {
        placement->shares[i].member = PLACEMENT_NOBODY;
    }
}

void placement_alone(struct placement *placement, const struct placement_member *member)
{
    placement->members[0] = *member;
    placement->count = 1;
    for (size_t i = 0; i < PLACEMENT_SHARES; i++) {
        placement->shares[i] = (struct placement_share){0};
    }
}

/* The number of the member with this uuid, or PLACEMENT_NOBODY. */
static uint8_t member_of(const struct placement_member *members, size_t count,
                         const uint8_t uuid[16])
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(members[i].uuid, uuid, sizeof(members[i].uuid)) == 0) {
            return (uint8_t)i;
        }
    }
    return PLACEMENT_NOBODY;
}

bool placement_is_of(const struct placement *placement, const struct placement_member *members,
                     size_t count)
{
    bool same = placement->count == count;

    for (size_t i = 0; same && i < count; i++) {
        uint8_t number = member_of(placement->members, placement->count, members[i].uuid);
        same = number != PLACEMENT_NOBODY &&
               memcmp(&placement->members[number], &members[i], sizeof(members[i])) == 0;
    }
    return same;
}

/* ---- choosing ---- */

/* The distance of a member from a share; the nearest one has the share. It is exponentially
 * distributed with rate `size`, so that shares are distributed in proportion to size. */
static double distance(const struct placement_member *member, uint32_t share)
{
    uint64_t random = XXH3_64bits_withSeed(&member->seat, sizeof(member->seat), share);
    double unit = ((double)(random >> 11) + 1) / (double)(UINT64_C(1) << 53);

    return -log(unit) / (double)member->size;
}

static uint8_t nearest(const struct placement_member *members, size_t count, uint32_t share)
{
    uint8_t best = PLACEMENT_NOBODY;
    double least = INFINITY;

    for (size_t i = 0; i < count; i++) {
        double far = distance(&members[i], share);
        if (far < least) {
            least = far;
            best = (uint8_t)i;
        }
    }
    return best;
}

void placement_begin(struct placement *placement, uint64_t name,
                     const struct placement_member *members, size_t count, bool forget)
{
    CHECK(count <= PLACEMENT_MEMBERS && name != 0);
    placement->era++;
    memmove(placement->eras + 1, placement->eras, sizeof(placement->eras) - sizeof(uint64_t));
    placement->eras[0] = name;
    for (uint32_t i = 0; i < PLACEMENT_SHARES; i++) {
        struct placement_share *share = &placement->shares[i];
        uint8_t before = share->member == PLACEMENT_NOBODY
                             ? PLACEMENT_NOBODY
                             : member_of(members, count, placement->members[share->member].uuid);
        share->member = nearest(members, count, i);
        if (forget || share->member != before) {
            share->since = placement->era;
        }
    }
    placement->count = count;
    memcpy(placement->members, members, count * sizeof(members[0]));
}

bool placement_knows(const struct placement *placement, const struct placement *other)
{
    uint32_t ago = placement->era - other->era;

    if (other->era > placement->era) {
        return false;
    }
    /* `other` is older than all eras that are remembered, so it has to be believed */
    return other->era == 0 || ago >= PLACEMENT_ERAS || placement->eras[ago] == other->eras[0];
}

/* Uses bytes of the hash that neither choose a guard of the cache nor have the tenure mixed in. */
size_t placement_share_of(const uint8_t hash[16])
{
    uint16_t word;

    memcpy(&word, hash + 10, sizeof(word));
    return word % PLACEMENT_SHARES;
}

/* ---- as bytes ---- */

struct head {
    uint64_t magic;
    uint32_t era, count;
    struct sip_key secret;
    uint64_t eras[PLACEMENT_ERAS];
};

void placement_encode(const struct placement *placement, struct buf *out)
{
    struct head head = {
        .magic = MAGIC,
        .era = placement->era,
        .count = (uint32_t)placement->count,
        .secret = placement->secret,
    };
    size_t start = buf_len(out);

    memcpy(head.eras, placement->eras, sizeof(head.eras));
    buf_append(out, span_of(&head, sizeof(head)));
    buf_append(out, span_of(placement->members, placement->count * sizeof(placement->members[0])));
    for (size_t i = 0; i < PLACEMENT_SHARES; i++) {
        uint32_t word = placement->shares[i].since << 8 | placement->shares[i].member;
        buf_append(out, span_of(&word, sizeof(word)));
    }
    struct span bytes = span_skip(buf_span(out), start);
    uint64_t sum = XXH3_64bits(bytes.at, bytes.len);
    buf_append(out, span_of(&sum, sizeof(sum)));
}

static bool is_sound(struct span bytes, const struct head *head)
{
    size_t size = sizeof(*head) + head->count * sizeof(struct placement_member) +
                  PLACEMENT_SHARES * sizeof(uint32_t) + sizeof(uint64_t);
    uint64_t sum;

    if (head->magic != MAGIC || head->count > PLACEMENT_MEMBERS || bytes.len != size) {
        return false;
    }
    memcpy(&sum, bytes.at + size - sizeof(sum), sizeof(sum));
    return sum == XXH3_64bits(bytes.at, size - sizeof(sum));
}

int placement_decode(struct placement *placement, struct span bytes)
{
    struct head head;

    if (bytes.len < sizeof(head)) {
        return ERR_CORRUPT;
    }
    memcpy(&head, bytes.at, sizeof(head));
    if (!is_sound(bytes, &head)) {
        return ERR_CORRUPT;
    }
    *placement = (struct placement){.era = head.era, .secret = head.secret, .count = head.count};
    memcpy(placement->eras, head.eras, sizeof(head.eras));
    bytes = span_skip(bytes, sizeof(head));
    memcpy(placement->members, bytes.at, head.count * sizeof(placement->members[0]));
    bytes = span_skip(bytes, head.count * sizeof(placement->members[0]));
    for (size_t i = 0; i < PLACEMENT_SHARES; i++) {
        uint32_t word;
        memcpy(&word, bytes.at + i * sizeof(word), sizeof(word));
        uint8_t member = (uint8_t)word;
        placement->shares[i].since = word >> 8;
        placement->shares[i].member = member < head.count ? member : PLACEMENT_NOBODY;
    }
    return 0;
}
