#include "base/err.h"
#include "base/mem.h"
#include "proxy/origin/upstream.h"
#include "tests/unit/proxy/dns_fake.h"
#include "tests/unit/proxy/http_fake.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>

enum { GIVE_UP_MS = 8000 };

/* A loop, the connections of one worker, a name server, and one origin at 127.0.0.2. */
struct bench {
    struct loop *loop;
    struct upstreams *upstreams;
    struct dns_fake dns;
    struct http_fake origin;
    const char *nameservers[1];
    struct upstream_settings settings;
    const char *forbidden; /* this address is refused */
    unsigned checks;
};

/* One connection asked for, and one request on it. */
struct call {
    struct bench *bench;
    struct upstream_job *job;
    struct upstream_result result;
    unsigned done, closed, ended;
    int status, close_err;
    bool may_retry;
    bool inside; /* of upstream_get() */
    bool keep;   /* no request is sent */
    struct arena arena;
};

/* --- running the loop ------------------------------------------------------------------------ */

static void on_wait_end(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

/* Until `*count` is at least `want`, or for `ms`. */
static void run_until(struct bench *b, const unsigned *count, unsigned want, uint64_t ms)
{
    bool over = false;
    uv_timer_t timer;

    uv_timer_init(loop_uv(b->loop), &timer);
    timer.data = &over;
    uv_timer_start(&timer, on_wait_end, ms, 0);
    while (!over && (count == NULL || *count < want)) {
        uv_run(loop_uv(b->loop), UV_RUN_ONCE);
    }
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(loop_uv(b->loop), UV_RUN_NOWAIT);
    cr_assert(count == NULL || *count >= want, "it did not happen");
}

static bool allowed(void *arg, const struct ip *ip, uint16_t port)
{
    struct bench *b = arg;
    char text[IP_TEXT_MAX];

    b->checks++;
    cr_expect_eq(port, b->origin.port);
    return b->forbidden == NULL || strcmp(ip_text(ip, text), b->forbidden) != 0;
}

static void open_bench(struct bench *b)
{
    *b = (struct bench){0};
    cr_assert_eq(loop_new(&b->loop), 0);
    dns_fake_open(&b->dns, loop_uv(b->loop));
    http_fake_open(&b->origin, loop_uv(b->loop), "127.0.0.2", 0);
    b->nameservers[0] = b->dns.endpoint;
    b->settings = (struct upstream_settings){
        .h1 = {.limits = h1_default_limits,
               .times = {.head_ms = 5000, .body_ms = 5000, .first_byte_ms = 5000}},
        .resolve_ms = 2000,
        .connect_ms = 5000,
        .idle_ms = 30000,
        .attempt_delay_ms = 250,
        .idle_per_origin = 4,
        .nameservers = b->nameservers,
        .nameserver_count = 1,
    };
    cr_assert_eq(upstreams_new(b->loop, &b->settings, &b->upstreams), 0);
}

static void close_bench(struct bench *b)
{
    upstreams_free(&b->upstreams);
    cr_expect_null(b->upstreams);
    dns_fake_close(&b->dns);
    http_fake_close(&b->origin);
    loop_stop(b->loop);
    loop_run(b->loop);
    cr_expect_eq(b->origin.live, 0);
    loop_free(&b->loop);
}

/* --- calls ----------------------------------------------------------------------------------- */

static void on_head(void *owner, const struct http_head *head)
{
    ((struct call *)owner)->status = head->status;
}

static enum stream_flow on_data(void *owner, struct span bytes)
{
    cr_expect(span_eq(bytes, SPAN("ok")));
    return STREAM_MORE;
}

static void on_end(void *owner)
{
    ((struct call *)owner)->ended++;
}

static void on_close(void *owner, int err)
{
    struct call *call = owner;

    call->may_retry = upstream_may_retry(call->result.stream);
    call->close_err = err;
    call->closed++;
}

static const struct stream_events events = {
    .on_head = on_head, .on_data = on_data, .on_end = on_end, .on_close = on_close};

static void on_done(void *arg, const struct upstream_result *result)
{
    struct call *call = arg;
    struct http_head head;

    cr_expect_not(call->inside, "done must not be called from inside upstream_get()");
    call->done++;
    call->job = NULL;
    call->result = *result;
    if (result->err || call->keep) {
        return;
    }
    stream_bind(result->stream, &events, call);
    head_init(&head, &call->arena);
    head.version = HTTP_1_1;
    head.method = METHOD_GET;
    head.method_text = SPAN("GET");
    head.target = SPAN("/");
    head.keep_alive = true;
    fields_add(&head.fields, SPAN("Host"), SPAN("www.example"));
    stream_send(result->stream, &head, NULL);
}

static void start(struct bench *b, struct call *call, struct upstream_target target)
{
    bool keep = call->keep;

    *call = (struct call){.bench = b, .inside = true, .keep = keep};
    arena_init(&call->arena, NULL, 0);
    target.port = target.port ? target.port : b->origin.port;
    struct address_check check = {.allowed = allowed, .arg = b};
    call->job = upstream_get(b->upstreams, &target, check, on_done, call);
    call->inside = false;
    cr_expect_not_null(call->job);
}

static void stop(struct call *call)
{
    arena_fini(&call->arena);
}

/* A whole request, or the reason why there was none. */
static struct call call_target(struct bench *b, struct upstream_target target)
{
    struct call call = {0};

    start(b, &call, target);
    run_until(b, &call.done, 1, GIVE_UP_MS);
    if (call.result.err == 0) {
        run_until(b, &call.closed, 1, GIVE_UP_MS);
    }
    stop(&call);
    return call;
}

static struct call call_host(struct bench *b, const char *host)
{
    return call_target(b, (struct upstream_target){.host = span_str(host)});
}

static void expect_ok(const struct call *call, const char *address, bool reused)
{
    char text[IP_TEXT_MAX];

    cr_expect_eq(call->result.err, 0, "%s", err_text(call->result.err));
    cr_expect_eq(call->status, 200);
    cr_expect_eq(call->ended, 1);
    cr_expect_eq(call->close_err, 0, "%s", err_text(call->close_err));
    cr_expect_eq(call->result.reused, reused);
    cr_expect_str_eq(ip_text(&call->result.address, text), address);
}

static struct upstream_stats stats(const struct bench *b)
{
    struct upstream_stats out;

    upstream_stats(b->upstreams, &out);
    return out;
}

/* --- connecting ------------------------------------------------------------------------------ */

Test(upstream, a_literal_address)
{
    struct bench b;

    open_bench(&b);
    struct call call = call_host(&b, "127.0.0.2");
    expect_ok(&call, "127.0.0.2", false);
    cr_expect(call.result.resolved);
    cr_expect_eq(b.dns.questions, 0);
    close_bench(&b);
}

Test(upstream, a_dead_address_is_passed_over_and_remembered_rfc8305_5)
{
    struct bench b;

    open_bench(&b);
    dns_fake_add(&b.dns, "www.example", AF_INET, "127.0.0.3", 60); /* nobody listens */
    dns_fake_add(&b.dns, "www.example", AF_INET, "127.0.0.2", 60);
    struct call call = call_host(&b, "www.example");
    expect_ok(&call, "127.0.0.2", false);
    struct http_fake revived;
    http_fake_open(&revived, loop_uv(b.loop), "127.0.0.3", b.origin.port);
    struct upstream_target fresh = {.host = SPAN("www.example"), .fresh = true};
    call = call_target(&b, fresh);
    expect_ok(&call, "127.0.0.2", false);
    cr_expect_eq(revived.accepted, 0);
    http_fake_close(&revived);
    close_bench(&b);
}

/* For others it is good. */
Test(upstream, an_address_that_refuses_http1_is_not_remembered)
{
    struct tls_context *tls;
    struct http_fake second;
    struct bench b;

    open_bench(&b);
    http_fake_open(&second, loop_uv(b.loop), "127.0.0.3", b.origin.port);
    dns_fake_add(&b.dns, "one.example", AF_INET, "127.0.0.3", 60);
    dns_fake_add(&b.dns, "www.example", AF_INET, "127.0.0.3", 60);
    dns_fake_add(&b.dns, "www.example", AF_INET, "127.0.0.2", 60);
    struct tls_client_options options = {.alpn = BIT(ALPN_H2) | BIT(ALPN_HTTP1)};
    cr_assert_eq(tls_client_new(&options, &(struct tls_report){0}, &tls), 0);
    second.only_http2 = true;
    struct call call = call_target(
        &b, (struct upstream_target){.host = SPAN("one.example"), .tls = tls, .alone = true});
    cr_expect_eq(call.result.err, ERR_TLS, "%s", err_text(call.result.err));
    cr_expect(call.result.only_http2);
    second.only_http2 = false;
    call = call_host(&b, "www.example");
    expect_ok(&call, "127.0.0.3", false);
    second.only_http2 = true; /* where everything was offered it is the address's fault */
    call = call_target(&b, (struct upstream_target){.host = SPAN("one.example"), .tls = tls});
    cr_expect_eq(call.result.err, ERR_TLS, "%s", err_text(call.result.err));
    cr_expect_not(call.result.only_http2);
    call = call_target(&b, (struct upstream_target){.host = SPAN("www.example"), .fresh = true});
    expect_ok(&call, "127.0.0.2", false);
    tls_context_unref(&tls);
    http_fake_close(&second);
    close_bench(&b);
}

Test(upstream, a_silent_address_only_delays_rfc8305_5)
{
    struct bench b;
    struct silence silence;

    open_bench(&b);
    silence_begin(&silence, "127.0.0.4", b.origin.port);
    dns_fake_add(&b.dns, "www.example", AF_INET, "127.0.0.4", 60);
    dns_fake_add(&b.dns, "www.example", AF_INET, "127.0.0.2", 60);
    struct call call = call_host(&b, "www.example");
    expect_ok(&call, "127.0.0.2", false);
    silence_end(&silence);
    struct http_fake revived;
    http_fake_open(&revived, loop_uv(b.loop), "127.0.0.4", b.origin.port);
    struct upstream_target fresh = {.host = SPAN("www.example"), .fresh = true};
    call = call_target(&b, fresh);
    expect_ok(&call, "127.0.0.2", false);
    cr_expect_eq(revived.accepted, 0, "who loses the race comes last next time");
    http_fake_close(&revived);
    close_bench(&b);
}

Test(upstream, silence_everywhere_is_a_timeout)
{
    struct bench b;
    struct silence silence;

    open_bench(&b);
    b.settings.connect_ms = 300;
    upstreams_reconfigure(b.upstreams, &b.settings);
    silence_begin(&silence, "127.0.0.4", b.origin.port);
    struct call call = call_host(&b, "127.0.0.4");
    cr_expect_eq(call.result.err, ERR_TIMEOUT);
    cr_expect(call.result.resolved);
    cr_expect_null(call.result.stream);
    silence_end(&silence);
    close_bench(&b);
}

Test(upstream, one_family_is_tried_while_the_other_is_not_known_rfc8305_3)
{
    struct bench b;

    open_bench(&b);
    b.settings.resolve_ms = 400;
    upstreams_reconfigure(b.upstreams, &b.settings);
    b.dns.silent_family = AF_INET6;
    dns_fake_add(&b.dns, "good.example", AF_INET, "127.0.0.2", 60);
    dns_fake_add(&b.dns, "dead.example", AF_INET, "127.0.0.5", 60);
    struct call call = call_host(&b, "good.example");
    expect_ok(&call, "127.0.0.2", false);
    call = call_host(&b, "dead.example");
    cr_expect_eq(call.result.err, -ECONNREFUSED);
    cr_expect(call.result.resolved);
    close_bench(&b);
}

Test(upstream, a_late_family_comes_to_the_rescue_rfc8305_3)
{
    struct bench b;
    struct call call = {0};

    open_bench(&b);
    b.dns.silent_family = AF_INET;
    dns_fake_add(&b.dns, "www.example", AF_INET6, "::1", 60); /* nobody listens */
    dns_fake_add(&b.dns, "www.example", AF_INET, "127.0.0.2", 60);
    start(&b, &call, (struct upstream_target){.host = SPAN("www.example")});
    run_until(&b, &b.checks, 1, GIVE_UP_MS);
    run_until(&b, NULL, 0, 20);
    cr_expect_eq(call.done, 0, "the other family is waited for");
    b.dns.silent_family = 0;
    run_until(&b, &call.closed, 1, GIVE_UP_MS);
    expect_ok(&call, "127.0.0.2", false);
    stop(&call);
    close_bench(&b);
}

Test(upstream, nobody_listens)
{
    struct bench b;

    open_bench(&b);
    struct call call = call_host(&b, "127.0.0.5");
    cr_expect_eq(call.result.err, -ECONNREFUSED);
    cr_expect(call.result.resolved);
    cr_expect_eq(stats(&b).failures, 1);
    close_bench(&b);
}

Test(upstream, no_such_name)
{
    struct bench b;
    char long_name[400];

    open_bench(&b);
    cr_expect_eq(call_host(&b, "nowhere.example").result.err, ERR_NO_ADDRESS);
    cr_expect_eq(call_host(&b, "a b").result.err, ERR_NO_ADDRESS);
    cr_expect_eq(call_host(&b, "").result.err, ERR_NO_ADDRESS);
    memset(long_name, 'a', sizeof(long_name));
    struct upstream_target target = {.host = span_of(long_name, sizeof(long_name))};
    struct call call = call_target(&b, target);
    cr_expect_eq(call.result.err, ERR_NO_ADDRESS);
    cr_expect_not(call.result.resolved);
    b.dns.otherwise = FAKE_SILENT;
    b.settings.resolve_ms = 200;
    upstreams_reconfigure(b.upstreams, &b.settings);
    call = call_host(&b, "silent.example");
    cr_expect_eq(call.result.err, ERR_TIMEOUT);
    cr_expect_not(call.result.resolved);
    close_bench(&b);
}

/* --- the check ------------------------------------------------------------------------------- */

Test(upstream, refused_addresses_are_never_connected_to)
{
    struct bench b;

    open_bench(&b);
    b.forbidden = "127.0.0.2";
    struct call call = call_host(&b, "127.0.0.2");
    cr_expect_eq(call.result.err, ERR_REFUSED);
    dns_fake_add(&b.dns, "www.example", AF_INET, "127.0.0.2", 60);
    call = call_host(&b, "www.example");
    cr_expect_eq(call.result.err, ERR_REFUSED);
    cr_expect_eq(b.origin.accepted, 0);

    dns_fake_add(&b.dns, "two.example", AF_INET, "127.0.0.3", 60);
    dns_fake_add(&b.dns, "two.example", AF_INET, "127.0.0.2", 60);
    b.forbidden = "127.0.0.3";
    call = call_host(&b, "two.example");
    expect_ok(&call, "127.0.0.2", false);
    close_bench(&b);
}

Test(upstream, an_idle_connection_is_checked_again)
{
    struct bench b;

    open_bench(&b);
    struct call call = call_host(&b, "127.0.0.2");
    expect_ok(&call, "127.0.0.2", false);
    b.forbidden = "127.0.0.2";
    call = call_host(&b, "127.0.0.2");
    cr_expect_eq(call.result.err, ERR_REFUSED);
    b.forbidden = NULL;
    call = call_host(&b, "127.0.0.2");
    expect_ok(&call, "127.0.0.2", true);
    close_bench(&b);
}

/* --- reuse ----------------------------------------------------------------------------------- */

Test(upstream, an_idle_connection_is_used_again)
{
    struct bench b;

    open_bench(&b);
    for (unsigned i = 0; i < 5; i++) {
        struct call call = call_host(&b, "127.0.0.2");
        expect_ok(&call, "127.0.0.2", i > 0);
        cr_expect_not(call.may_retry);
    }
    cr_expect_eq(b.origin.accepted, 1);
    cr_expect_eq(b.origin.requests, 5);
    struct upstream_stats s = stats(&b);
    cr_expect_eq(s.connects, 1);
    cr_expect_eq(s.reuses, 4);
    cr_expect_eq(s.idle, 1);
    close_bench(&b);
}

Test(upstream, not_for_another_name_or_when_fresh)
{
    struct bench b;

    open_bench(&b);
    dns_fake_add(&b.dns, "a.example", AF_INET, "127.0.0.2", 60);
    dns_fake_add(&b.dns, "b.example", AF_INET, "127.0.0.2", 60);
    struct call call = call_host(&b, "a.example");
    expect_ok(&call, "127.0.0.2", false);
    call = call_host(&b, "b.example");
    expect_ok(&call, "127.0.0.2", false);
    call = call_target(&b, (struct upstream_target){.host = SPAN("a.example"), .fresh = true});
    expect_ok(&call, "127.0.0.2", false);
    call = call_host(&b, "a.example");
    expect_ok(&call, "127.0.0.2", true);
    cr_expect_eq(b.origin.accepted, 3);
    close_bench(&b);
}

Test(upstream, idle_connections_are_limited)
{
    struct bench b;
    struct call calls[6] = {0};

    open_bench(&b);
    b.settings.idle_per_origin = 2;
    upstreams_reconfigure(b.upstreams, &b.settings);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        start(&b, &calls[i], (struct upstream_target){.host = SPAN("127.0.0.2")});
    }
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        run_until(&b, &calls[i].closed, 1, GIVE_UP_MS);
        expect_ok(&calls[i], "127.0.0.2", false);
        stop(&calls[i]);
    }
    cr_expect_eq(stats(&b).idle, 2);
    while (b.origin.live > 2) {
        uv_run(loop_uv(b.loop), UV_RUN_ONCE);
    }
    cr_expect_eq(b.origin.accepted, 6);
    close_bench(&b);
}

