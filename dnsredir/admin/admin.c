#include "dnsredir/admin/admin.h"

#include "base/inherited.h"
#include "base/list.h"
#include "base/local_host.h"
#include "base/mem.h"

#define BACKLOG 16
#define CONNECTIONS_MAX 32
#define REQUEST_MAX 4096
#define TIMEOUT_MS 5000

const char admin_refused[] = "application/json";

/* ---- queries ---- */

static bool hex_digit(char c, unsigned *out)
{
    char lower = ascii_lower(c);

    *out = *out * 16 + (unsigned)(ascii_is_digit(c) ? c - '0' : lower - 'a' + 10);
    return ascii_is_digit(c) || (lower >= 'a' && lower <= 'f');
}

bool admin_field(struct span query, struct span name, char out[ADMIN_FIELD_MAX], size_t *len)
{
    while (query.len) {
        struct span value = span_cut(&query, '&');
        struct span key = span_cut(&value, '=');
        if (!span_eq(key, name)) {
            continue;
        }
        for (*len = 0; value.len && *len < ADMIN_FIELD_MAX; ++*len) {
            unsigned code = 0;
            size_t step = value.at[0] == '%' ? 3 : 1;
            if (step == 3 && (value.len < 3 || !hex_digit(value.at[1], &code) ||
                              !hex_digit(value.at[2], &code))) {
                return false;
            }
            out[*len] = step == 3 ? (char)code : value.at[0];
            value = span_skip(value, step);
        }
        return value.len == 0;
    }
    return false;
}

/* ---- the listener ---- */

struct admin {
    uv_tcp_t handle;
    const struct admin_pages *pages;
    void *arg;
    struct list connections;
    size_t count;
    size_t handles; /* open or closing; the last one frees */
    bool closing;
};

struct connection {
    struct list link;
    struct admin *admin;
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_write_t write;
    bool closing;
    uint64_t ticket; /* ticket that the answer waits for; 0: none */
    struct buf in;
    struct buf out;
    unsigned handles;
};

static void handle_closed(struct admin *admin)
{
    if (--admin->handles == 0 && admin->closing) {
        free(admin);
    }
}

static void connection_handle_closed(struct connection *c)
{
    struct admin *admin = c->admin;

    if (--c->handles > 0) {
        return;
    }
    buf_fini(&c->in);
    buf_fini(&c->out);
    free(c);
    handle_closed(admin);
}

static void on_tcp_closed(uv_handle_t *handle)
{
    connection_handle_closed(container_of(handle, struct connection, tcp));
}

static void on_timer_closed(uv_handle_t *handle)
{
    connection_handle_closed(container_of(handle, struct connection, timer));
}

static void connection_close(struct connection *c)
{
    if (!c->closing) {
        c->closing = true;
        list_remove(&c->link);
        c->admin->count--;
        uv_close((uv_handle_t *)&c->tcp, on_tcp_closed);
        uv_close((uv_handle_t *)&c->timer, on_timer_closed);
    }
}

static void on_timeout(uv_timer_t *timer)
{
    connection_close(container_of(timer, struct connection, timer));
}

static void on_written(uv_write_t *write, int status)
{
    connection_close(container_of(write, struct connection, write));
}

static void put_response(struct connection *c, const char *status, const char *type,
                         struct span body)
{
    buf_printf(&c->out,
               "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
               "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
               status, type, body.len);
    buf_append(&c->out, body);
}

/* A web page can make a browser send a request here, but the browser then names the page's origin.
 */
static bool has_origin(struct span head)
{
    while (head.len) {
        struct span line = span_cut(&head, '\n');
        if (span_ieq(span_cut(&line, ':'), SPAN("Origin"))) {
            return true;
        }
    }
    return false;
}

/* "[::1]:3130": the host. */
static struct span without_port(struct span authority)
{
    if (span_starts(authority, SPAN("["))) {
        return span_take(span_skip(authority, 1), span_find(span_skip(authority, 1), ']'));
    }
    return span_take(authority, span_find(authority, ':'));
}

/* A request without Host is accepted, because no browser leaves it out. */
static bool has_strange_host(const struct admin *admin, struct span head)
{
    while (head.len) {
        struct span line = span_cut(&head, '\n');
        if (!span_ieq(span_cut(&line, ':'), SPAN("Host"))) {
            continue;
        }
        struct span host = without_port(span_trim(span_take(line, span_find(line, '\r'))));
        if (host.len && !local_host_is(host) && !admin->pages->is_own_name(admin->arg, host)) {
            return true;
        }
    }
    return false;
}

static bool is_for_everybody(struct span path)
{
    return span_eq(path, SPAN("/healthz")) || span_eq(path, SPAN("/readyz"));
}

static void put_page(struct connection *c, const char *type, struct span body)
{
    if (!type) {
        put_response(c, "404 Not Found", "text/plain", SPAN("no such page\n"));
    } else {
        put_response(c, type == admin_refused ? "400 Bad Request" : "200 OK", type, body);
    }
}

static void send_response(struct connection *c)
{
    uv_buf_t all = uv_buf_init(c->out.data + c->out.start, (unsigned)buf_len(&c->out));

    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &all, 1, on_written) < 0) {
        connection_close(c);
    }
}

