#include "proxy/origin/origins.h"

#include "base/files.h"
#include "base/map.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/siphash.h"
#include "proxy/stream/h2.h"

enum { IDLE_MAX = 1024 }; /* most idle connections of all origins together */

/* Settings of connections; h1 and h2 borrow them. */
struct terms {
    size_t refs;
    struct h1_settings h1;
    struct h2_settings h2;
};

struct origin {
    struct map_link link;
    struct list idle; /* idle connections, the most recently used first */
    size_t idle_count;
    struct list shared; /* HTTP/2 connections with room for another stream */
    size_t connections;
    uint64_t heard_ms; /* when the last response began; 0: never */
    bool speaks_h1;    /* the connection opened last speaks HTTP/1 */
    size_t key_len;
    char key[];
};

/* The host, two bytes of port, and eight bytes of TLS. */
struct origin_key {
    char at[ORIGIN_HOST_MAX + sizeof(uint16_t) + sizeof(uint64_t)];
    size_t len;
    uint64_t hash;
};

struct connection {
    struct origins *origins;
    struct origin *origin;
    struct terms *terms;
    struct h1 *h1; /* the protocol in use; the other is NULL */
    struct h2 *h2;
    struct list link;   /* in origins->all */
    struct list idle;   /* in origin->idle */
    struct list shared; /* in origin->shared */
    struct list age;    /* in origins->idle, or in origins->surplus */
    bool is_idle;
    bool is_surplus; /* in origins->surplus: about to be closed */
    bool reused;
    bool others; /* the name had further addresses */
    struct ip address;
    uint16_t port;
};

struct origins {
    struct loop *loop;
    struct sip_key key;
    struct map map;
    struct terms *terms;
    size_t idle_per_origin;
    struct list all;
    struct list idle; /* the most recently used first */
    size_t idle_count;
    struct list surplus; /* idle ones above the limits, to be closed when no handler runs */
    struct timeout sweep;
};

/* --- origins --------------------------------------------------------------------------------- */

static struct origin_key key_of(const struct origins *origins, const struct origin_at *at)
{
    size_t len = at->host.len;
    struct origin_key key = {.len = len + sizeof(at->port) + sizeof(at->tls)};

    CHECK(len <= ORIGIN_HOST_MAX);
    memcpy(key.at, at->host.at ? at->host.at : "", len);
    memcpy(key.at + len, &at->port, sizeof(at->port));
    memcpy(key.at + len + sizeof(at->port), &at->tls, sizeof(at->tls));
    key.hash = sip_hash64(&origins->key, span_of(key.at, key.len));
    return key;
}

static struct origin *find(const struct origins *origins, const struct origin_key *key)
{
    struct map_link *link = map_first(&origins->map, key->hash);

    for (; link; link = map_next(link)) {
        struct origin *origin = container_of(link, struct origin, link);
        if (span_eq(span_of(origin->key, origin->key_len), span_of(key->at, key->len))) {
            return origin;
        }
    }
    return NULL;
}

static struct origin *find_or_add(struct origins *origins, const struct origin_key *key)
{
    struct origin *origin = find(origins, key);

    if (origin == NULL) {
        origin = xcalloc(1, sizeof(*origin) + key->len);
        origin->key_len = key->len;
        memcpy(origin->key, key->at, key->len);
        list_init(&origin->idle);
        list_init(&origin->shared);
        map_insert(&origins->map, &origin->link, key->hash);
    }
    return origin;
}

static void origin_release(struct origins *origins, struct origin *origin)
{
    if (--origin->connections == 0) {
        map_remove(&origins->map, &origin->link);
        free(origin);
    }
}

static void terms_release(struct terms *terms)
{
    if (terms && --terms->refs == 0) {
        free(terms);
    }
}

/* --- connections ----------------------------------------------------------------------------- */

/* The connection is in use now, or about to be closed. */
static void leave_idle(struct connection *connection)
{
    list_remove(&connection->age);
    if (connection->is_idle) {
        connection->is_idle = false;
        list_remove(&connection->idle);
        connection->origin->idle_count--;
        connection->origins->idle_count--;
    }
}

static void connection_free(struct connection *connection)
{
    leave_idle(connection);
    list_remove(&connection->shared);
    list_remove(&connection->link);
    origin_release(connection->origins, connection->origin);
    terms_release(connection->terms);
    free(connection);
}