Test(upstream, no_idle_connections_at_all)
{
    struct bench b;

    open_bench(&b);
    b.settings.idle_per_origin = 0;
    upstreams_reconfigure(b.upstreams, &b.settings);
    struct call call = call_host(&b, "127.0.0.2");
    expect_ok(&call, "127.0.0.2", false);
    call = call_host(&b, "127.0.0.2");
    expect_ok(&call, "127.0.0.2", false);
    cr_expect_eq(stats(&b).idle, 0);
    close_bench(&b);
}

Test(upstream, a_closed_idle_connection_is_not_handed_out)
{
    struct bench b;

    open_bench(&b);
    b.origin.close_after = true;
    struct call call = call_host(&b, "127.0.0.2");
    expect_ok(&call, "127.0.0.2", false);
    while (stats(&b).idle > 0) {
        uv_run(loop_uv(b.loop), UV_RUN_ONCE);
    }
    call = call_host(&b, "127.0.0.2");
    expect_ok(&call, "127.0.0.2", false);
    cr_expect_eq(b.origin.accepted, 2);
    close_bench(&b);
}

Test(upstream, a_reused_connection_that_dies_untouched_permits_a_retry_rfc9112_9_3_1)
{
    struct bench b;

    open_bench(&b);
    struct call call = call_host(&b, "127.0.0.2");
    expect_ok(&call, "127.0.0.2", false);
    b.origin.hang_up = true;
    call = call_host(&b, "127.0.0.2");
    cr_expect(call.result.reused);
    cr_expect_neq(call.close_err, 0);
    cr_expect(call.may_retry);
    call = call_host(&b, "127.0.0.2"); /* the same on a new connection: no */
    cr_expect_not(call.result.reused);
    cr_expect_neq(call.close_err, 0);
    cr_expect_not(call.may_retry);
    cr_expect_eq(stats(&b).idle, 0);
    close_bench(&b);
}

