#include "tests/lib/client_parts.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/prefix.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_SIZE = 65536 };

const char *client_outcome_text(enum client_outcome outcome)
{
    static const char *const texts[] = {
        [CLIENT_OK] = "ok",       [CLIENT_CLOSED] = "closed",   [CLIENT_TRUNCATED] = "truncated",
        [CLIENT_RESET] = "reset", [CLIENT_TIMEOUT] = "timeout", [CLIENT_MALFORMED] = "malformed",
    };

    return texts[outcome];
}

/* --- the connection -------------------------------------------------------------------------- */

bool client_open_at(struct client *client, const char *endpoint)
{
    struct sockaddr_storage address;
    socklen_t len;
    int on = 1;

    *client = (struct client){.fd = -1};
    CHECK(endpoint_parse(span_str(endpoint), 80, &address, &len) == 0);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    if (connect(fd, (const struct sockaddr *)&address, len) != 0) {
        close(fd);
        return false;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    client->fd = fd;
    return true;
}

bool client_open(struct client *client, uint16_t port)
{
    char endpoint[32];

    snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%u", port);
    return client_open_at(client, endpoint);
}

void client_close(struct client *client)
{
    if (client->fd >= 0) {
        close(client->fd);
    }
    client->fd = -1;
    buf_fini(&client->in);
}

void client_reset(struct client *client)
{
    struct linger now = {.l_onoff = 1};

    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    client_close(client);
}

void client_shut(struct client *client)
{
    shutdown(client->fd, SHUT_WR);
}

bool client_send(struct client *client, struct span bytes)
{
    while (bytes.len > 0) {
        ssize_t n = send(client->fd, bytes.at, bytes.len, MSG_NOSIGNAL);
        if (n <= 0) {
            return false;
        }
        bytes = span_skip(bytes, (size_t)n);
    }
    return true;
}

bool client_sendf(struct client *client, const char *format, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    CHECK(len >= 0);
    bool fine = client_send(client, span_of(text, (size_t)len));
    free(text);
    return fine;
}

enum client_outcome client_read_more(struct client *client, uint64_t until)
{
    struct pollfd wait = {.fd = client->fd, .events = POLLIN};
    uint64_t now = clock_mono_ms();

    if (poll(&wait, 1, until > now ? (int)(until - now) : 0) != 1) {
        return CLIENT_TIMEOUT;
    }
    char *to = buf_reserve(&client->in, READ_SIZE);
    ssize_t n = recv(client->fd, to, READ_SIZE, 0);
    if (n > 0) {
        buf_commit(&client->in, (size_t)n);
        return CLIENT_OK;
    }
    return n == 0 ? CLIENT_CLOSED : CLIENT_RESET;
}

size_t client_read_some(struct client *client, void *out, size_t size, unsigned ms)
{
    if (buf_len(&client->in) == 0) {
        client_read_more(client, clock_mono_ms() + ms);
    }
    struct span have = span_take(buf_span(&client->in), size);
    if (have.len > 0) {
        memcpy(out, have.at, have.len);
        buf_consume(&client->in, have.len);
    }
    return have.len;
}

bool client_read_exactly(struct client *client, void *out, size_t size, unsigned ms)
{
    uint64_t until = clock_mono_ms() + ms;

    while (buf_len(&client->in) < size) {
        if (client_read_more(client, until) != CLIENT_OK) {
            return false;
        }
    }
    return client_read_some(client, out, size, 0) == size;
}

bool client_at_end(struct client *client, unsigned ms)
{
    if (buf_len(&client->in) > 0) {
        return false;
    }
    enum client_outcome outcome = client_read_more(client, clock_mono_ms() + ms);
    return outcome == CLIENT_CLOSED || outcome == CLIENT_RESET;
}

enum client_outcome client_read_to(struct client *client, struct span end, size_t most,
                                   uint64_t until, size_t *len)
{
    for (;;) {
        struct span have = buf_span(&client->in);
        const char *hit = have.len ? memmem(have.at, have.len, end.at, end.len) : NULL;
        if (hit) {
            *len = (size_t)(hit - have.at) + end.len;
            return CLIENT_OK;
        }
        if (have.len > most) {
            return CLIENT_MALFORMED;
        }
        enum client_outcome outcome = client_read_more(client, until);
        if (outcome == CLIENT_CLOSED && have.len > 0) {
            return CLIENT_TRUNCATED;
        }
        if (outcome != CLIENT_OK) {
            return outcome;
        }
    }
}

/* --- requests -------------------------------------------------------------------------------- */

static struct span authority_of(const char *url)
{
    struct span rest = span_str(url);
    const char *start = memmem(rest.at, rest.len, "://", 3);

    CHECK(start != NULL);
    rest = span_from_to(start + 3, rest.at + rest.len);
    return span_take(rest, strcspn(rest.at, "/?"));
}

bool client_ask(struct client *client, const char *method, const char *url, const char *lines)
{
    struct span host = authority_of(url);

    return client_sendf(client, "%s %s HTTP/1.1\r\nHost: %.*s\r\n%s\r\n", method, url,
                        SPAN_ARGS(host), lines ? lines : "");
}

enum client_outcome client_get(uint16_t proxy_port, const char *url, const char *lines,
                               struct client_response *response)
{
    struct span host = authority_of(url);
    struct client client;

    *response = (struct client_response){0};
    if (!client_open(&client, proxy_port)) {
        return CLIENT_CLOSED;
    }
    client_sendf(&client, "GET %s HTTP/1.1\r\nHost: %.*s\r\n%sConnection: close\r\n\r\n", url,
                 SPAN_ARGS(host), lines ? lines : "");
    enum client_outcome outcome = client_read(&client, "GET", CLIENT_MS, response);
    client_close(&client);
    return outcome;
}
