/* What a replica tells of round-trip times, whole and in pieces: both must come to the same, and no
 * number may be out of its bounds. */
#include "base/check.h"
#include "dnsredir/steering/rttreport.h"

struct seen {
    uint64_t sum;
    unsigned lines;
};

static void note(void *arg, const struct rtt_line *line)
{
    struct seen *seen = arg;
    struct prefix prefix = network_prefix(line->network);

    CHECK(network_of_prefix(&prefix) == line->network);
    CHECK(line->us >= 1 && line->us <= RTT_US_MAX);
    CHECK(line->samples >= 1 && line->samples <= RTT_SAMPLES_MAX);
    CHECK(line->age <= RTT_AGE_MAX);
    CHECK(++seen->lines <= RTT_LINES_MAX);
    seen->sum = seen->sum * 31 + line->network + line->us + line->samples + line->age;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rtt_reader whole, pieces;
    struct seen of_whole = {0}, of_pieces = {0};
    int got = 0;

    rtt_reader_begin(&whole, note, &of_whole);
    rtt_reader_begin(&pieces, note, &of_pieces);
    int want = size ? rtt_reader_take(&whole, span_of(data, size)) : 0;
    for (size_t at = 0; at < size && got == 0; at++) {
        got = rtt_reader_take(&pieces, span_of(data + at, 1));
    }
    CHECK(of_whole.sum == of_pieces.sum && of_whole.lines == of_pieces.lines && got == want);
    CHECK(whole.has_head == pieces.has_head);
    if (!want) {
        CHECK(rtt_reader_end(&whole) == rtt_reader_end(&pieces));
        CHECK(whole.epoch == pieces.epoch && whole.next == pieces.next);
    }
    return 0;
}