/* --- tunnels --------------------------------------------------------------------------------- */

Test(upstream, a_tunnel_is_a_connection_of_its_own)
{
    struct bench b;
    struct call call = {.keep = true};

    open_bench(&b);
    struct call before = call_host(&b, "127.0.0.2");
    expect_ok(&before, "127.0.0.2", false);
    start(&b, &call, (struct upstream_target){.host = SPAN("127.0.0.2"), .tunnel = true});
    run_until(&b, &call.done, 1, GIVE_UP_MS);
    cr_assert_eq(call.result.err, 0);
    cr_expect_not(call.result.reused);
    run_until(&b, &b.origin.accepted, 2, GIVE_UP_MS);
    stream_bind(call.result.stream, &events, &call);
    cr_expect_not(upstream_may_retry(call.result.stream));
    tunnel_start(call.result.stream);
    stream_close(call.result.stream, 0);
    stop(&call);
    close_bench(&b);
}

Test(upstream, a_tunnel_never_takes_an_idle_connection)
{
    struct bench b;
    struct call call = {.keep = true};

    open_bench(&b);
    struct call before = call_host(&b, "127.0.0.2");
    expect_ok(&before, "127.0.0.2", false);
    start(&b, &call, (struct upstream_target){.host = SPAN("127.0.0.2"), .tunnel = true});
    run_until(&b, &call.done, 1, GIVE_UP_MS);
    cr_assert_eq(call.result.err, 0);
    cr_expect_eq(stats(&b).idle, 1);
    stream_bind(call.result.stream, &events, &call);
    stream_close(call.result.stream, 0);
    run_until(&b, NULL, 0, 20);
    cr_expect_eq(call.closed, 0);
    stop(&call);
    close_bench(&b);
}

