/*
 * counters - what each worker counts. Only readers add up; help texts stand beside the names.
 */
#ifndef LARDER_PROXY_COUNTERS_H
#define LARDER_PROXY_COUNTERS_H

#include "base/metrics.h"
#include "base/check.h"
#include "cache/decision.h"
#include "proxy/stream/h2_guard.h"
#include "proxy/stream/tls.h"

/* clang-format off */
#define COUNTERS(X)                                                                                \
    X(requests,              COUNTER, "Requests answered, or given up by the client")              \
    X(hits,                  COUNTER, "Requests answered without asking an origin")                \
    X(client_connections,    COUNTER, "Client connections accepted")                               \
    X(clients_open,          GAUGE,   "Open client connections")                          \
    X(h2_open,               GAUGE,   "Open client connections that use HTTP/2")                         \
    X(tls_open,              GAUGE,   "Open client connections over TLS")                                  \
    X(tunnels_open,          GAUGE,   "Tunnels that are open or being opened")                     \
    X(tls_handshakes,        COUNTER, "Full TLS handshakes with clients")                \
    X(tls_resumed,           COUNTER, "TLS sessions resumed by clients")          \
    X(h2_connections,        COUNTER, "Client connections that spoke HTTP/2")                      \
    X(h2_streams_broken,     COUNTER, "Streams reset with INTERNAL_ERROR because the response was cut off")     \
    X(clients_refused,       COUNTER, "Client connections closed for lack of connections, memory or descriptors") \
    X(clients_evicted,       COUNTER, "Client connections, idle or hardly moving, closed to make room for others") \
    X(bad_heads,             COUNTER, "Requests whose head was malformed, too long or too late")   \
    X(hosts_overruled,       COUNTER, "Requests for a full URL with a different host in the Host header")  \
    X(client_sent_bytes,     COUNTER, "Bytes sent to clients")                                     \
    X(client_received_bytes, COUNTER, "Bytes received from clients")                               \
    X(client_sendfile_bytes, COUNTER, "Bytes sent to clients by sendfile from the store")          \
    X(hit_sent_bytes,        COUNTER, "Bytes sent to clients without asking an origin")            \
    X(tunnel_sent_bytes,     COUNTER, "Bytes sent to clients through tunnels")                     \
    X(unsaved_sent_bytes,    COUNTER, "Bytes sent to clients of responses that could not be stored") \
    X(origin_received_bytes, COUNTER, "Bytes of bodies received from origins")                     \
    X(fetches_open,          GAUGE,   "Requests to origins in progress")                    \
    X(origin_fetches,        COUNTER, "Requests sent to origins")                                  \
    X(origin_tls_handshakes, COUNTER, "Full TLS handshakes with origins")            \
    X(origin_tls_resumed,    COUNTER, "TLS sessions resumed with origins")      \
    X(origin_retries,        COUNTER, "Requests repeated: a kept connection or an origin was dead") \
    X(stored_responses,      COUNTER, "Responses stored in the cache")                               \
    X(tunnels,               COUNTER, "Tunnels opened by CONNECT")
/* clang-format on */

struct counters {
    METRIC_FIELDS(COUNTERS)
    metric_value outcomes[OUTCOME_COUNT];
    metric_value reasons[REASON_COUNT];
    metric_value endings[ENDING_COUNT];
    metric_value not_stored[REASON_COUNT];
    metric_value served[SERVED_COUNT];
    metric_value h2_offences[H2_OFFENCE_COUNT];
    metric_value tls_failures[TLS_FAILURE_COUNT];
    metric_value status[6]; /* by class (status / 100); 0: no response was sent */
    struct histogram hit_seconds;
    struct histogram miss_seconds;
    struct histogram read_seconds;
};

/* All of it as rows for metrics_write(); an empty row ends them. */
extern const struct metric counters_rows[];

/* Bytes of one exchange since it was last counted. */
struct byte_count {
    const struct decision *decision;
    uint64_t sent, sent_from_files, received;
};
void counters_bytes(struct counters *counters, const struct byte_count *count);

/* A finished exchange, without its bytes. */
struct exchange_count {
    const struct decision *decision;
    int status;
    uint64_t elapsed_us, sent; /* bytes sent in all */
};
void counters_exchange(struct counters *counters, const struct exchange_count *count);

#endif
