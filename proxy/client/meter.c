#include "proxy/client/meter.h"

#include "base/check.h"
#include "base/err.h"
#include "base/list.h"

enum {
    BILL_BYTES = 64 * 1024,
    PAUSE_MS = 100,   /* ms until the rate is tried again */
    LINGER_MS = 1000, /* ms that a client has to close its side of a tunnel that was cut */
};

static struct meter *meter_of(struct source *source)
{
    return container_of(source, struct meter, source);
}

static uint64_t now_us(const struct meter *meter)
{
    return loop_now_ms(meter->loop) * 1000;
}

static void look_at_quota(struct meter *meter)
{
    const struct access_limits *limits = meter->limits;

    meter->left = UINT64_MAX;
    if (limits && limits->quota) {
        uint64_t used = account_used(meter->account, limits->per, loop_wall(meter->loop));
        meter->is_over = used >= limits->quota;
        meter->left = !meter->is_over ? limits->quota - used : limits->slow ? UINT64_MAX : 0;
    }
}

static void bill(struct meter *meter)
{
    if (meter->unbilled) {
        account_add(meter->account, meter->unbilled, loop_wall(meter->loop));
        meter->unbilled = 0;
        look_at_quota(meter);
    }
}

/* The rate in bytes per second; 0: only the total rate applies. */
static uint64_t rate_of(const struct meter *meter)
{
    const struct access_limits *limits = meter->limits;

    return limits == NULL ? 0 : meter->is_over && limits->slow ? limits->slow : limits->rate;
}

static bool is_stopped(const struct meter *meter)
{
    return meter->is_over && meter->limits->slow == 0;
}

/* ---- the source ---- */

static void wake(void *arg)
{
    struct meter *meter = arg;

    if (meter->source.wake) {
        meter->source.wake(meter->source.wake_arg);
    }
}

static void on_timer(struct timeout *timeout)
{
    struct meter *meter = container_of(timeout, struct meter, timer);

    if (meter->inner) {
        wake(meter);
    } else if (meter->on_cut) {
        meter->on_cut(meter->arg);
    }
}

/* Other streams of the account may have used the rest of the quota. */
static void use_up(struct meter *meter, uint64_t bytes)
{
    meter->unbilled += bytes;
    meter->left = meter->left == UINT64_MAX ? UINT64_MAX
                  : meter->left > bytes     ? meter->left - bytes
                                            : 0;
    if (meter->unbilled >= BILL_BYTES || meter->left == 0) {
        bill(meter);
    }
}

static int meter_peek(struct source *source, struct span *out)
{
    struct meter *meter = meter_of(source);

    if (is_stopped(meter)) {
        *out = SPAN_EMPTY;
        return meter->is_tunnel ? 0 : ERR_REFUSED;
    }
    int err = source_peek(meter->inner, out);
    if (err || out->len == 0) {
        return err;
    }
    uint64_t wanted = out->len < meter->left ? out->len : meter->left;
    uint64_t allowed = account_allowance(meter->account, wanted, rate_of(meter), now_us(meter));
    if (allowed == 0) {
        timeout_set(meter->loop, &meter->timer, PAUSE_MS);
        return ERR_AGAIN;
    }
    out->len = (size_t)allowed;
    return 0;
}

static void meter_advance(struct source *source, size_t n)
{
    struct meter *meter = meter_of(source);

    source_advance(meter->inner, n);
    account_spend(meter->account, n, rate_of(meter), now_us(meter));
    use_up(meter, n);
}

static void meter_drop(struct source *source)
{
    struct meter *meter = meter_of(source);
    struct source *inner = meter->inner;

    meter->inner = NULL;
    timeout_clear(&meter->timer);
    bill(meter);
    if (is_stopped(meter) && meter->is_tunnel) {
        timeout_set(meter->loop, &meter->timer, LINGER_MS);
    }
    source_drop(inner);
}

static bool meter_place(struct source *source, struct file_place *out)
{
    return source_place(meter_of(source)->inner, out);
}

/* ---- for the exchange ---- */

void meter_init(struct meter *meter, struct loop *loop, struct account *account,
                const struct access_limits *limits)
{
    CHECK(meter->account == NULL);
    meter->loop = loop;
    meter->account = account;
    meter->limits = limits;
    timeout_init(&meter->timer, on_timer);
    look_at_quota(meter);
}

struct source *meter_wrap(struct meter *meter, struct source *inner, bool is_tunnel)
{
    static const struct source_ops ops = {
        .peek = meter_peek, .advance = meter_advance, .drop = meter_drop, .place = meter_place};

    CHECK(meter->inner == NULL);
    meter->source = (struct source){.ops = &ops};
    meter->inner = inner;
    meter->is_tunnel = is_tunnel;
    source_on_wake(inner, wake, meter);
    return &meter->source;
}

bool meter_add(struct meter *meter, uint64_t bytes)
{
    if (is_stopped(meter)) {
        return false;
    }
    use_up(meter, bytes);
    if (!is_stopped(meter)) {
        return true;
    }
    timeout_set(meter->loop, &meter->timer, 0); /* to end the other direction, or the tunnel */
    return false;
}

void meter_fini(struct meter *meter)
{
    if (meter->account) {
        CHECK(meter->inner == NULL);
        bill(meter);
        timeout_clear(&meter->timer);
        account_give(&meter->account);
    }
}

bool meter_refuses(struct meter *meter, uint64_t *used, int64_t *until)
{
    if (!is_stopped(meter)) {
        return false;
    }
    int64_t now = loop_wall(meter->loop);
    *used = account_used(meter->account, meter->limits->per, now);
    *until = period_at(now)->end[meter->limits->per];
    return true;
}
