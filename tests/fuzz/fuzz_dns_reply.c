/* What a replica answers to a probe, whole and in pieces: both must come to the same. */
#include "base/check.h"
#include "dnsredir/health/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reply whole, pieces;
    int got = 0;

    reply_begin(&whole);
    reply_begin(&pieces);
    int want = size ? reply_take(&whole, span_of(data, size)) : 0;
    for (size_t at = 0; at < size && got == 0; at++) {
        got = reply_take(&pieces, span_of(data + at, 1));
    }
    CHECK(got == want && whole.status == pieces.status && whole.has_load == pieces.has_load);
    return 0;
}
