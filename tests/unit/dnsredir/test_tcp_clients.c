#include "dnsredir/listener/tcp_clients.h"

#include "base/check.h"

#include <criterion/criterion.h>

Test(tcp_clients, connections_are_counted_by_network)
{
    static const struct {
        const char *ip;
        size_t want;
    } rows[] = {
        {"192.0.2.1", 1},        {"192.0.2.255", 2},       {"192.0.3.1", 1}, {"2001:db8::1", 1},
        {"2001:db8:0:ff::1", 2}, {"2001:db8:0:100::1", 1}, {"192.0.2.1", 3},
    };
    struct tcp_clients clients;
    struct tcp_client *client[ARRAY_LEN(rows)];
    struct list links[ARRAY_LEN(rows)];
    struct ip ip;

    tcp_clients_init(&clients);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cr_assert_eq(ip_parse(span_str(rows[i].ip), &ip), 0);
        client[i] = tcp_clients_enter(&clients, &ip, &links[i]);
        cr_expect_eq(client[i]->count, rows[i].want, "%s: %zu", rows[i].ip, client[i]->count);
    }
    cr_expect_eq(client[0], client[6]);
    cr_expect_eq(client[0]->connections.next, &links[0]);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        tcp_clients_leave(&clients, &client[i], &links[i]);
        cr_expect_null(client[i]);
    }
    cr_expect_eq(clients.map.count, 0);
    tcp_clients_leave(&clients, &client[0], &links[0]); /* NULL is fine */
    tcp_clients_fini(&clients);
}