/* --- giving up ------------------------------------------------------------------------------- */

Test(upstream, cancelled_before_it_began)
{
    struct bench b;
    struct call call = {0};

    open_bench(&b);
    start(&b, &call, (struct upstream_target){.host = SPAN("127.0.0.2")});
    upstream_cancel(call.job);
    run_until(&b, NULL, 0, 50);
    cr_expect_eq(call.done, 0);
    cr_expect_eq(b.origin.accepted, 0);
    stop(&call);
    close_bench(&b);
}

Test(upstream, cancelled_while_resolving)
{
    struct bench b;
    struct call call = {0};

    open_bench(&b);
    b.dns.otherwise = FAKE_SILENT;
    start(&b, &call, (struct upstream_target){.host = SPAN("www.example")});
    run_until(&b, &b.dns.questions, 2, GIVE_UP_MS);
    upstream_cancel(call.job);
    run_until(&b, NULL, 0, 50);
    cr_expect_eq(call.done, 0);
    stop(&call);
    close_bench(&b);
}

Test(upstream, cancelled_while_connecting)
{
    struct bench b;
    struct silence silence[2];
    struct call call = {0};

    open_bench(&b);
    silence_begin(&silence[0], "127.0.0.4", b.origin.port);
    silence_begin(&silence[1], "127.0.0.6", b.origin.port);
    dns_fake_add(&b.dns, "www.example", AF_INET, "127.0.0.4", 60);
    dns_fake_add(&b.dns, "www.example", AF_INET, "127.0.0.6", 60);
    start(&b, &call, (struct upstream_target){.host = SPAN("www.example")});
    run_until(&b, NULL, 0, 600); /* both are under way */
    upstream_cancel(call.job);
    run_until(&b, NULL, 0, 50);
    cr_expect_eq(call.done, 0);
    silence_end(&silence[0]);
    silence_end(&silence[1]);
    stop(&call);
    close_bench(&b);
}

