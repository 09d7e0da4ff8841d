#include "proxy/origin/dnsclient.h"

#include "base/err.h"
#include "base/mem.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <pthread.h>

enum { SERVERS_MAX = 8, ROUNDS = 3, DNS_PORT = 53 };

/* A socket that c-ares uses. */
struct dns_socket {
    uv_poll_t poll;
    struct dnsclient *client;
    struct list link;
    ares_socket_t fd;
};

struct dnsclient {
    struct loop *loop;
    ares_channel channel;
    uv_timer_t timer; /* for the next timeout inside c-ares */
    struct list sockets;
    void (*settled)(void *owner);
    void *owner;
    bool unsettled; /* there are answers that `settled` was not called for */
    bool closing;
};

/* --- events of the loop ---------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer);

static void arm_timer(struct dnsclient *client)
{
    struct timeval wait;

    if (client->unsettled) { /* a query failed while it was being sent */
        uv_timer_start(&client->timer, on_timer, 0, 0);
        return;
    }
    if (ares_timeout(client->channel, NULL, &wait) == NULL) {
        uv_timer_stop(&client->timer);
        return;
    }
    uint64_t ms = (uint64_t)wait.tv_sec * 1000 + (uint64_t)wait.tv_usec / 1000 + 1;
    uv_timer_start(&client->timer, on_timer, ms, 0);
}

static void process(struct dnsclient *client, ares_socket_t readable, ares_socket_t writable)
{
    ares_process_fd(client->channel, readable, writable);
    client->unsettled = false;
    arm_timer(client);
    client->settled(client->owner);
}

static void on_timer(uv_timer_t *timer)
{
    struct dnsclient *client = container_of(timer, struct dnsclient, timer);

    process(client, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct dns_socket *s = container_of(poll, struct dns_socket, poll);
    bool in = status < 0 || (events & UV_READABLE);
    bool out = status < 0 || (events & UV_WRITABLE);

    process(s->client, in ? s->fd : ARES_SOCKET_BAD, out ? s->fd : ARES_SOCKET_BAD);
}

/* --- the sockets of c-ares ------------------------------------------------------------------- */

static void on_socket_closed(uv_handle_t *handle)
{
    free(container_of((uv_poll_t *)handle, struct dns_socket, poll));
}

static struct dns_socket *find_socket(struct dnsclient *client, ares_socket_t fd)
{
    list_each(link, &client->sockets)
    {
        struct dns_socket *s = list_entry(link, struct dns_socket, link);
        if (s->fd == fd) {
            return s;
        }
    }
    return NULL;
}

static struct dns_socket *add_socket(struct dnsclient *client, ares_socket_t fd)
{
    struct dns_socket *s = xcalloc(1, sizeof(*s));

    s->client = client;
    s->fd = fd;
    CHECK(uv_poll_init_socket(loop_uv(client->loop), &s->poll, fd) == 0);
    list_push_front(&client->sockets, &s->link);
    return s;
}

/* c-ares tells what it waits for on a socket; neither: it is about to close it. */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct dnsclient *client = arg;
    struct dns_socket *s = find_socket(client, fd);

    if (!readable && !writable) {
        if (s) {
            list_remove(&s->link);
            uv_close((uv_handle_t *)&s->poll, on_socket_closed);
        }
        return;
    }
    s = s ? s : add_socket(client, fd);
    uv_poll_start(&s->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0), on_poll);
}

/* --- life ------------------------------------------------------------------------------------ */

static void init_library(void)
{
    CHECK(ares_library_init(ARES_LIB_INIT_ALL) == ARES_SUCCESS);
}

static int open_channel(struct dnsclient *client, uint64_t try_ms)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char lookups[] = "b"; /* only name servers, no hosts file */
    struct ares_options options = {
        .timeout = (int)try_ms,
        .tries = ROUNDS,
        .lookups = lookups,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = client,
    };

    pthread_once(&once, init_library);
    int status = ares_init_options(&client->channel, &options,
                                   ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
                                       ARES_OPT_DOMAINS | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS) {
        client->channel = NULL;
        return ERR_IO;
    }
    return 0;
}

static int to_server(const char *text, struct ares_addr_port_node *node)
{
    struct sockaddr_storage address;
    socklen_t len;
    int err = endpoint_parse(span_str(text), DNS_PORT, &address, &len);

    if (err) {
        return err;
    }
    node->family = address.ss_family;
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
        node->addr.addr4 = in->sin_addr;
        node->udp_port = ntohs(in->sin_port);
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
        memcpy(&node->addr.addr6, &in6->sin6_addr, sizeof(in6->sin6_addr));
        node->udp_port = ntohs(in6->sin6_port);
    }
    node->tcp_port = node->udp_port;
    return 0;
}

