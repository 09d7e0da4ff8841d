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

struct span forward_word(enum forward forward)
{
    static const struct span words[FORWARD_COUNT] = {
#define X(id, word) SPAN_INIT(word),
        FORWARDS(X)
#undef X
    };
    CHECK(forward < FORWARD_COUNT);
    return words[forward];
}

struct span served_word(enum served served)
{
    static const struct span words[SERVED_COUNT] = {
#define X(id, word) SPAN_INIT(word),
        SERVINGS(X)
#undef X
    };
    CHECK(served < SERVED_COUNT);
    return words[served];
}

struct span ending_word(enum ending ending)
{
    static const struct span words[ENDING_COUNT] = {
#define X(id, word, squid) SPAN_INIT(word),
        ENDINGS(X)
#undef X
    };
    CHECK(ending < ENDING_COUNT);
    return words[ending];
}

struct span ending_squid(enum ending ending)
{
    static const struct span words[ENDING_COUNT] = {
#define X(id, word, squid) SPAN_INIT(squid),
        ENDINGS(X)
#undef X
    };
    CHECK(ending < ENDING_COUNT);
    return words[ending];
}

bool decision_is_hit(const struct decision *decision)
{
    switch (decision->outcome) {
    case OUTCOME_HIT:
    case OUTCOME_HIT_MEMORY:
        return true;
    case OUTCOME_STALE:
        return decision->forward == FORWARD_NONE;
    default:
        return false;
    }
}

void decision_note_disk(struct decision *decision, uint64_t waited_us)
{
    bool waited = waited_us > 0;

    decision->disk_wait_us = waited_us;
    switch (decision->outcome) {
    case OUTCOME_HIT_MEMORY:
        decision->outcome = waited ? OUTCOME_HIT : OUTCOME_HIT_MEMORY;
        break;
    case OUTCOME_HIT:
    case OUTCOME_STALE:
    case OUTCOME_REVALIDATED:
    case OUTCOME_PARTIAL:
        break;
    default:
        decision->served = SERVED_NONE;
        return;
    }
    decision->served = waited ? SERVED_COLD : decision->served;
}

/* ---- Cache-Status ---- */

/* Room for the longest parameters below, without name and key. */
#define PARAMETERS_MAX 192

/* Size of a quoted string in which every character has to be escaped. */
static size_t string_size(struct span text)
{
    return 2 * text.len + 2;
}

/* An sf-token starts with a letter (RFC 9651 3.3.4); anything else is written as an sf-string. */
static bool is_sf_token(struct span name)
{
    char first = name.len ? ascii_lower(name.at[0]) : '0';

    return first >= 'a' && first <= 'z' && http_is_token(name);
}

static char *put_sf_string(char *out, struct span text)
{
    *out++ = '"';
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i] < ' ' || text.at[i] > '~' ? ' ' : text.at[i];
        if (c == '"' || c == '\\') {
            *out++ = '\\';
        }
        *out++ = c;
    }
    *out++ = '"';
    return out;
}

static char *put_name(char *out, struct span name)
{
    return is_sf_token(name) ? put_span(out, name) : put_sf_string(out, name);
}

static char *put_ttl(char *out, const struct decision *decision)
{
    if (decision->lifetime < 0 || decision->age < 0) {
        return out;
    }
    int64_t ttl = decision->lifetime - decision->age;
    out = put_span(out, ttl < 0 ? SPAN("; ttl=-") : SPAN("; ttl="));
    return put_number(out, (uint64_t)(ttl < 0 ? -ttl : ttl));
}

static char *put_forward(char *out, const struct decision *decision)
{
    if (decision->forward == FORWARD_NONE) {
        return out;
    }
    out = put_span(put_span(out, SPAN("; fwd=")), forward_word(decision->forward));
    if (decision->fwd_status > 0) {
        out = put_number(put_span(out, SPAN("; fwd-status=")), (uint64_t)decision->fwd_status);
    }
    if (decision->stored) {
        out = put_span(out, SPAN("; stored"));
    }
    return decision->collapsed ? put_span(out, SPAN("; collapsed")) : out;
}

/* The reason that the parameters hit, fwd and stored do not tell: why the response was not stored,
 * or else why the outcome. */
static enum reason detail_of(const struct decision *decision)
{
    enum reason kept = decision->store_reason;

    if (kept != REASON_NONE && kept != REASON_STORED && kept != REASON_VALIDATED &&
        kept != decision->reason) {
        return kept;
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
                                  struct span key, struct arena *arena)
{
    struct span shown = span_take(key, CACHE_STATUS_KEY_MAX);
    size_t size = string_size(name) + string_size(shown) + PARAMETERS_MAX;
    char *start = arena_alloc(arena, size);
    char *out = put_name(start, name);
    enum reason detail = detail_of(decision);

    out = decision_is_hit(decision) ? put_span(out, SPAN("; hit")) : put_forward(out, decision);
    out = put_ttl(out, decision);
    if (shown.len) {
        out = put_sf_string(put_span(out, SPAN("; key=")), shown);
    }
    if (detail != REASON_NONE) {
        out = put_span(put_span(out, SPAN("; detail=")), reason_word(detail));
    } else if (decision->served > SERVED_MEMORY && decision_is_hit(decision)) {
        out = put_span(put_span(out, SPAN("; detail=")), served_word(decision->served));
    }
    CHECK((size_t)(out - start) <= size);
    return span_from_to(start, out);
}

struct span decision_name(struct span name, struct arena *arena)
{
    char *start = arena_alloc(arena, string_size(name));

    return span_from_to(start, put_name(start, name));
}
