/* exchange_tunnel - TUNNEL: bytes both ways, after CONNECT or when the origin has agreed to another
 * protocol. */
#include "proxy/client/exchange_parts.h"

#include "base/check.h"
#include "base/memory.h"
#include "http/hop.h"

static void on_tunnel_failed(void *arg, int status, enum reason reason)
{
    struct exchange *x = arg;

    x->tunnel = NULL;
    exchange_refuse(x, status, reason, NULL);
    x->state = EX_DELIVER;
}

static void on_tunnel_open(void *arg, const struct ip *peer, struct source *from_origin)
{
    struct exchange *x = arg;
    struct http_head head;

    *exchange_peer(x) = *peer;
    head_init(&head, &x->arena);
    head.version = HTTP_1_1;
    head.status = 200;
    head.reason = SPAN("Connection established");
    head.framing = BODY_NONE;
    head.content_length = -1;
    head.keep_alive = true;
    exchange_reply(x, &head, from_origin);
}

static void on_tunnel_lost(void *arg)
{
    exchange_give_up(arg);
}

void exchange_prepare_tunnel(struct exchange *x)
{
    x->tunnel = connect_prepare(&(struct connect_order){
        .worker = x->worker,
        .settings = x->settings,
        .client = x->stream,
        .is_metered = x->meter.account != NULL,
        .on_lost = on_tunnel_lost,
        .arg = x,
    });
}

/* Makes the client's 101 from the origin's, without hop-by-hop fields. */
static void make_switch(struct exchange *x, const struct http_head *origin, struct http_head *head)
{
    static const struct span accept = SPAN_INIT("Sec-WebSocket-Accept");
    struct span name = span_str(x->settings->name);

    head_copy(head, origin, &x->arena);
    hop_strip(&head->fields);
    if (x->request.version == HTTP_2) { /* which has no such field (RFC 8441 5) */
        fields_remove_names(&head->fields, &accept, 1);
    }
    fields_add_id(&head->fields, FIELD_UPGRADE, x->upgrade);
    hop_add_via(&head->fields, origin->version, name, &x->arena);
    fields_add_id(&head->fields, FIELD_CACHE_STATUS,
                  decision_cache_status(&x->decision, name, SPAN_EMPTY, &x->arena));
}

void exchange_on_upgrade(struct fetch_link *link, const struct http_head *origin,
                         struct stream *target)
{
    struct exchange *x = container_of(link, struct exchange, fetch);
    struct http_head head;

    CHECK(x->state == EX_AWAIT);
    x->state = EX_TUNNEL;
    lookup_fini(&x->lookup);
    x->decision.outcome = OUTCOME_TUNNEL;
    make_switch(x, origin, &head);
    exchange_reply(x, &head, connect_join(x->tunnel, target));
}

enum exchange_state exchange_tunnel(struct exchange *x)
{
    if (x->tunnel || x->sent) {
        return EX_TUNNEL;
    }
    x->decision.outcome = OUTCOME_TUNNEL;
    x->decision.reason = REASON_METHOD;
    x->decision.forward = FORWARD_METHOD;
    clients_seek_memory(x->worker);
    if (memory_is_over()) {
        return exchange_refuse(x, 503, REASON_MEMORY, NULL);
    }
    x->tunnel = connect_open(&(struct connect_order){
        .worker = x->worker,
        .settings = x->settings,
        .uri = &x->uri,
        .client = x->stream,
        .is_metered = x->meter.account != NULL,
        .from = x->client->ip,
        .on_open = on_tunnel_open,
        .on_failed = on_tunnel_failed,
        .on_lost = on_tunnel_lost,
        .arg = x,
    });
    return EX_TUNNEL;
}
