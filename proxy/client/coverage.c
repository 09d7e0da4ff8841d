#include "proxy/client/coverage.h"

enum coverage coverage_of(struct partial *parts, const struct body_parts *body)
{
    enum coverage coverage = COVERS_ALL;
    uint64_t length = partial_length(parts);

    for (size_t i = 0; i < body->count; i++) {
        uint64_t from = body->at[i].from;
        uint64_t to = body->at[i].to < length ? body->at[i].to : length;
        if (!partial_covers(parts, from, to, true)) {
            return COVERS_SOME;
        }
        if (!partial_covers(parts, from, to, false)) {
            coverage = COVERS_COMING;
        }
    }
    return coverage;
}

void coverage_note(enum coverage coverage, struct decision *decision)
{
    if (coverage == COVERS_ALL || !decision_is_hit(decision)) {
        return;
    }
    decision->forward = FORWARD_PARTIAL;
    decision->collapsed = coverage == COVERS_COMING;
    if (decision->outcome == OUTCOME_STALE) {
        return; /* the reason why a stale response may be used is more informative */
    }
    decision->reason = REASON_PARTIAL_MISS;
    decision->outcome = coverage == COVERS_COMING ? OUTCOME_COLLAPSED : OUTCOME_PARTIAL;
}
