/*
 * Connections that own themselves. A tunnel is an HTTP/1 connection in the state that others reach
 * by CONNECT: both directions are raw, without heads. So it shares all of their code but its
 * beginning and its end. A connection for a single request becomes a tunnel, or ends with its
 * response.
 */
#include "proxy/stream/h1_conn.h"

#include "base/mem.h"

struct tunnel {
    struct h1_settings settings;
    struct h1 *h1; /* of a single request */
};

static void on_gone(void *owner)
{
    free(owner);
}

struct stream *tunnel_stream(struct transport *transport, uint64_t idle_ms)
{
    static const struct h1_events events = {.on_gone = on_gone};
    struct tunnel *tunnel = xcalloc(1, sizeof(*tunnel));

    tunnel->settings.times.tunnel_ms = idle_ms;
    struct h1 *h1 = h1_new(transport, &tunnel->settings, &events, tunnel, H1_TUNNEL);
    struct h1_turn *turn = h1_turn_new(h1, H1_IN_RAW);
    turn->is_tunnel = true;
    return &turn->stream;
}

void tunnel_start(struct stream *stream)
{
    h1_kick(container_of(stream, struct h1_turn, stream)->h1);
}

/* The upgrade was declined: nothing else is asked for on this connection. */
static void on_idle(void *owner)
{
    struct tunnel *tunnel = owner;

    h1_close(&tunnel->h1);
    free(tunnel);
}

struct stream *h1_request_alone(struct transport *transport, const struct h1_settings *settings)
{
    static const struct h1_events events = {.on_idle = on_idle, .on_gone = on_gone};
    struct tunnel *tunnel = xcalloc(1, sizeof(*tunnel));

    tunnel->settings = *settings;
    tunnel->h1 = h1_connect(transport, &tunnel->settings, &events, tunnel);
    return h1_request(tunnel->h1);
}
