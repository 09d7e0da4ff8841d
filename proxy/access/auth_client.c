/* auth_client - how many passwords one client may have compared, and how many were wrong. */
#include "proxy/access/auth_parts.h"

struct auth_client *auth_client_of(struct auth *auth, const struct ip *ip)
{
    struct span bytes = span_of(ip->at, ip_is_v4(ip) ? 16 : 8);
    return &auth->clients[sip_hash64(&auth->key, bytes) % AUTH_CLIENTS];
}

enum auth_state auth_client_admit(struct auth *auth, struct auth_client *client, uint64_t now_ms)
{
    enum auth_state state = AUTH_WAIT;

    pthread_mutex_lock(&auth->client_lock);
    if (client->wrong_until_ms > now_ms + (uint64_t)(AUTH_WRONG_BURST - 1) * AUTH_WRONG_STEP_MS) {
        state = AUTH_GUESSER;
    } else if (client->waiting >= AUTH_CLIENT_MAX) {
        state = AUTH_BUSY;
    } else {
        client->waiting++;
    }
    pthread_mutex_unlock(&auth->client_lock);
    return state;
}

void auth_client_done(struct auth *auth, struct auth_client *client, bool wrong, uint64_t now_ms)
{
    pthread_mutex_lock(&auth->client_lock);
    client->waiting--;
    if (wrong) {
        uint64_t from = client->wrong_until_ms > now_ms ? client->wrong_until_ms : now_ms;
        uint64_t most = now_ms + (uint64_t)AUTH_WRONG_BURST * AUTH_WRONG_STEP_MS;
        client->wrong_until_ms =
            from + AUTH_WRONG_STEP_MS < most ? from + AUTH_WRONG_STEP_MS : most;
    }
    pthread_mutex_unlock(&auth->client_lock);
}