/* `head` ends with an empty line. Only its first words, Origin and Host matter. */
static void respond(struct connection *c, struct span head)
{
    struct span line = span_take(head, span_find(head, '\r'));
    struct span method = span_cut(&line, ' ');
    struct span query = span_cut(&line, ' ');
    struct span path = span_cut(&query, '?');
    const struct admin_pages *pages = c->admin->pages;
    bool posts = span_eq(method, SPAN("POST"));
    struct buf page = BUF_INIT;

    if (!span_starts(line, SPAN("HTTP/1."))) {
        put_response(c, "400 Bad Request", "text/plain", SPAN("only HTTP/1.x is supported here\n"));
    } else if (has_origin(head)) {
        put_response(c, "403 Forbidden", "text/plain", SPAN("not for web pages\n"));
    } else if (!is_for_everybody(path) && has_strange_host(c->admin, head)) {
        put_response(c, "403 Forbidden", "text/plain",
                     SPAN("not by this name, which may be a stranger's: ask by address, localhost, "
                          "the machine's name or a name server's\n"));
    } else if (!posts && !span_eq(method, SPAN("GET"))) {
        put_response(c, "405 Method Not Allowed", "text/plain", SPAN("only GET and POST\n"));
    } else {
        const char *type = posts ? pages->change(c->admin->arg, path, query, &page, &c->ticket)
                                 : pages->render(c->admin->arg, path, query, &page);
        put_page(c, type, buf_span(&page));
    }
    buf_fini(&page);
    uv_read_stop((uv_stream_t *)&c->tcp);
    if (c->ticket == 0) {
        send_response(c);
    }
}

void admin_release(struct admin *admin, uint64_t ticket, bool good)
{
    if (!admin) {
        return;
    }
    list_each_safe(link, &admin->connections)
    {
        struct connection *c = list_entry(link, struct connection, link);
        if (c->ticket == 0 || c->ticket > ticket) {
            continue;
        }
        c->ticket = 0;
        if (!good) {
            buf_clear(&c->out);
            put_response(c, "500 Internal Server Error", "application/json",
                         SPAN("{\"error\": \"done, but the state could not be written\"}\n"));
        }
        send_response(c);
    }
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct connection *c = container_of(handle, struct connection, tcp);
    *out = uv_buf_init(buf_reserve(&c->in, REQUEST_MAX), REQUEST_MAX);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct connection *c = container_of(stream, struct connection, tcp);

    if (n < 0) {
        connection_close(c);
        return;
    }
    buf_commit(&c->in, (size_t)n);
    struct span head = buf_span(&c->in);
    if (head.at && memmem(head.at, head.len, "\r\n\r\n", 4)) {
        respond(c, head);
    } else if (head.len > REQUEST_MAX) {
        connection_close(c);
    }
}

/* Closes the oldest connection that has not sent a request yet: clients that open connections and
 * send nothing must not keep administrators out. Connections with a request end by themselves. */
static void make_room(struct admin *admin)
{
    list_each_safe(link, &admin->connections)
    {
        struct connection *c = list_entry(link, struct connection, link);
        if (admin->count < CONNECTIONS_MAX) {
            break;
        }
        if (buf_len(&c->out) == 0) {
            connection_close(c);
        }
    }
}

static void on_connection(uv_stream_t *server, int status)
{
    struct admin *admin = container_of(server, struct admin, handle);

    if (status < 0) {
        return;
    }
    make_room(admin);
    struct connection *c = xcalloc(1, sizeof(*c));
    c->admin = admin;
    c->handles = 2;
    uv_tcp_init(server->loop, &c->tcp);
    uv_timer_init(server->loop, &c->timer);
    list_push_back(&admin->connections, &c->link);
    admin->count++;
    admin->handles++;
    if (uv_accept(server, (uv_stream_t *)&c->tcp) < 0 || admin->count > CONNECTIONS_MAX ||
        uv_read_start((uv_stream_t *)&c->tcp, on_room, on_read) < 0) {
        connection_close(c);
        return;
    }
    uv_timer_start(&c->timer, on_timeout, TIMEOUT_MS, 0);
}

int admin_open(uv_loop_t *loop, const struct endpoint *endpoint, const struct admin_pages *pages,
               void *arg, struct admin **out)
{
    struct admin *admin = xcalloc(1, sizeof(*admin));

    admin->pages = pages;
    admin->arg = arg;
    admin->handles = 1;
    list_init(&admin->connections);
    uv_tcp_init(loop, &admin->handle);
    const struct sockaddr *address = (const struct sockaddr *)&endpoint->address;
    int fd = inherited_socket(address, SOCK_STREAM);
    int err = fd < 0 ? uv_tcp_bind(&admin->handle, address, 0) : uv_tcp_open(&admin->handle, fd);
    if (!err) {
        err = uv_listen((uv_stream_t *)&admin->handle, BACKLOG, on_connection);
    }
    uv_os_fd_t bound;
    if (!err && uv_fileno((uv_handle_t *)&admin->handle, &bound) == 0) {
        inherited_offer(bound);
    }
    if (err) {
        admin_close(&admin);
    }
    *out = admin;
    return err;
}

static void on_closed(uv_handle_t *handle)
{
    handle_closed(container_of(handle, struct admin, handle));
}

void admin_close(struct admin **admin)
{
    struct admin *a = *admin;

    if (!a) {
        return;
    }
    *admin = NULL;
    a->closing = true;
    list_each_safe(link, &a->connections)
    {
        connection_close(list_entry(link, struct connection, link));
    }
    uv_close((uv_handle_t *)&a->handle, on_closed);
}
