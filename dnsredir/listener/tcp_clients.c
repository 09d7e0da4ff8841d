#include "dnsredir/listener/tcp_clients.h"

#include "base/mem.h"

void tcp_clients_init(struct tcp_clients *clients)
{
    map_init(&clients->map, 64);
    clients->key = sip_key_random();
}

void tcp_clients_fini(struct tcp_clients *clients)
{
    map_fini(&clients->map);
}

struct tcp_client *tcp_clients_enter(struct tcp_clients *clients, const struct ip *ip,
                                     struct list *link)
{
    uint8_t net[16] = {0};
    struct tcp_client *client = NULL;

    memcpy(net, ip->at, ip_is_v4(ip) ? 15 : 7);
    uint64_t hash = sip_hash64(&clients->key, span_of(net, sizeof(net)));
    for (struct map_link *at = map_first(&clients->map, hash); at; at = map_next(at)) {
        struct tcp_client *known = container_of(at, struct tcp_client, link);
        client = memcmp(known->net, net, sizeof(net)) == 0 ? known : client;
    }
    if (!client) {
        client = xcalloc(1, sizeof(*client));
        memcpy(client->net, net, sizeof(net));
        list_init(&client->connections);
        map_insert(&clients->map, &client->link, hash);
    }
    client->count++;
    list_push_back(&client->connections, link);
    return client;
}

void tcp_clients_leave(struct tcp_clients *clients, struct tcp_client **slot, struct list *link)
{
    struct tcp_client *client = *slot;

    *slot = NULL;
    if (!client) {
        return;
    }
    list_remove(link);
    if (--client->count == 0) {
        map_remove(&clients->map, &client->link);
        free(client);
    }
}
