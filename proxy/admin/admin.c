#include "proxy/admin/admin.h"

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "proxy/admin/admin_request.h"
#include "proxy/client/listener.h"
#include "proxy/server.h"

#include <unistd.h>

/*
 * Kept small and separate from the proxy's exchanges, so that administrators get answers when the
 * proxy is in trouble. No client can reach this code through the proxy's ports.
 */

enum {
    ADMIN_CLIENTS_MAX = 64, /* above this number the oldest connection is asked to close */
    /* above this number the oldest connection without a request is closed */
    ADMIN_CLIENTS_HARD = 128,
};

struct admin {
    uv_tcp_t tcp;
    uv_stream_t *handle;
    struct server *server;
    struct list clients;
    size_t client_count;
    bool closed;
};

struct admin_client {
    struct list link;
    struct admin *admin;
    struct h1 *h1;
    struct admin_request *request; /* in progress; NULL: none */
};

static const struct h1_settings admin_h1 = {
    .limits = {.target = 48ul * 1024, .head = 64ul * 1024, .fields = 64}, /* /explain?url=... */
    .times = {.head_ms = 10000, .idle_ms = 30000, .body_ms = 10000},
};

/* ---- connections ---- */

static void on_stream(void *owner, struct stream *stream)
{
    struct admin_client *client = owner;

    admin_request_begin(client->admin->server, stream, &client->request);
}

static void admin_free_if_done(struct admin *admin)
{
    if (admin->closed && admin->client_count == 0 && admin->handle == NULL) {
        free(admin);
    }
}

static void client_free(struct admin_client *client)
{
    struct admin *admin = client->admin;

    list_remove(&client->link);
    admin->client_count--;
    free(client);
    admin_free_if_done(admin);
}

static void on_gone(void *owner)
{
    client_free(owner);
}

static const struct h1_events admin_events = {.on_stream = on_stream, .on_gone = on_gone};

/* Closes a connection at once, whatever its state; on_gone() is not called. */
static void client_drop(struct admin_client *client)
{
    h1_close(&client->h1);
    admin_request_drop(&client->request);
    client_free(client);
}

/* Closes the oldest connection without a complete request. An incomplete request may last for
 * seconds, and so may those of a hundred connections. */
static void drop_oldest_without_request(struct admin *admin)
{
    list_each_safe(link, &admin->clients)
    {
        struct admin_client *client = list_entry(link, struct admin_client, link);
        if (client->request == NULL) {
            client_drop(client);
            break;
        }
    }
}

/* Makes room for a connection: those without a request must not keep administrators and health
 * probes out. */
static void make_room(struct admin *admin)
{
    if (admin->client_count >= ADMIN_CLIENTS_HARD) {
        drop_oldest_without_request(admin);
    }
    size_t surplus =
        admin->client_count >= ADMIN_CLIENTS_MAX ? admin->client_count - ADMIN_CLIENTS_MAX + 1 : 0;

    list_each(link, &admin->clients)
    {
        if (surplus == 0) {
            break;
        }
        surplus--;
        h1_drain(list_entry(link, struct admin_client, link)->h1);
    }
}

static void on_connection(uv_stream_t *handle, int status)
{
    struct admin *admin = handle->data;

    if (status < 0) {
        return;
    }
    struct transport *transport = transport_new_tcp(server_loop(admin->server));
    make_room(admin);
    if (uv_accept(handle, transport_uv(transport)) != 0 ||
        admin->client_count >= ADMIN_CLIENTS_HARD) {
        transport_close(&transport, true);
        return;
    }
    struct admin_client *client = xcalloc(1, sizeof(*client));
    client->admin = admin;
    admin->client_count++;
    list_push_back(&admin->clients, &client->link);
    client->h1 = h1_serve(transport, &admin_h1, &admin_events, client);
}

/* ---- the listener ---- */

int admin_open(struct server *server, struct admin **out)
{
    const struct endpoint *endpoint = &server_settings(server)->admin;

    *out = NULL;
    if (endpoint->len == 0 && endpoint->unix_path == NULL) {
        return 0;
    }
    int fd = listener_socket(endpoint, false);
    if (fd < 0) {
        log_error("admin_failed", "address=%s err=%s hint=%s", endpoint->text, err_text(fd),
                  err_listen_hint(fd));
        return fd;
    }
    struct admin *admin = xcalloc(1, sizeof(*admin));
    admin->server = server;
    list_init(&admin->clients);
    uv_tcp_init(loop_uv(server_loop(server)), &admin->tcp);
    admin->handle = (uv_stream_t *)&admin->tcp;
    admin->handle->data = admin;
    int err = uv_tcp_open(&admin->tcp, fd);
    if (err) {
        close(fd);
    } else {
        err = uv_listen(admin->handle, ADMIN_CLIENTS_HARD, on_connection);
    }
    if (err) {
        admin_close(&admin);
    }
    *out = admin;
    return err;
}

int admin_socket(const struct admin *admin)
{
    uv_os_fd_t fd = -1;

    return admin && uv_fileno((const uv_handle_t *)admin->handle, &fd) == 0 ? fd : -1;
}

static void on_closed(uv_handle_t *handle)
{
    struct admin *admin = handle->data;

    admin->handle = NULL;
    admin_free_if_done(admin);
}

void admin_close(struct admin **slot)
{
    struct admin *admin = *slot;

    *slot = NULL;
    if (admin == NULL) {
        return;
    }
    admin->closed = true;
    list_each_safe(link, &admin->clients)
    {
        client_drop(list_entry(link, struct admin_client, link));
    }
    uv_close((uv_handle_t *)admin->handle, on_closed);
}
