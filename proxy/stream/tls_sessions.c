#include "proxy/stream/tls_sessions.h"

#include "base/mem.h"
#include "base/wire.h"

struct entry {
    struct tls_session_key key;
    SSL_SESSION *session;
};

struct tls_sessions {
    struct sip_key key, second;
    size_t count;
    struct entry entries[];
};

struct tls_sessions *tls_sessions_new(size_t count)
{
    struct tls_sessions *sessions =
        xcalloc(1, sizeof(*sessions) + count * sizeof(sessions->entries[0]));

    sessions->key = sip_key_random();
    sessions->second = sip_key_random();
    sessions->count = count;
    return sessions;
}

void tls_sessions_free(struct tls_sessions **slot)
{
    struct tls_sessions *sessions = *slot;

    *slot = NULL;
    for (size_t i = 0; sessions && i < sessions->count; i++) {
        SSL_SESSION_free(sessions->entries[i].session);
    }
    free(sessions);
}

struct tls_session_key tls_sessions_key(const struct tls_sessions *sessions,
                                        const struct tls_context *context,
                                        const struct tls_peer *peer)
{
    char room[sizeof(uint64_t) + sizeof(uint16_t) + TLS_HOST_MAX];
    struct wire_out out = wire_out_of(room, sizeof(room));

    wire_put_u64(&out, tls_context_serial(context));
    wire_put_u16(&out, peer->port);
    wire_put_bytes(&out, peer->host.at, peer->host.len);
    struct span text = span_of(room, wire_out_len(&out));
    return (struct tls_session_key){sip_hash64(&sessions->key, text),
                                    sip_hash64(&sessions->second, text)};
}

void tls_sessions_put(struct tls_sessions *sessions, struct tls_session_key key,
                      SSL_SESSION *session)
{
    struct entry *entry = &sessions->entries[key.at % sessions->count];

    SSL_SESSION_free(entry->session);
    *entry = (struct entry){key, session};
}

SSL_SESSION *tls_sessions_take(struct tls_sessions *sessions, struct tls_session_key key)
{
    struct entry *entry = &sessions->entries[key.at % sessions->count];
    SSL_SESSION *session = entry->session;

    if (!session || entry->key.at != key.at || entry->key.check != key.check) {
        return NULL;
    }
    entry->session = NULL;
    return session;
}
