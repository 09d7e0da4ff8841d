#include "tests/unit/proxy/http_fake.h"

#include "base/check.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

struct http_fake_connection {
    uv_tcp_t tcp;
    struct http_fake *fake;
    struct list link;
    unsigned matched; /* bytes of the empty line seen */
};

static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static const char alert[] = {21, 3, 3, 0, 2, 2, 120}; /* fatal, no_application_protocol */

static void on_closed(uv_handle_t *handle)
{
    struct http_fake_connection *c =
        container_of((uv_tcp_t *)handle, struct http_fake_connection, tcp);

    c->fake->live--;
    free(c);
}

static void hang_up(struct http_fake_connection *c)
{
    if (!uv_is_closing((uv_handle_t *)&c->tcp)) {
        list_remove(&c->link);
        uv_close((uv_handle_t *)&c->tcp, on_closed);
    }
}

static void on_request(struct http_fake_connection *c)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)answer, sizeof(answer) - 1);
    struct http_fake *fake = c->fake;

    fake->requests++;
    if (!fake->mute && !fake->hang_up) {
        CHECK(uv_try_write((uv_stream_t *)&c->tcp, &buf, 1) == (int)sizeof(answer) - 1);
    }
    if (fake->hang_up || fake->close_after) {
        hang_up(c);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    static char memory[4096];

    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(memory, sizeof(memory));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct http_fake_connection *c =
        container_of((uv_tcp_t *)stream, struct http_fake_connection, tcp);

    if (n < 0) {
        hang_up(c);
        return;
    }
    if (c->fake->only_http2) {
        uv_buf_t out = uv_buf_init((char *)(uintptr_t)alert, sizeof(alert));
        CHECK(uv_try_write(stream, &out, 1) == sizeof(alert));
        return;
    }
    for (ssize_t i = 0; i < n && !uv_is_closing((uv_handle_t *)stream); i++) {
        bool matches = buf->base[i] == "\r\n\r\n"[c->matched];
        c->matched = matches ? c->matched + 1 : buf->base[i] == '\r';
        if (c->matched == 4) {
            c->matched = 0;
            on_request(c);
        }
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct http_fake *fake = container_of((uv_tcp_t *)listener, struct http_fake, listener);
    struct http_fake_connection *c = xcalloc(1, sizeof(*c));

    CHECK(status == 0);
    c->fake = fake;
    fake->accepted++;
    fake->live++;
    list_push_back(&fake->connections, &c->link);
    CHECK(uv_tcp_init(listener->loop, &c->tcp) == 0);
    CHECK(uv_accept(listener, (uv_stream_t *)&c->tcp) == 0);
    if (!fake->deaf) {
        CHECK(uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) == 0);
    }
}

void http_fake_open(struct http_fake *fake, uv_loop_t *loop, const char *address, uint16_t port)
{
    struct sockaddr_in at;
    int len = sizeof(at);

    *fake = (struct http_fake){0};
    list_init(&fake->connections);
    CHECK(uv_ip4_addr(address, port, &at) == 0);
    CHECK(uv_tcp_init(loop, &fake->listener) == 0);
    CHECK(uv_tcp_bind(&fake->listener, (const struct sockaddr *)&at, 0) == 0);
    CHECK(uv_listen((uv_stream_t *)&fake->listener, 64, on_connection) == 0);
    CHECK(uv_tcp_getsockname(&fake->listener, (struct sockaddr *)&at, &len) == 0);
    fake->port = ntohs(at.sin_port);
}

void http_fake_hang_up(struct http_fake *fake)
{
    while (!list_empty(&fake->connections)) {
        hang_up(list_entry(fake->connections.next, struct http_fake_connection, link));
    }
}

void http_fake_close(struct http_fake *fake)
{
    http_fake_hang_up(fake);
    uv_close((uv_handle_t *)&fake->listener, NULL);
}

/* A listener whose queue of connections is full drops what comes. */
void silence_begin(struct silence *silence, const char *address, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1;

    CHECK(inet_pton(AF_INET, address, &at.sin_addr) == 1);
    silence->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    silence->filler = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(silence->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    CHECK(bind(silence->listener, (const struct sockaddr *)&at, sizeof(at)) == 0);
    CHECK(listen(silence->listener, 0) == 0);
    CHECK(connect(silence->filler, (const struct sockaddr *)&at, sizeof(at)) == 0);
}

void silence_end(struct silence *silence)
{
    close(silence->filler);
    close(silence->listener);
}