Test(upstream, a_stream_given_up_takes_its_connection_along)
{
    struct bench b;
    struct call unused = {.keep = true};
    struct call unanswered = {0};

    open_bench(&b);
    b.origin.mute = true;
    start(&b, &unused, (struct upstream_target){.host = SPAN("127.0.0.2")});
    run_until(&b, &unused.done, 1, GIVE_UP_MS);
    cr_assert_eq(unused.result.err, 0);
    stream_bind(unused.result.stream, &events, &unused);
    stream_close(unused.result.stream, 0);
    start(&b, &unanswered, (struct upstream_target){.host = SPAN("127.0.0.2")});
    run_until(&b, &b.origin.requests, 1, GIVE_UP_MS);
    stream_close(unanswered.result.stream, ERR_CLOSED);
    while (b.origin.live > 0 || b.origin.accepted < 2) {
        uv_run(loop_uv(b.loop), UV_RUN_ONCE);
    }
    cr_expect_eq(unused.closed, 0);
    cr_expect_eq(unanswered.closed, 0);
    cr_expect_eq(stats(&b).idle, 0);
    stop(&unused);
    stop(&unanswered);
    close_bench(&b);
}

Test(upstream, freed_with_jobs_at_every_stage)
{
    struct bench b;
    struct silence silence;
    struct call calls[3] = {0};

    open_bench(&b);
    b.dns.otherwise = FAKE_SILENT;
    struct call before = call_host(&b, "127.0.0.2"); /* leaves one idle */
    expect_ok(&before, "127.0.0.2", false);
    silence_begin(&silence, "127.0.0.4", b.origin.port);
    start(&b, &calls[0], (struct upstream_target){.host = SPAN("127.0.0.4")});
    start(&b, &calls[1], (struct upstream_target){.host = SPAN("www.example")});
    run_until(&b, &b.dns.questions, 2, GIVE_UP_MS);
    start(&b, &calls[2], (struct upstream_target){.host = SPAN("127.0.0.2")});
    close_bench(&b);
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        cr_expect_eq(calls[i].done, 0);
        stop(&calls[i]);
    }
    silence_end(&silence);
}

Test(upstream_failure, whose_fault_it_is)
{
    static const struct {
        int err;
        bool resolved;
        unsigned status;
        enum reason reason;
    } cases[] = {
        {-ECONNREFUSED, true, 502, REASON_CONNECT}, {ERR_NO_ADDRESS, false, 502, REASON_DNS},
        {ERR_TIMEOUT, true, 504, REASON_CONNECT},   {ERR_REFUSED, true, 403, REASON_TARGET_ADDRESS},
        {ERR_BUSY, false, 503, REASON_DNS_BUSY},    {ERR_TIMEOUT, false, 504, REASON_DNS},
        {-EMFILE, true, 503, REASON_OVERLOAD},      {-EADDRNOTAVAIL, true, 503, REASON_OVERLOAD},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct upstream_result result = {.err = cases[i].err, .resolved = cases[i].resolved};
        struct failure failure = upstream_failure(&result);
        cr_expect_eq(failure.status, cases[i].status, "%zu", i);
        cr_expect_eq(failure.reason, cases[i].reason, "%zu", i);
    }
}
