#include "cache/decision.h"

#include "base/check.h"
#include "http/names.h"
#include "http/put.h"

struct span outcome_word(enum outcome outcome)
{
    static const struct span words[OUTCOME_COUNT] = {
#define X(id, word, squid) SPAN_INIT(word),
        OUTCOMES(X)
#undef X
    };
    CHECK(outcome < OUTCOME_COUNT);
    return words[outcome];
}

struct span outcome_squid(enum outcome outcome)
{
    static const struct span words[OUTCOME_COUNT] = {
#define X(id, word, squid) SPAN_INIT(squid),
        OUTCOMES(X)
#undef X
    };
    CHECK(outcome < OUTCOME_COUNT);
    return words[outcome];
}

struct span reason_word(enum reason reason)
{
    static const struct span words[REASON_COUNT] = {
#define X(id, word, text) SPAN_INIT(word),
        REASONS(X)
#undef X
    };
    CHECK(reason < REASON_COUNT);
    return words[reason];
}

struct span reason_text(enum reason reason)
{
    static const struct span texts[REASON_COUNT] = {
#define X(id, word, text) SPAN_INIT(text),
        REASONS(X)
#undef X
    };
    CHECK(reason < REASON_COUNT);
    return texts[reason];
}

/* ---- Cache-Status ---- */

/* Room for the longest parameters below; the name comes on top. */
#define PARAMETERS_MAX 160

/* A name in quotes with each of its characters escaped, and the parameters. */
static size_t status_size(struct span name)
{
    return 2 * name.len + 2 + PARAMETERS_MAX;
}

/* An sf-token starts with a letter (RFC 9651 3.3.4); anything else is written as an sf-string. */
static bool is_sf_token(struct span name)
{
    char first = name.len ? ascii_lower(name.at[0]) : '0';

    return first >= 'a' && first <= 'z' && http_is_token(name);
}

/* Bytes an sf-string cannot carry are left out. */
static char *put_name(char *out, struct span name)
{
    if (is_sf_token(name)) {
        return put_span(out, name);
    }
    *out++ = '"';
    for (size_t i = 0; i < name.len; i++) {
        if (name.at[i] < ' ' || name.at[i] > '~') {
            continue;
        }
        if (name.at[i] == '"' || name.at[i] == '\\') {
            *out++ = '\\';
        }
        *out++ = name.at[i];
    }
    *out++ = '"';
    return out;
}

/* Answered without asking the origin (RFC 9211 2.1). */
static bool is_hit(const struct decision *decision)
{
    switch (decision->outcome) {
    case OUTCOME_HIT:
    case OUTCOME_HIT_MEMORY:
        return true;
    case OUTCOME_STALE:
        return decision->reason != REASON_STALE_IF_ERROR;
    case OUTCOME_NONE:
    case OUTCOME_REVALIDATED:
    case OUTCOME_MODIFIED:
    case OUTCOME_COLLAPSED:
    case OUTCOME_PARTIAL:
    case OUTCOME_MISS:
    case OUTCOME_PASS:
    case OUTCOME_TUNNEL:
    case OUTCOME_DENIED:
    case OUTCOME_LOCAL:
    case OUTCOME_ERROR:
    case OUTCOME_COUNT:
        return false;
    }
    UNREACHABLE();
}

/* Why a request that could be answered from the cache went to the origin (RFC 9211 2.2). */
static struct span fwd_by_reason(enum reason reason)
{
    switch (reason) {
    case REASON_NOT_STORED:
        return SPAN("uri-miss");
    case REASON_VARY_MISS:
        return SPAN("vary-miss");
    case REASON_REQUEST_NO_CACHE:
    case REASON_REQUEST_MAX_AGE:
    case REASON_REQUEST_MIN_FRESH:
    case REASON_REQUEST_NO_STORE:
    case REASON_AUTHORIZATION:
        return SPAN("request");
    case REASON_RANGE:
    case REASON_PARTIAL:
        return SPAN("partial");
    default:
        return SPAN("miss");
    }
}

/* The value of fwd, or an empty span when the origin was not meant to be asked. */
static struct span fwd_of(const struct decision *decision)
{
    struct span by_reason = fwd_by_reason(decision->reason);

    switch (decision->outcome) {
    case OUTCOME_STALE:
    case OUTCOME_REVALIDATED:
    case OUTCOME_MODIFIED:
        return span_eq(by_reason, SPAN("request")) ? by_reason : SPAN("stale");
    case OUTCOME_PARTIAL:
        return SPAN("partial");
    case OUTCOME_COLLAPSED:
    case OUTCOME_MISS:
        return by_reason;
    case OUTCOME_PASS:
    case OUTCOME_TUNNEL:
        return decision->reason == REASON_METHOD ? SPAN("method") : SPAN("bypass");
    case OUTCOME_NONE:
    case OUTCOME_HIT:
    case OUTCOME_HIT_MEMORY:
    case OUTCOME_DENIED:
    case OUTCOME_LOCAL:
    case OUTCOME_ERROR:
    case OUTCOME_COUNT:
        return SPAN_EMPTY;
    }
    UNREACHABLE();
}

static char *put_hit(char *out, const struct decision *decision)
{
    out = put_span(out, SPAN("; hit"));
    if (decision->lifetime >= 0 && decision->age >= 0) {
        int64_t ttl = decision->lifetime - decision->age;
        out = put_span(out, ttl < 0 ? SPAN("; ttl=-") : SPAN("; ttl="));
        out = put_number(out, (uint64_t)(ttl < 0 ? -ttl : ttl));
    }
    return out;
}

static char *put_forward(char *out, const struct decision *decision)
{
    struct span fwd = fwd_of(decision);

    if (fwd.len) {
        out = put_span(put_span(out, SPAN("; fwd=")), fwd);
    }
    if (fwd.len && decision->fwd_status > 0) {
        out = put_number(put_span(out, SPAN("; fwd-status=")), (uint64_t)decision->fwd_status);
    }
    if (decision->stored) {
        out = put_span(out, SPAN("; stored"));
    }
    if (decision->collapsed || decision->outcome == OUTCOME_COLLAPSED) {
        out = put_span(out, SPAN("; collapsed"));
    }
    return out;
}

/* What hit, fwd and stored do not say yet: why a response was not stored, else why all this. */
static enum reason detail_of(const struct decision *decision)
{
    if (decision->store_reason != REASON_NONE && decision->store_reason != REASON_STORED) {
        return decision->store_reason;
    }
    switch (decision->reason) {
    case REASON_FRESH:
    case REASON_NOT_STORED:
    case REASON_VARY_MISS:
    case REASON_STALE:
    case REASON_METHOD:
    case REASON_PARTIAL_MISS:
        return REASON_NONE;
    default:
        return decision->reason;
    }
}

struct span decision_cache_status(const struct decision *decision, struct span name,
                                  struct arena *arena)
{
    char *start = arena_alloc(arena, status_size(name));
    char *out = put_name(start, name);
    enum reason detail = detail_of(decision);

    out = is_hit(decision) ? put_hit(out, decision) : put_forward(out, decision);
    if (detail != REASON_NONE) {
        out = put_span(out, SPAN("; detail="));
        out = put_span(out, reason_word(detail));
    }
    CHECK(out <= start + status_size(name));
    return span_from_to(start, out);
}