static void make_surplus(struct connection *connection)
{
    struct origins *origins = connection->origins;

    leave_idle(connection);
    connection->is_surplus = true;
    list_remove(&connection->shared);
    list_push_back(&origins->surplus, &connection->age);
    timeout_set(origins->loop, &origins->sweep, 0);
}

static void connection_close(struct connection *connection)
{
    h1_close(&connection->h1);
    h2_close(&connection->h2);
    connection_free(connection);
}

/* Connections report that they are idle from inside their own handler, where they cannot be
 * closed. */
static void on_sweep(struct timeout *timeout)
{
    struct origins *origins = container_of(timeout, struct origins, sweep);
    struct list *link;

    while ((link = list_pop_front(&origins->surplus)) != NULL) {
        connection_close(list_entry(link, struct connection, age));
    }
}

static void on_idle(void *owner)
{
    struct connection *connection = owner;
    struct origins *origins = connection->origins;
    struct origin *origin = connection->origin;

    CHECK(!connection->is_idle);
    connection->is_idle = true;
    list_push_front(&origin->idle, &connection->idle);
    list_push_front(&origins->idle, &connection->age);
    origins->idle_count++;
    if (++origin->idle_count > origins->idle_per_origin) {
        make_surplus(list_entry(origin->idle.prev, struct connection, idle));
    }
    if (origins->idle_count > IDLE_MAX || files_are_out()) {
        origins_shed(origins);
    }
}

static void on_gone(void *owner)
{
    connection_free(owner);
}

/* HTTP/2: the number of streams that may be opened has changed. */
static void on_room(void *owner)
{
    struct connection *connection = owner;

    if (connection->h2 == NULL || connection->is_surplus) {
        return; /* the connection has just begun, or has ended */
    }
    list_remove(&connection->shared);
    if (h2_room(connection->h2) == 0) {
        leave_idle(connection);
        return;
    }
    list_push_front(&connection->origin->shared, &connection->shared);
    if (h2_streams(connection->h2) == 0 && !connection->is_idle) {
        on_idle(connection);
    }
}

static void on_offence(void *owner, enum h2_offence offence, struct span why)
{
    const struct connection *connection = owner;
    char text[IP_TEXT_MAX];

    log_warn("origin_h2_offence", "address=%s port=%u what=%s text=%s why=%.*s",
             ip_text(&connection->address, text), connection->port, h2_offence_word(offence),
             h2_offence_text(offence), SPAN_ARGS(why));
}

static const struct h1_events h1_events = {.on_idle = on_idle, .on_gone = on_gone};
static const struct h2_events h2_events = {
    .on_room = on_room, .on_offence = on_offence, .on_gone = on_gone};

static struct stream *share(struct connection *connection)
{
    struct stream *stream = h2_request(connection->h2);

    leave_idle(connection);
    if (h2_room(connection->h2) == 0) {
        list_remove(&connection->shared);
    }
    return stream;
}

/* Can the connection carry another request? An HTTP/2 connection may be ending. */
static bool is_usable(const struct connection *connection, const struct address_check *check)
{
    return (connection->h2 == NULL || h2_room(connection->h2) > 0) &&
           check->allowed(check->arg, &connection->address, connection->port);
}

static struct connection *find_usable(const struct origin *origin,
                                      const struct address_check *check)
{
    list_each(link, &origin->shared)
    {
        struct connection *connection = list_entry(link, struct connection, shared);
        if (is_usable(connection, check)) {
            return connection;
        }
    }
    list_each(link, &origin->idle)
    {
        struct connection *connection = list_entry(link, struct connection, idle);
        if (is_usable(connection, check)) {
            return connection;
        }
    }
    return NULL;
}

struct stream *origins_take(struct origins *origins, const struct origin_at *at,
                            const struct address_check *check, struct ip *address)
{
    struct origin_key key = key_of(origins, at);
    struct origin *origin = find(origins, &key);

    if (origin == NULL) {
        return NULL;
    }
    struct connection *connection = find_usable(origin, check);
    if (connection == NULL) {
        return NULL;
    }
    *address = connection->address;
    connection->reused = true;
    if (connection->h2) {
        return share(connection);
    }
    leave_idle(connection);
    return h1_request(connection->h1);
}

struct stream *origins_adopt(struct origins *origins, const struct origin_at *at,
                             struct transport *transport, const struct ip *address, bool others)
{
    struct origin_key key = key_of(origins, at);
    struct connection *connection = xcalloc(1, sizeof(*connection));

