#include "tests/lib/origin_parts.h"

#include "base/mem.h"
#include "base/prefix.h"
#include "tests/lib/origin_answer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum { STACK_SIZE = 256 << 10, BACKLOG = 1024 };

/* A connection; its thread owns all but `link` and `wire.fd`. */
struct connection {
    struct origin *origin;
    struct list link;
    struct origin_wire wire;
    uint64_t number;
    struct buf head;
    char *piece;
    struct origin_request request;
    struct route *route;     /* of the request being answered */
    struct route *answering; /* where its reply comes from; NULL: from the handler */
    size_t record;           /* its index; SIZE_MAX: it is not kept */
    bool counts;
    struct arena memory; /* of one reply */
};

/* --- routes ---------------------------------------------------------------------------------- */

struct route *origin_find_route(struct origin *origin, struct span path)
{
    struct map_link *link = map_first(&origin->routes, sip_hash64(&origin->key, path));

    for (; link; link = map_next(link)) {
        struct route *route = container_of(link, struct route, link);
        if (span_eq(span_of(route->path, route->len), path)) {
            return route;
        }
    }
    return NULL;
}

static struct route *find_or_add(struct origin *origin, struct span path)
{
    struct route *route = origin_find_route(origin, path);

    if (route == NULL) {
        route = xcalloc(1, sizeof(*route) + path.len + 1);
        route->len = path.len;
        memcpy(route->path, path.at, path.len);
        map_insert(&origin->routes, &route->link, sip_hash64(&origin->key, path));
    }
    return route;
}

static struct route *find_set(struct origin *origin, struct span target)
{
    struct span tries[] = {target, span_take(target, span_find(target, '?')), SPAN("*")};

    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        struct route *route = origin_find_route(origin, tries[i]);
        if (route && route->set) {
            return route;
        }
    }
    return NULL;
}

void origin_set(struct origin *origin, const char *path, const struct origin_reply *reply)
{
    pthread_mutex_lock(&origin->lock);
    struct route *route = find_or_add(origin, span_str(path));
    route->reply = *reply;
    route->set = true;
    route->released = false;
    pthread_mutex_unlock(&origin->lock);
}

void origin_release(struct origin *origin, const char *path)
{
    pthread_mutex_lock(&origin->lock);
    find_or_add(origin, span_str(path))->released = true;
    pthread_cond_broadcast(&origin->changed);
    pthread_mutex_unlock(&origin->lock);
}

/* --- requests -------------------------------------------------------------------------------- */

static bool keep_request(struct origin *origin, struct connection *c)
{
    if (origin->record_count >= origin->keep) {
        return false;
    }
    if (origin->record_count == origin->record_cap) {
        origin->record_cap = origin->record_cap ? origin->record_cap * 2 : 64;
        origin->records =
            xrealloc(origin->records, origin->record_cap * sizeof(origin->records[0]));
    }
    c->record = origin->record_count++;
    origin->records[c->record] = (struct record){
        .route = c->route,
        .request = {.head = xstrndup(c->request.head, c->request.head_len),
                    .head_len = c->request.head_len,
                    .connection = c->number},
    };
    return true;
}

static struct origin_reply find_reply(struct connection *c)
{
    struct origin *origin = c->origin;
    struct origin_reply reply = {.status = 404};
    origin_handler *handler = NULL;

    pthread_mutex_lock(&origin->lock);
    c->answering = find_set(origin, origin_request_target(&c->request));
    if (c->answering) {
        reply = c->answering->reply;
    } else {
        handler = origin->handler;
    }
    pthread_mutex_unlock(&origin->lock);
    if (handler) {
        reply = (struct origin_reply){0};
        handler(origin, &c->request, &c->memory, &reply);
    }
    return reply;
}

static void note_request(struct connection *c)
{
    struct origin *origin = c->origin;

    pthread_mutex_lock(&origin->lock);
    c->route = find_or_add(origin, origin_request_target(&c->request));
    c->route->count++;
    origin->requests++;
    if (!keep_request(origin, c)) {
        c->record = SIZE_MAX;
    }
    pthread_cond_broadcast(&origin->changed);
    pthread_mutex_unlock(&origin->lock);
}

static void on_received(void *arg)
{
    struct connection *c = arg;
    struct origin *origin = c->origin;

    pthread_mutex_lock(&origin->lock);
    if (c->counts && c->record < origin->record_count && c->request.body_len > 0) {
        struct origin_request *kept = &origin->records[c->record].request;
        free(kept->body);
        kept->body = xstrndup(c->request.body, c->request.body_kept);
        kept->body_kept = c->request.body_kept;
        kept->body_len = c->request.body_len;
    }
    pthread_mutex_unlock(&origin->lock);
}

static void on_sending(void *arg, uint64_t body)
{
    struct connection *c = arg;

    if (c->counts) {
        pthread_mutex_lock(&c->origin->lock);
        c->origin->bytes += body;
        pthread_mutex_unlock(&c->origin->lock);
    }
}

static void wait_for_release(void *arg)
{
    struct connection *c = arg;
    struct origin *origin = c->origin;

    pthread_mutex_lock(&origin->lock);
    struct route *route =
        c->answering ? c->answering : find_or_add(origin, origin_request_target(&c->request));
    while (!route->released && !origin->stopping) {
        pthread_cond_wait(&origin->changed, &origin->lock);
    }
    pthread_mutex_unlock(&origin->lock);
}

