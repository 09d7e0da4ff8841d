#include "proxy/stream/h2_guard.h"

#include <string.h>

enum { UPDATES_PER_FRAME = 4 };

/* What DATA frames cause besides: the windows are opened again, and gRPC peers measure every round
 * trip of a download with a PING. */
static unsigned earned(const struct h2_guard *guard, enum h2_offence offence)
{
    switch (offence) {
    case H2_OFFENCE_WINDOW_UPDATES:
        return (unsigned)guard->sent * UPDATES_PER_FRAME;
    case H2_OFFENCE_PINGS:
        return guard->sent;
    default:
        return 0;
    }
}

static unsigned allowance(const struct h2_guard *guard, enum h2_offence offence)
{
    static const uint16_t most[] = {
#define X(id, most, word, text) most,
        H2_OFFENCES(X)
#undef X
    };

    return most[offence] + earned(guard, offence);
}

bool h2_guard_allows(struct h2_guard *guard, enum h2_offence offence, uint64_t now_ms)
{
    if (now_ms - guard->since_ms >= H2_GUARD_WINDOW_MS) {
        memset(guard->count, 0, sizeof(guard->count));
        guard->sent = 0;
        guard->since_ms = now_ms;
    }
    if (guard->count[offence] < UINT16_MAX) {
        guard->count[offence]++;
    }
    return guard->count[offence] <= allowance(guard, offence);
}

void h2_guard_sent(struct h2_guard *guard)
{
    if (guard->sent < UINT16_MAX) {
        guard->sent++;
    }
}

const char *h2_offence_word(enum h2_offence offence)
{
    static const char *const words[] = {
#define X(id, most, word, text) word,
        H2_OFFENCES(X)
#undef X
    };

    return words[offence];
}

const char *h2_offence_text(enum h2_offence offence)
{
    static const char *const texts[] = {
#define X(id, most, word, text) text,
        H2_OFFENCES(X)
#undef X
    };

    return texts[offence];
}
