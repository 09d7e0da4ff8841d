#include "dnsredir/resolver/client_quota.h"

#include "base/mem.h"

struct quota_client {
    struct map_link link;
    uint8_t net[16];
    struct list waiting; /* questions, the oldest first */
    uint64_t waiting_count, open_count;
};

struct client_quota client_quota(uint64_t outstanding, uint64_t per_client)
{
    uint64_t most = outstanding / 4 * 3;
    uint64_t twice = 2 * per_client;
    uint64_t open = twice < most ? twice : most;

    return (struct client_quota){per_client, open > per_client ? open : per_client};
}

void client_quotas_init(struct client_quotas *quotas)
{
    map_init(&quotas->map, 64);
    quotas->key = sip_key_random();
}

void client_quotas_fini(struct client_quotas *quotas)
{
    map_fini(&quotas->map);
}

static void client_net(const struct ip *ip, uint8_t net[16])
{
    memcpy(net, ip->at, 16);
    if (!ip_is_v4(ip)) {
        memset(net + 8, 0, 8);
    }
}

static struct quota_client *find_or_add(struct client_quotas *quotas, const struct ip *ip)
{
    uint8_t net[16];

    client_net(ip, net);
    uint64_t hash = sip_hash64(&quotas->key, span_of(net, sizeof(net)));
    for (struct map_link *at = map_first(&quotas->map, hash); at; at = map_next(at)) {
        struct quota_client *client = container_of(at, struct quota_client, link);
        if (memcmp(client->net, net, sizeof(net)) == 0) {
            return client;
        }
    }
    struct quota_client *client = xcalloc(1, sizeof(*client));
    memcpy(client->net, net, sizeof(net));
    list_init(&client->waiting);
    map_insert(&quotas->map, &client->link, hash);
    return client;
}

void client_quotas_enter(struct client_quotas *quotas, const struct ip *ip, uint64_t now_ms,
                         struct client_question *question)
{
    struct quota_client *client = find_or_add(quotas, ip);

    question->client = client;
    question->since_ms = now_ms;
    question->waits = true;
    list_push_back(&client->waiting, &question->link);
    client->waiting_count++;
    client->open_count++;
}

bool client_question_allowed(const struct client_question *question,
                             const struct client_quota *limits, uint64_t now_ms,
                             struct client_question **instead)
{
    const struct quota_client *client = question->client;
    struct client_question *oldest = list_entry(client->waiting.next, struct client_question, link);

    *instead = NULL;
    if (client->open_count > limits->open) {
        return false;
    }
    if (client->waiting_count <= limits->waiting) {
        return true;
    }
    if (oldest == question || now_ms - oldest->since_ms < CLIENT_QUOTA_FAIR_MS) {
        return false;
    }
    *instead = oldest;
    return true;
}

void client_question_answered(struct client_question *question)
{
    if (question->waits) {
        question->waits = false;
        list_remove(&question->link);
        question->client->waiting_count--;
    }
}

void client_quotas_leave(struct client_quotas *quotas, struct client_question *question)
{
    struct quota_client *client = question->client;

    if (!client) {
        return;
    }
    client_question_answered(question);
    question->client = NULL;
    if (--client->open_count == 0) {
        map_remove(&quotas->map, &client->link);
        free(client);
    }
}
