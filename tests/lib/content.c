#include "tests/lib/content.h"

enum { WORD = sizeof(uint64_t) };

/* SplitMix64: the state moves in steps, the finisher makes unrelated numbers of neighbours. */
static const uint64_t STEP = 0x9e3779b97f4a7c15u;

static uint64_t mix(uint64_t x)
{
    x += STEP;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

uint64_t content_seed(struct span path, uint64_t version)
{
    uint64_t seed = mix(version);

    for (size_t i = 0; i < path.len; i++) {
        seed = mix(seed ^ (uint8_t)path.at[i]);
    }
    return seed;
}

/* Part of the word that `offset` lies in; returns how many bytes. */
static size_t fill_part(uint64_t seed, uint64_t offset, char *to, size_t len)
{
    uint64_t word = mix(seed + offset / WORD * STEP);
    size_t skip = (size_t)(offset % WORD);
    size_t n = WORD - skip < len ? WORD - skip : len;

    memcpy(to, (const char *)&word + skip, n);
    return n;
}

void content_fill(uint64_t seed, uint64_t offset, void *out, size_t len)
{
    char *to = out;
    size_t done = offset % WORD && len > 0 ? fill_part(seed, offset, to, len) : 0;

    uint64_t state = seed + (offset + done) / WORD * STEP;
    for (; len - done >= WORD; done += WORD) {
        uint64_t word = mix(state);
        memcpy(to + done, &word, WORD);
        state += STEP;
    }
    if (done < len) {
        fill_part(seed, offset + done, to + done, len - done);
    }
}

size_t content_compare(uint64_t seed, uint64_t offset, struct span bytes)
{
    size_t done = 0;

    while (done < bytes.len) {
        char want[256];
        size_t n = bytes.len - done < sizeof(want) ? bytes.len - done : sizeof(want);
        content_fill(seed, offset + done, want, n);
        for (size_t i = 0; i < n; i++) {
            if (bytes.at[done + i] != want[i]) {
                return done + i;
            }
        }
        done += n;
    }
    return done;
}
