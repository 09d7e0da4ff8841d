/*
 * A tunnel is an HTTP/1 connection that begins where others get to by CONNECT: both directions
 * raw, no heads. So it is one, and only its beginning and its end are its own.
 */
#include "proxy/stream/h1_conn.h"

#include "base/mem.h"

struct tunnel {
    struct h1_settings settings;
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
