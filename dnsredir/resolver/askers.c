#include "dnsredir/resolver/askers.h"

#include "base/mem.h"

struct asking_client {
    struct map_link link;
    uint8_t net[16];
    struct list waiting; /* turns, the oldest first */
    uint64_t waiting_count, open_count;
};

struct askers_limits askers_limits(uint64_t outstanding, uint64_t per_client)
{
    uint64_t most = outstanding / 4 * 3;
    uint64_t twice = 2 * per_client;
    uint64_t open = twice < most ? twice : most;

    return (struct askers_limits){per_client, open > per_client ? open : per_client};
}

void askers_init(struct askers *askers)
{
    map_init(&askers->map, 64);
    askers->key = sip_key_random();
}

void askers_fini(struct askers *askers)
{
    map_fini(&askers->map);
}

static void client_net(const struct ip *ip, uint8_t net[16])
{
    memcpy(net, ip->at, 16);
    if (!ip_is_v4(ip)) {
        memset(net + 8, 0, 8);
    }
}

static struct asking_client *find_or_add(struct askers *askers, const struct ip *ip)
{
    uint8_t net[16];

    client_net(ip, net);
    uint64_t hash = sip_hash64(&askers->key, span_of(net, sizeof(net)));
    for (struct map_link *at = map_first(&askers->map, hash); at; at = map_next(at)) {
        struct asking_client *client = container_of(at, struct asking_client, link);
        if (memcmp(client->net, net, sizeof(net)) == 0) {
            return client;
        }
    }
    struct asking_client *client = xcalloc(1, sizeof(*client));
    memcpy(client->net, net, sizeof(net));
    list_init(&client->waiting);
    map_insert(&askers->map, &client->link, hash);
    return client;
}

void askers_enter(struct askers *askers, const struct ip *ip, uint64_t now_ms, struct turn *turn)
{
    struct asking_client *client = find_or_add(askers, ip);

    turn->client = client;
    turn->since_ms = now_ms;
    turn->waits = true;
    list_push_back(&client->waiting, &turn->link);
    client->waiting_count++;
    client->open_count++;
}

bool turn_may(const struct turn *turn, const struct askers_limits *limits, uint64_t now_ms,
              struct turn **instead)
{
    const struct asking_client *client = turn->client;
    struct turn *oldest = list_entry(client->waiting.next, struct turn, link);

    *instead = NULL;
    if (client->open_count > limits->open) {
        return false;
    }
    if (client->waiting_count <= limits->waiting) {
        return true;
    }
    if (oldest == turn || now_ms - oldest->since_ms < ASKERS_FAIR_MS) {
        return false;
    }
    *instead = oldest;
    return true;
}

void turn_answered(struct turn *turn)
{
    if (turn->waits) {
        turn->waits = false;
        list_remove(&turn->link);
        turn->client->waiting_count--;
    }
}

void askers_leave(struct askers *askers, struct turn *turn)
{
    struct asking_client *client = turn->client;

    if (!client) {
        return;
    }
    turn_answered(turn);
    turn->client = NULL;
    if (--client->open_count == 0) {
        map_remove(&askers->map, &client->link);
        free(client);
    }
}