static int set_servers(struct dnsclient *client, const struct dnsclient_settings *settings)
{
    struct ares_addr_port_node nodes[SERVERS_MAX] = {0};
    size_t count = settings->nameserver_count;

    count = count < SERVERS_MAX ? count : SERVERS_MAX;
    for (size_t i = 0; i < count; i++) {
        int err = to_server(settings->nameservers[i], &nodes[i]);
        if (err) {
            return err;
        }
        nodes[i].next = i + 1 < count ? &nodes[i + 1] : NULL;
    }
    return count == 0 || ares_set_servers_ports(client->channel, nodes) == ARES_SUCCESS ? 0
                                                                                        : ERR_IO;
}

int dnsclient_new(struct loop *loop, const struct dnsclient_settings *settings,
                  struct dnsclient **out)
{
    struct dnsclient *client = xcalloc(1, sizeof(*client));

    client->loop = loop;
    client->settled = settings->settled;
    client->owner = settings->owner;
    list_init(&client->sockets);
    uv_timer_init(loop_uv(loop), &client->timer);
    int err = open_channel(client, settings->try_ms);
    if (!err) {
        err = set_servers(client, settings);
    }
    if (err) {
        dnsclient_free(&client);
    }
    *out = client;
    return err;
}

static void on_closed(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct dnsclient, timer));
}

void dnsclient_free(struct dnsclient **client)
{
    struct dnsclient *c = *client;

    if (c == NULL) {
        return;
    }
    *client = NULL;
    c->closing = true;
    if (c->channel) {
        ares_destroy(c->channel);
    }
    CHECK(list_empty(&c->sockets));
    uv_close((uv_handle_t *)&c->timer, on_closed);
}

/* --- questions and answers ------------------------------------------------------------------- */

static int error_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return 0;
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
    case ARES_EBADNAME:
        return ERR_NO_ADDRESS;
    case ARES_ETIMEOUT:
        return ERR_TIMEOUT;
    default:
        return ERR_IO;
    }
}

static void keep(struct ip *out, int family, const void *address, struct dns_reply *reply, int ttl)
{
    uint32_t seconds = ttl > 0 ? (uint32_t)ttl : 0;
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

    if (family == AF_INET) {
        memcpy(&in.sin_addr, address, sizeof(in.sin_addr));
        *out = ip_of_sockaddr((const struct sockaddr *)&in);
    } else {
        memcpy(&in6.sin6_addr, address, sizeof(in6.sin6_addr));
        *out = ip_of_sockaddr((const struct sockaddr *)&in6);
    }
    reply->ttl = reply->count == 0 || seconds < reply->ttl ? seconds : reply->ttl;
    reply->count++;
}

static int parse_v4(const unsigned char *packet, int len, struct ip *out, struct dns_reply *reply)
{
    struct ares_addrttl found[DNS_ADDRESSES_MAX];
    int count = DNS_ADDRESSES_MAX;
    int status = ares_parse_a_reply(packet, len, NULL, found, &count);

    for (int i = 0; status == ARES_SUCCESS && i < count; i++) {
        keep(&out[i], AF_INET, &found[i].ipaddr, reply, found[i].ttl);
    }
    return status;
}

static int parse_v6(const unsigned char *packet, int len, struct ip *out, struct dns_reply *reply)
{
    struct ares_addr6ttl found[DNS_ADDRESSES_MAX];
    int count = DNS_ADDRESSES_MAX;
    int status = ares_parse_aaaa_reply(packet, len, NULL, found, &count);

    for (int i = 0; status == ARES_SUCCESS && i < count; i++) {
        keep(&out[i], AF_INET6, &found[i].ip6addr, reply, found[i].ttl);
    }
    return status;
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *packet, int len)
{
    struct dns_question *question = arg;
    struct ip addresses[DNS_ADDRESSES_MAX];
    struct dns_reply reply = {.addresses = addresses};

    (void)timeouts;
    if (question->client->closing) {
        return;
    }
    if (status == ARES_SUCCESS) {
        status = question->family == DNS_V4 ? parse_v4(packet, len, addresses, &reply)
                                            : parse_v6(packet, len, addresses, &reply);
    }
    reply.err = error_of(status);
    if (!reply.err && reply.count == 0) {
        reply.err = ERR_NO_ADDRESS;
    }
    question->client->unsettled = true;
    question->answered(question, &reply);
}

void dnsclient_ask(struct dnsclient *client, const char *name, enum dns_family family,
                   struct dns_question *question)
{
    question->client = client;
    question->family = family;
    ares_query(client->channel, name, ns_c_in, family == DNS_V4 ? ns_t_a : ns_t_aaaa, on_answer,
               question);
    arm_timer(client);
}