    connection->origins = origins;
    connection->origin = find_or_add(origins, &key);
    connection->origin->connections++;
    connection->terms = origins->terms;
    connection->terms->refs++;
    connection->address = *address;
    connection->port = at->port;
    connection->others = others;
    list_init(&connection->idle);
    list_init(&connection->shared);
    list_init(&connection->age);
    list_push_back(&origins->all, &connection->link);
    connection->origin->speaks_h1 = transport_alpn(transport) != ALPN_H2;
    if (!connection->origin->speaks_h1) {
        connection->h2 =
            h2_connect(transport, true, &connection->terms->h2, &h2_events, connection);
        list_push_front(&connection->origin->shared, &connection->shared);
        return share(connection);
    }
    connection->h1 = h1_connect(transport, &connection->terms->h1, &h1_events, connection);
    return h1_request(connection->h1);
}

bool origins_speaks_h1(const struct origins *origins, const struct origin_at *at)
{
    struct origin_key key = key_of(origins, at);
    const struct origin *origin = find(origins, &key);

    return origin && origin->speaks_h1;
}

bool origins_refused(const struct stream *stream)
{
    return h2_of_stream(stream) && h2_refused(stream);
}

bool origins_untouched(const struct stream *stream)
{
    const struct h1 *h1 = h1_of_stream(stream);

    return h1 ? h1_untouched(h1) : h2_of_stream(stream) && h2_untouched(stream);
}

bool origins_may_retry(const struct stream *stream)
{
    const struct h1 *h1 = h1_of_stream(stream);
    const struct h2 *h2 = h2_of_stream(stream);

    if (h2) {
        const struct connection *shared = h2_owner(h2);
        return h2_refused(stream) || (shared->reused && h2_untouched(stream));
    }
    if (h1 == NULL) {
        return false;
    }
    const struct connection *connection = h1_owner(h1);
    return connection->reused && h1_untouched(h1);
}

static struct connection *connection_of(const struct stream *stream)
{
    const struct h1 *h1 = h1_of_stream(stream);
    const struct h2 *h2 = h2_of_stream(stream);

    return h1 ? h1_owner(h1) : h2 ? h2_owner(h2) : NULL;
}

void origins_heard(const struct stream *stream, uint64_t now_ms)
{
    const struct connection *connection = connection_of(stream);

    if (connection) {
        connection->origin->heard_ms = now_ms;
    }
}

bool origins_heard_since(const struct stream *stream, uint64_t then_ms)
{
    const struct connection *connection = connection_of(stream);

    return connection && connection->origin->heard_ms > then_ms;
}

bool origins_shun(const struct stream *stream, struct ip *address, uint16_t *port)
{
    const struct connection *connection = connection_of(stream);

    if (connection == NULL || !connection->others) {
        return false;
    }
    *address = connection->address;
    *port = connection->port;
    list_each_safe(link, &connection->origin->idle)
    {
        struct connection *idle = list_entry(link, struct connection, idle);
        if (ip_eq(&idle->address, address)) {
            make_surplus(idle);
        }
    }
    return true;
}

bool origins_shed(struct origins *origins)
{
    if (list_empty(&origins->idle)) {
        return false;
    }
    make_surplus(list_entry(origins->idle.prev, struct connection, age));
    return true;
}

size_t origins_idle(const struct origins *origins)
{
    return origins->idle_count;
}

/* --- life ------------------------------------------------------------------------------------ */

struct origins *origins_new(struct loop *loop)
{
    struct origins *origins = xcalloc(1, sizeof(*origins));

    origins->loop = loop;
    origins->key = sip_key_random();
    map_init(&origins->map, 0);
    list_init(&origins->all);
    list_init(&origins->idle);
    list_init(&origins->surplus);
    timeout_init(&origins->sweep, on_sweep);
    return origins;
}

void origins_configure(struct origins *origins, const struct h1_settings *settings,
                       size_t idle_per_origin)
{
    terms_release(origins->terms);
    origins->terms = xcalloc(1, sizeof(*origins->terms));
    origins->terms->refs = 1;
    origins->terms->h1 = *settings;
    origins->terms->h2 = (struct h2_settings){.limits = settings->limits, .times = settings->times};
    origins->idle_per_origin = idle_per_origin;
}

void origins_free(struct origins **origins)
{
    struct origins *o = *origins;

    if (o == NULL) {
        return;
    }
    *origins = NULL;
    list_each_safe(link, &o->all)
    {
        connection_close(list_entry(link, struct connection, link));
    }
    timeout_clear(&o->sweep);
    terms_release(o->terms);
    CHECK(o->map.count == 0);
    map_fini(&o->map);
    free(o);
}