/* --- threads --------------------------------------------------------------------------------- */

static void connection_end(struct connection *c)
{
    struct origin *origin = c->origin;

    buf_fini(&c->wire.in);
    buf_fini(&c->head);
    arena_fini(&c->memory);
    free(c->piece);
    pthread_mutex_lock(&origin->lock);
    close(c->wire.fd);
    list_remove(&c->link);
    free(c);
    pthread_cond_broadcast(&origin->changed);
    pthread_mutex_unlock(&origin->lock);
}

static void *serve(void *arg)
{
    struct connection *c = arg;
    struct origin_context context = {
        .wait = wait_for_release,
        .received = on_received,
        .sending = on_sending,
        .arg = c,
        .head = &c->head,
        .piece = c->piece,
    };
    bool more = true;

    while (more && origin_wire_head(&c->wire, &c->request)) {
        struct origin_reply reply = find_reply(c);
        c->counts = !reply.uncounted;
        if (c->counts) {
            note_request(c);
        }
        more = origin_answer(&c->wire, &c->request, &reply, &context);
        origin_request_fini(&c->request);
        arena_reset(&c->memory);
    }
    connection_end(c);
    return NULL;
}

static void start_thread(struct connection *c)
{
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    CHECK(pthread_create(&thread, &attributes, serve, c) == 0);
    pthread_attr_destroy(&attributes);
}

static void add_connection(struct origin *origin, int fd)
{
    struct connection *c = xcalloc(1, sizeof(*c));
    int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    c->origin = origin;
    c->wire.fd = fd;
    c->piece = xmalloc(ORIGIN_PIECE);
    arena_init(&c->memory, NULL, 0);
    pthread_mutex_lock(&origin->lock);
    c->number = ++origin->accepted;
    list_push_back(&origin->connections, &c->link);
    pthread_mutex_unlock(&origin->lock);
    start_thread(c);
}

static void *accept_all(void *arg)
{
    struct origin *origin = arg;
    int fd = accept4(origin->listener, NULL, NULL, SOCK_CLOEXEC);

    while (fd >= 0 || errno == ECONNABORTED || errno == EMFILE || errno == EINTR) {
        if (fd >= 0) {
            add_connection(origin, fd);
        }
        fd = accept4(origin->listener, NULL, NULL, SOCK_CLOEXEC);
    }
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------ */

static int open_listener(const char *endpoint, uint16_t *port)
{
    struct sockaddr_storage address;
    socklen_t len;
    int on = 1;

    if (endpoint_parse(span_str(endpoint), 0, &address, &len) != 0) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&address, len) != 0 || listen(fd, BACKLOG) != 0) {
        close(fd);
        return -1;
    }
    len = sizeof(address);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    *port = ntohs(address.ss_family == AF_INET ? ((struct sockaddr_in *)&address)->sin_port
                                               : ((struct sockaddr_in6 *)&address)->sin6_port);
    return fd;
}

struct origin *origin_start(const char *endpoint, origin_handler *handler)
{
    uint16_t port = 0;
    int listener = open_listener(endpoint, &port);
    pthread_condattr_t monotonic;

    if (listener < 0) {
        return NULL;
    }
    struct origin *origin = xcalloc(1, sizeof(*origin));
    origin->listener = listener;
    origin->port = port;
    origin->handler = handler;
    origin->key = sip_key_random();
    origin->keep = ORIGIN_REQUESTS_KEPT;
    map_init(&origin->routes, 0);
    list_init(&origin->connections);
    pthread_mutex_init(&origin->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&origin->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    CHECK(pthread_create(&origin->accepting, NULL, accept_all, origin) == 0);
    return origin;
}

uint16_t origin_port(const struct origin *origin)
{
    return origin->port;
}

void origin_keep_requests(struct origin *origin, size_t most)
{
    origin->keep = most;
}

static void shut_all(struct origin *origin)
{
    list_each(link, &origin->connections)
    {
        shutdown(list_entry(link, struct connection, link)->wire.fd, SHUT_RDWR);
    }
}

void origin_hang_up(struct origin *origin)
{
    pthread_mutex_lock(&origin->lock);
    shut_all(origin);
    pthread_mutex_unlock(&origin->lock);
}

static void free_route(struct map_link *link, void *arg)
{
    (void)arg;
    free(container_of(link, struct route, link));
}

void origin_forget_records(struct origin *origin)
{
    for (size_t i = 0; i < origin->record_count; i++) {
        origin_request_fini(&origin->records[i].request);
    }
    origin->record_count = 0;
}

void origin_stop(struct origin **origin)
{
    struct origin *o = *origin;

    if (o == NULL) {
        return;
    }
    *origin = NULL;
    shutdown(o->listener, SHUT_RDWR); /* ends accept4() */
    pthread_join(o->accepting, NULL);
    pthread_mutex_lock(&o->lock);
    o->stopping = true;
    shut_all(o);
    pthread_cond_broadcast(&o->changed);
    while (!list_empty(&o->connections)) {
        pthread_cond_wait(&o->changed, &o->lock);
    }
    pthread_mutex_unlock(&o->lock);
    close(o->listener);
    origin_forget_records(o);
    free(o->records);
    map_each(&o->routes, free_route, NULL);
    map_fini(&o->routes);
    pthread_cond_destroy(&o->changed);
    pthread_mutex_destroy(&o->lock);
    free(o);
}
