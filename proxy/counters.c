#include "proxy/counters.h"

#include "cache/decision_text.h"

#include <stddef.h>

static const char *const outcome_words[] = {
#define X(id, word, squid) word,
    OUTCOMES(X)
#undef X
};

static const char *const reason_words[] = {
#define X(id, word, text) word,
    REASONS(X)
#undef X
};

static const char *const served_words[] = {
#define X(id, word) word,
    SERVINGS(X)
#undef X
};

static const char *const ending_words[] = {
#define X(id, word, squid) word,
    ENDINGS(X)
#undef X
};

static const char *const offence_words[] = {
#define X(id, most, word, text) word,
    H2_OFFENCES(X)
#undef X
};

static const char *const tls_failure_words[] = {
#define X(id, word) word,
    TLS_FAILURES(X)
#undef X
};

static const char *const class_words[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

/* clang-format off */
#define ROW(name, kind, help) METRIC_ROW(struct counters, name, kind, help)
const struct metric counters_rows[] = {
    COUNTERS(ROW)
    {"requests_by_outcome", METRIC_COUNTER, offsetof(struct counters, outcomes),
     "Requests by what the cache did", {{"outcome", outcome_words, OUTCOME_COUNT}}},
    {"requests_by_reason", METRIC_COUNTER, offsetof(struct counters, reasons),
     "Requests by the reason for what the cache did", {{"reason", reason_words, REASON_COUNT}}},
    {"requests_by_served_from", METRIC_COUNTER, offsetof(struct counters, served),
     "Requests by where the stored response was served from",
     {{"from", served_words, SERVED_COUNT}}},
    {"requests_by_end", METRIC_COUNTER, offsetof(struct counters, endings),
     "Requests by how they ended", {{"end", ending_words, ENDING_COUNT}}},
    {"responses_not_stored", METRIC_COUNTER, offsetof(struct counters, not_stored),
     "Fetched responses that were not stored, by reason", {{"reason", reason_words, REASON_COUNT}}},
    {"responses_by_class", METRIC_COUNTER, offsetof(struct counters, status),
     "Responses by class of status", {{"class", class_words, ARRAY_LEN(class_words)}}},
    {"h2_connections_ended", METRIC_COUNTER, offsetof(struct counters, h2_offences),
     "HTTP/2 connections closed for an offence of the client",
     {{"offence", offence_words, H2_OFFENCE_COUNT}}},
    {"tls_handshakes_failed", METRIC_COUNTER, offsetof(struct counters, tls_failures),
     "Failed TLS handshakes with clients, by reason",
     {{"reason", tls_failure_words, TLS_FAILURE_COUNT}}},
    {"hit_seconds", METRIC_HISTOGRAM, offsetof(struct counters, hit_seconds),
     "Time to answer requests without an origin", {{0}}},
    {"miss_seconds", METRIC_HISTOGRAM, offsetof(struct counters, miss_seconds),
     "Time to answer requests that needed an origin", {{0}}},
    {"store_read_seconds", METRIC_HISTOGRAM, offsetof(struct counters, read_seconds),
     "Time requests waited for the disk, of those that did", {{0}}},
    {0},
};
#undef ROW
/* clang-format on */

static void count_store(struct counters *counters, const struct decision *decision)
{
    if (decision->fwd_status == 0 || decision->collapsed) {
        return; /* no response was sent, or another exchange counts it */
    }
    if (decision->stored) {
        metric_add(&counters->stored_responses, 1);
    } else if (decision->store_reason != REASON_VALIDATED) {
        metric_add(&counters->not_stored[decision->store_reason], 1);
    }
}

void counters_bytes(struct counters *counters, const struct byte_count *count)
{
    metric_add(&counters->client_sent_bytes, count->sent);
    metric_add(&counters->client_sendfile_bytes, count->sent_from_files);
    metric_add(&counters->client_received_bytes, count->received);
    if (decision_is_hit(count->decision)) {
        metric_add(&counters->hit_sent_bytes, count->sent);
    } else if (count->decision->outcome == OUTCOME_TUNNEL) {
        metric_add(&counters->tunnel_sent_bytes, count->sent);
    }
}

void counters_exchange(struct counters *counters, const struct exchange_count *count)
{
    const struct decision *decision = count->decision;
    bool hit = decision_is_hit(decision);
    int class = count->status / 100;

    metric_add(&counters->requests, 1);
    metric_add(&counters->outcomes[decision->outcome], 1);
    metric_add(&counters->reasons[decision->reason], 1);
    metric_add(&counters->endings[decision->ending], 1);
    metric_add(&counters->served[decision->served], 1);
    metric_add(&counters->status[class >= 1 && class <= 5 ? class : 0], 1);
    if (hit) {
        metric_add(&counters->hits, 1);
    }
    if (decision->outcome == OUTCOME_TUNNEL) {
        metric_add(&counters->tunnels, 1);
    } else {
        metric_add(&counters->unsaved_sent_bytes,
                   decision_is_savable(decision, &(enum reason){0}) ? count->sent : 0);
        histogram_observe(hit ? &counters->hit_seconds : &counters->miss_seconds,
                          count->elapsed_us);
    }
    if (decision->disk_wait_us) {
        histogram_observe(&counters->read_seconds, decision->disk_wait_us);
    }
    count_store(counters, decision);
}
